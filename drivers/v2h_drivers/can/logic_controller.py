"""The logic controller's link: frames and the time in; readings, frames and the next wake time out (sans-I/O).

What a frame must be before it counts, and what is sent when, stands in docs/can.md. CMD goes out only while the core
keeps asking: a core that is stuck stops the heartbeat, and the controller opens the MID by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from v2h_drivers.can.codec import COUNTER_BYTE, CRC_BYTE, FRAME_BYTES, SIGNAL_BYTES, FrameLayout, load_layouts
from v2h_drivers.can.controller_clock import ControllerClock
from v2h_drivers.can.crc8 import frame_crc, id_register
from v2h_drivers.can.readings import Builder, blank, builders
from v2h_drivers.can.wave import WAVE_ID, WaveAssembler
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import ControllerHeartbeat, ForeignCommand
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import (
    ControlRequest,
    FanRequest,
    FastRequest,
    InverterSetpoint,
    ShedRequest,
    WaveCapture,
)
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState

MS = 1_000_000
DBC = Path(__file__).with_name("logic_controller.dbc")
PROTOCOL = "CAN 500k"

#: The controller gives up after 100 ms without CMD; a core silent for this long must not be spoken for.
KEEP_ALIVE_NS = 60 * MS
#: A close token is worth nothing to the controller after 50 ms; then it is not sent any more.
TOKEN_LIFE_NS = 50 * MS
#: Frames so often in a row that repeat a counter, or come out of turn: the controller repeats itself, or somebody does.
FROZEN_REPEATS = 3
#: So many counters may be left out without a word: frames get lost. More only after a silence that accounts for them.
LOST_MOST = 10
#: And only until so many frames of an id have come at their usual pace after it.
OWED_FRAMES = 3
#: A counter cannot tell a step back from a leap ahead; from half of its range on it is taken for a step back.
_STEPS_BACK = 0x80
#: Heartbeats whose clock does not go on so often: a hung firmware behind a live counter.
FROZEN_HEARTBEATS = 3
#: A second of our own commands: what we hear of ourselves is no second master.
OWN_COMMANDS_KEPT = 63
HEARTBEAT_LATE_NS = 60 * MS
SILENT_NS = 100 * MS
RESTART_SAID_NS = 1_000 * MS
#: Sends with a period shorter than this would be a burst, not a change.
_COMMAND_FRAMES = ("CMD", "INV_SET", "SHED", "FAN", "WAVE_REQ")


@dataclass(slots=True)
class Statistics:
    """What came in since the start."""

    good: int = 0
    bad_crc: int = 0
    bad_length: int = 0
    repeated: int = 0
    out_of_turn: int = 0
    lost: int = 0

    @property
    def bad(self) -> int:
        """Frames refused."""
        return self.bad_crc + self.bad_length + self.repeated + self.out_of_turn


@dataclass(slots=True)
class _Incoming:
    """One received frame id: how to check it and how it has been doing."""

    name: str
    build: Builder
    crc_register: int
    period_ns: int
    counter: int | None = None
    #: When the newest frame came that was no mere repetition, in turn or not.
    heard_ns: int = 0
    #: Frames refused in a row, and the counter of the one that came out of turn last.
    refused: int = 0
    stray: int | None = None
    #: Counters that a silence accounts for and that were not seen yet, and for how many frames of the usual pace it does.
    owed: int = 0
    patience: int = 0

    @classmethod
    def of(cls, layout: FrameLayout, build: Builder) -> _Incoming:
        """Nothing heard yet."""
        return cls(layout.name, build, id_register(layout.arbitration_id), layout.period_ns)

    def in_turn(self, counter: int, step: int, now_ns: int) -> bool:
        """Whether a frame so many counters ahead, more than get lost, is one of now; a step back never is.

        Should it have been the controller's all the same, its counter comes round to being ahead within 128 frames.
        """
        if step == 0:
            return False
        if step <= LOST_MOST + (now_ns - self.heard_ns) // self.period_ns:
            return True
        goes_on = self.stray is not None and counter == (self.stray + 1) & 0xFF
        return goes_on and (step < _STEPS_BACK or step <= LOST_MOST + self.owed)

    def took(self, counter: int, step: int, now_ns: int) -> None:
        """It is the newest now, so many counters ahead of the one before.

        What came during a silence of ours was kept while there was room, and the rest was lost: then the frame that
        ends the silence leaves most of it unexplained, and so do all that follow on its heels.
        """
        silent_ns = now_ns - self.heard_ns
        if self.counter is None:
            self.owed = 0
        elif silent_ns > LOST_MOST * self.period_ns:
            self.owed, self.patience = max(0, silent_ns // self.period_ns - step), OWED_FRAMES
        elif self.owed:
            self.owed = max(0, self.owed - step)
            self._at_its_pace(silent_ns)
        self.counter, self.heard_ns, self.refused, self.stray = counter, now_ns, 0, None

    def strayed(self, counter: int, now_ns: int) -> None:
        """It came out of turn."""
        if self.owed:
            self._at_its_pace(now_ns - self.heard_ns)
        self.stray, self.heard_ns = counter, now_ns

    def _at_its_pace(self, since_ns: int) -> None:
        # What comes as it is sent was not kept for us: a few of these, and the silence accounts for nothing more.
        if 2 * since_ns > self.period_ns:
            self.patience -= 1
            if self.patience <= 0:
                self.owed = 0


@dataclass(slots=True)
class _Outgoing:
    """One sent frame id: its newest signals, when it is due, its counter."""

    layout: FrameLayout
    crc_register: int
    signals: bytes | None = None
    due_ns: int = 0
    counter: int = 0


class LogicControllerLink:
    """Implements ``capabilities.FastDevice``. Raises only at construction (a broken DBC)."""

    def __init__(self, device: str, address: str) -> None:
        self._device = device
        self._address = address
        layouts = load_layouts(DBC)
        self._incoming = {
            layouts[name].arbitration_id: _Incoming.of(layouts[name], build)
            for name, build in builders(layouts).items()
        }
        self._outgoing = {
            name: _Outgoing(layouts[name], id_register(layouts[name].arbitration_id))
            for name in _COMMAND_FRAMES
        }
        self._command_id = layouts["CMD"].arbitration_id
        self._own_commands: tuple[bytes, ...] = ()
        self.statistics = Statistics()
        self._nonce: int | None = None
        self.nonce_changes = 0
        self._nonce_changed_ns: int | None = None
        self._control: ControlRequest | None = None
        self._control_ns = 0
        self._token_ns = 0
        self._heard_ns: int | None = None
        self._heartbeat_ns: int | None = None
        self._clock = ControllerClock()
        self._still_heartbeats = 0
        self._frozen_ns: int | None = None
        self._wave = WaveAssembler()

    # ------------------------------------------------------------ receiving

    def receive(self, arbitration_id: int, data: bytes, now_ns: int) -> Reading | None:
        """One frame to at most one reading. Never raises."""
        incoming = self._incoming.get(arbitration_id)
        if incoming is None:
            if arbitration_id == WAVE_ID:
                self._wave.receive(data, now_ns)
            return self._foreign(data, now_ns) if arbitration_id == self._command_id else None
        if len(data) != FRAME_BYTES:
            self.statistics.bad_length += 1
            return None
        if frame_crc(incoming.crc_register, data) != data[CRC_BYTE]:
            self.statistics.bad_crc += 1
            return None
        counter, last, step = data[COUNTER_BYTE], incoming.counter, 1
        another = incoming.name == "HB_LC" and self._of_another(incoming, data, now_ns)
        if another and self._heartbeat_ns is not None and now_ns - self._heartbeat_ns < HEARTBEAT_LATE_NS:
            # The one that is known still lives.
            return self._refused(incoming, counter, now_ns)
        if last is not None:
            step = (counter - last) & 0xFF
            if not 0 < step <= LOST_MOST and not incoming.in_turn(counter, step, now_ns):
                if not another:
                    return self._refused(incoming, counter, now_ns)
                incoming.counter, step = None, 1
            self.statistics.lost += step - 1
        incoming.took(counter, step, now_ns)
        reading = incoming.build(data, now_ns)
        self.statistics.good += 1
        self._heard_ns = now_ns
        if isinstance(reading, ControllerHeartbeat):
            return self._heartbeat(reading, now_ns)
        return reading

    def _of_another(self, incoming: _Incoming, data: bytes, now_ns: int) -> bool:
        """Whether it is a heartbeat of a controller that has started anew since: its counters begin anew, too."""
        if self._nonce is None:
            return False
        reading = incoming.build(data, now_ns)
        return (
            isinstance(reading, ControllerHeartbeat)
            and reading.quality is Quality.GOOD
            and reading.nonce != self._nonce
        )

    def _foreign(self, data: bytes, now_ns: int) -> Reading | None:
        """A command on the bus that is none of ours (some buses let us hear our own) comes from somebody else."""
        if len(data) != FRAME_BYTES or data in self._own_commands:
            return None
        if frame_crc(self._outgoing["CMD"].crc_register, data) != data[CRC_BYTE]:
            self.statistics.bad_crc += 1
            return None
        return ForeignCommand(now_ns, Quality.GOOD)

    def _refused(self, incoming: _Incoming, counter: int, now_ns: int) -> Reading | None:
        """A frame said before says nothing; three in a row say that the sender is stuck, or is not the one of now."""
        incoming.refused += 1
        if counter == incoming.counter:
            self.statistics.repeated += 1
        else:
            self.statistics.out_of_turn += 1
            incoming.strayed(counter, now_ns)
        if incoming.refused < FROZEN_REPEATS:
            return None
        self._frozen_ns = now_ns
        return blank(incoming.name, now_ns)

    def _heartbeat(self, heartbeat: ControllerHeartbeat, now_ns: int) -> Reading | None:
        if heartbeat.quality is not Quality.GOOD:
            return heartbeat
        if not self._goes_on(heartbeat, now_ns):
            # A clock that stands still, jumps back or is not known is no sign of life.
            self._still_heartbeats += 1
            if self._still_heartbeats < FROZEN_HEARTBEATS:
                return None
            self._frozen_ns = now_ns
            return blank("HB_LC", now_ns)
        self._still_heartbeats = 0
        self._heartbeat_ns = now_ns
        if heartbeat.nonce != self._nonce:
            if self._nonce is not None:
                self.nonce_changes += 1
                self._nonce_changed_ns = now_ns
                for incoming in self._incoming.values():
                    if incoming.name != "HB_LC":
                        incoming.counter = None
            self._nonce = heartbeat.nonce
            self._encode_control(now_ns)
        return heartbeat

    def _goes_on(self, heartbeat: ControllerHeartbeat, now_ns: int) -> bool:
        if heartbeat.nonce == self._nonce or heartbeat.lc_time_ms is None:
            return self._clock.goes_on(heartbeat.lc_time_ms, now_ns)
        self._clock.begin(heartbeat.lc_time_ms, now_ns)
        return True

    def halted(self, for_ns: int) -> None:
        """It is a silence of ours, as if our clock had gone on."""
        for incoming in self._incoming.values():
            incoming.heard_ns -= for_ns
        self._clock.halted(for_ns)

    # ------------------------------------------------------------ sending

    def request(self, request: FastRequest, now_ns: int) -> None:
        """Take the request as the one in force; a change goes out with the next ``frames_due``."""
        match request:
            case ControlRequest():
                if self._control is None or request.close_token != self._control.close_token:
                    self._token_ns = now_ns
                stale = now_ns - self._control_ns > KEEP_ALIVE_NS
                changed = request != self._control
                self._control, self._control_ns = request, now_ns
                if changed or stale:
                    self._encode_control(now_ns)
            case InverterSetpoint():
                values = {
                    "frequency": request.frequency_hz,
                    "voltage": request.voltage_v,
                    "power": request.power_w,
                    "leg1_share": request.leg1_share,
                }
                # Its period is its rate: a setpoint that moves with each step must not flood the bus.
                self._put("INV_SET", values, now_ns, at_once=False)
            case ShedRequest():
                self._put("SHED", {"mask": float(request.mask)}, now_ns, at_once=True)
            case FanRequest():
                self._put("FAN", {"duty": float(request.duty_pct)}, now_ns, at_once=True)

    def _encode_control(self, now_ns: int) -> None:
        """CMD from the request in force; nothing before a nonce is known."""
        control = self._control
        if control is None or self._nonce is None:
            return
        token_lives = now_ns - self._token_ns <= TOKEN_LIFE_NS
        values = {
            "open": float(control.open_mid),
            "close": float(control.close_mid),
            "gate": float(control.gate),
            "form": float(control.form),
            "inverter_mask": float(control.inverter_mask),
            "primary": float(control.primary),
            "close_token": float(control.close_token if token_lives else 0),
            "nonce": float(self._nonce),
        }
        self._put("CMD", values, now_ns, at_once=True)

    def _put(self, name: str, values: dict[str, float], now_ns: int, *, at_once: bool) -> None:
        outgoing = self._outgoing[name]
        signals = outgoing.layout.encode(values)
        if signals == outgoing.signals:
            return
        if outgoing.signals is None or at_once:
            outgoing.due_ns = now_ns
        outgoing.signals = signals

    def frames_due(self, now_ns: int) -> list[tuple[int, bytes]]:
        """Frames to send now."""
        control = self._control
        if control is not None and control.close_token and now_ns - self._token_ns > TOKEN_LIFE_NS:
            self._encode_control(now_ns)
        if self._wave.active:
            self._ask_for_samples(now_ns)
        sent: list[tuple[int, bytes]] = []
        for name, outgoing in self._outgoing.items():
            if outgoing.signals is None or outgoing.due_ns > now_ns:
                continue
            if name == "CMD" and now_ns - self._control_ns > KEEP_ALIVE_NS:
                continue
            # A raster of its own, so that a change sent in between does not shift every heartbeat after it.
            outgoing.due_ns = now_ns - now_ns % outgoing.layout.period_ns + outgoing.layout.period_ns
            outgoing.counter = (outgoing.counter + 1) & 0xFF
            body = outgoing.signals[:SIGNAL_BYTES] + bytes((outgoing.counter,))
            if name == "WAVE_REQ":
                # Said once: what does not come is asked for by a request of its own.
                outgoing.signals = None
            frame = body + bytes((frame_crc(outgoing.crc_register, body),))
            sent.append((outgoing.layout.arbitration_id, frame))
            if name == "CMD":
                self._own_commands = (*self._own_commands[-OWN_COMMANDS_KEPT:], frame)
        return sent

    def hurry(self, now_ns: int) -> None:
        """CMD is due now, whatever its period."""
        self._outgoing["CMD"].due_ns = now_ns

    def counters(self) -> dict[str, int]:
        """The counter of each frame that was sent last, by name."""
        return {name: outgoing.counter for name, outgoing in self._outgoing.items()}

    def carry_on(self, counters: dict[str, int]) -> None:
        """Go on from another owner's counters: a controller takes a leap for a replay."""
        for name, counter in counters.items():
            outgoing = self._outgoing.get(name)
            if outgoing is not None:
                outgoing.counter = counter & 0xFF

    @property
    def knows_controller(self) -> bool:
        """Whether a heartbeat has told the controller's nonce: without it no command counts."""
        return self._nonce is not None

    def capture(self, now_ns: int) -> None:
        """Begin to record a window of waveforms; one that runs is given up."""
        self._wave.begin(now_ns)

    def captured(self) -> WaveCapture | str | None:
        """The window when it is whole, once; why it failed, once; else ``None``."""
        return self._wave.take()

    def _ask_for_samples(self, now_ns: int) -> None:
        wanted = self._wave.wanted(now_ns)
        if wanted is not None:
            window, first, count = map(float, wanted)
            self._put("WAVE_REQ", {"window": window, "first": first, "count": count}, now_ns, at_once=True)

    def wake_at_ns(self) -> int:
        """When something is due next; far away while there is nothing to send."""
        due = [outgoing.due_ns for outgoing in self._outgoing.values() if outgoing.signals is not None]
        return min(due) if due else 1 << 62

    # ------------------------------------------------------------ health

    def health(self, now_ns: int) -> LinkHealth:
        """How the link is now."""
        state, reason = self._judge(now_ns)
        return LinkHealth(
            at_ns=now_ns,
            device=self._device,
            protocol=PROTOCOL,
            address=self._address,
            state=state,
            reason=reason,
            answered_at_ns=self._heard_ns,
            good=self.statistics.good,
            bad=self.statistics.bad,
            round_trip_ms=None,
        )

    def _judge(self, now_ns: int) -> tuple[LinkState, str]:
        if self._heard_ns is None:
            if self.statistics.bad:
                return LinkState.CONNECTING, f"{self.statistics.bad} frames, none of them good"
            return LinkState.CONNECTING, "nothing heard yet"
        silent_ns = now_ns - self._heard_ns
        if silent_ns > SILENT_NS:
            return LinkState.LOST, f"silent for {silent_ns / 1e9:.1f} s"
        if self._frozen_ns is not None and now_ns - self._frozen_ns < SILENT_NS:
            return LinkState.LOST, "repeats itself"
        if self._heartbeat_ns is None or now_ns - self._heartbeat_ns > HEARTBEAT_LATE_NS:
            return LinkState.LATE, "its heartbeat is late"
        if self._nonce_changed_ns is not None and now_ns - self._nonce_changed_ns < RESTART_SAID_NS:
            return LinkState.OK, f"restarted {(now_ns - self._nonce_changed_ns) / 1e9:.1f} s ago"
        return LinkState.OK, ""
