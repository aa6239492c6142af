"""What the judge holds the house to: literals of its own, never the core's, with what they come from."""

from __future__ import annotations

MS = 1_000_000
S = 1_000_000_000

#: What was commanded a moment before is on the wire for so long, and its receiver's.
WIRE_NS = 1 * MS
# I1: the enter-service window (IEEE 1547-2018, 4.10), with the 1 % that its measurement is allowed.
WINDOW_PU = (0.917 * 0.99, 1.05 * 1.01)
WINDOW_HZ = (59.49, 60.11)
#: No export before 98.5 % of the delay (IEEE 1547.1-2020, 5.6).
DELAY_SHARE = 0.985
# Synchronisation limits for 0 to 500 kVA.
PHASE_LIMIT_DEG = 20.0
#: A jump this shortly before the contacts meet cannot be undone: a cycle to measure it, a frame, the relay's own inertia.
UNSTOPPABLE_NS = 25 * MS
VOLTAGE_LIMIT_PU = 0.10
DEAD_PU = 0.05
DEAD_HOLD_NS = 299 * MS
# I14: a follower joins in phase; 5 degrees, and what its angle is measured to.
JOIN_DEG = 6.0
# I2: the house made by the inverter must not reach the street.
FORMED_PU = 0.15
HANDBACK_NS = 100 * MS
#: A street that is fed past the MID: the house is turned for 0.6 s before that is known of it; then a command's way.
FED_PAST_NS = 1 * S
#: An unbidden closing is met by the logic controller within 20 ms; the contact's own bounce beside it.
UNBIDDEN_NS = 25 * MS
PROOF_NS = 12 * MS - 50_000
#: A contact's edge is on the bus after 2 ms, and a busy owner steps up to 5 ms later.
TOLD_NS = 8 * MS
#: Faults that move a contact, or seem to, under a forming inverter: then the controller's own stop is what must come.
MOVING_CONTACTS = frozenset(
    ("mid.uncommanded_close", "mid.aux_wrong", "mid.chatter", "mid.welded", "mid.slow")
)
# I3: a start opens; an opening of a MID that has carried the house for this long counts as one.
OPEN_AT_START_NS = 250 * MS
CARRIED_NS = 1 * S
ORDERED_OPEN_NS = 200 * MS
# I4: a sense that has lied for this long has been found out.
LIAR_NS = 1 * S
#: One that stands still at a value that could be true is found by two windows of two minutes, and a limit's way.
STILL_NS = 243 * S
BLIND_LIMIT_W = 1_001.0
HALF_LIMIT_W = 3_801.0
LIMIT_PATIENCE_NS = 3 * S
# I5, I6: from the last valid command, which is at most one period before the owner's end.
OPEN_WITHOUT_OWNER_NS = 250 * MS
GATE_WITHOUT_OWNER_NS = 105 * MS
# I7
FLOOR_SOC_PCT = 20.0
FLOOR_TOLERANCE_PCT = 0.1
FLOOR_PATIENCE_NS = 2 * S
#: A report that leapt up is believed after half a minute of rest on the grid, where something may have charged the car:
#: who lies for so long is not found out.
TOLD_AT_REST_NS = 29 * S
#: Likewise a pack that a test fills at once, by more than any charger in one look: rightly doubted until it has rested.
FILLED_PCT = 1.5
FILL_BELIEVED_NS = 31 * S
AT_REST_A = 0.5
STOP_SOC_PCT = 20.8
SHED_SOC_PCT = 21.8
SOC_PATIENCE_NS = 5 * S
#: What is shed at the reserve's first rung: everything that need not run.
NOT_MUST_RUN = ("hvac", "range", "evse", "garage_door", "well_pump")
#: What the demo's schedule keeps in the car on the grid, less what a poll and a pack's rounding take.
TARIFF_SOC_PCT = 49.7
SHAVING_W = 150.0
# I8: the surge anchors of the inverter: 9 kVA for ever, 16 kVA for 10 s. A shed takes 100 ms, its frame and its switch
# 40 ms more.
SURGE_VA = 16_000.0
SURGE_PATIENCE_NS = 140 * MS
CONTINUOUS_VA = 9_450.0
CONTINUOUS_PATIENCE_NS = 11 * S
#: What a car bears is two seconds; half of that may pass for a start, and a shed has taken effect soon after.
SHED_FOR_CAR_NS = 1_250 * MS
# A house without a street is lit by a car that could: with charge to spare, all that must run, and a cool inverter. The
# waits between starts are 2, 10 and 60 s.
LIGHTS_SOC_PCT = 27.0
LIGHTS_W = 3_000.0
LIGHTS_C = 60.0
UNLIT_PU = 0.5
UNLIT_NS = 75 * S
# I9
DC_WINDOW_V = (350.0, 900.0)
DC_PATIENCE_NS = 110 * MS
#: A polled car has said so by then; the inverter's own protection acts long before.
DC_KNOWN_NS = 1 * S
# I10
HEAVY = ("hvac", "range", "evse", "well_pump")
HEAVY_HOLD_NS = 59 * S
#: SHED within 25 ms of the opening; its switch takes up to 15 ms.
HEAVY_DROP_NS = 45 * MS
#: The next may start once the last one's inrush is over and it draws what was expected of it: 1 s at the earliest.
STAGGER_NS = 950 * MS
# I11: derating begins at 45 °C; 2 to 3 % a kelvin of 10 kW, and nothing from 80 °C on.
RATED_W = 10_000.0
DERATE_FROM_C = 46.0
DERATE_PER_K = 0.02
STOP_C = 81.0
HEAT_PATIENCE_NS = 15 * S
# I16: what breaks this soon after an order was broken by it.
ORDER_REACH_NS = 5 * S

#: While these are there the owner's word reaches nobody, or nobody's word reaches the owner.
DEAF = frozenset(("can.bus_off", "can.frames_lost", "lc.frozen"))
#: After these the hand-back may not come to the inverter in time.
HANDBACK_LOST = MOVING_CONTACTS | DEAF | {"control.tick_overrun"}
#: While these are there a limit may not get through to the inverter.
UNREACHABLE = frozenset(
    ("modbus.timeout", "modbus.garbage", "modbus.unit_conflict", "modbus.write_ignored", *DEAF)
)
#: A MID that these have touched does not follow its coil.
DISOBEDIENT = frozenset(("mid.welded", "mid.slow", "mid.uncommanded_close", "mid.chatter"))
