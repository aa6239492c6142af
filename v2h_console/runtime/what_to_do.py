"""What a person does first about an alarm; the explainer says more."""

from __future__ import annotations

#: By the alarm's code; a circuit's without its name.
WHAT_TO_DO = {
    "CORE_STOPPED": "Stand clear: the controller opens the MID by itself, once it hears nothing. End this owner and start it anew; look in error.log for why.",
    "BOND_MISSING": "Treat metal parts as live. End the island, then find why the bond relay let go: its coil, its supply, its contact.",
    "BOND_DOUBLED": "Find which bond the drawing does not have (service, MID or inverter) and take it off with everything dead.",
    "INVERTER_SILENT": "Look at the inverter's own display and its supply; then at its cable to the controller and that cable's shield.",
    "INVERTER_DOES_NOT_STOP": "Open the inverter's own disconnect; measure that it is dead; find why the gate line has no effect before you reset (R).",
    "INVERTER_STILL_GIVES": "Open the inverter's own disconnect; measure its DC side; compare its meter with the car's.",
    "HOUSE_VOLTAGE_POOR": "Switch off what is delicate. Measure both legs; look at the inverter's display, then at its settings.",
    "HOUSE_FREQUENCY_POOR": "Measure the frequency; compare with the inverter's own settings. Clocks and motors go wrong.",
    "HOUSE_SENSE_SILENT": "Measure both legs yourself. Look at the house side's sensing and its fuse.",
    "HOUSE_NOT_FED": "Measure both legs behind the MID: a burnt pole, a blown fuse, or the sensing. Open the MID before you touch it.",
    "NOT_IN_PHASE": "Compare both sides' frequency: if the house's does not move while it is brought in phase, look at the inverter's settings.",
    "LATCH_WAITS": "Look in dmesg for a disk that hangs; the next outage stays dark until the record is written.",
    "MID_WEARS": "Plan a new MID; compare its times with the commissioning record; look at the coil's voltage under load.",
    "CONTROLLER_SILENT": "Stand clear of the MID. Look at the controller's RUN lamp. Off: check its supply. On: the CAN plug.",
    "MID_NOT_PROVEN_OPEN": "Stand clear. Open and lock the main. Then find out whether a pole is welded, or a bypass closed.",
    "MID_CONTACTS_DISAGREE": "Treat the MID as closed. Check the auxiliary contacts' wiring.",
    "CLOSING_LOCKED_OUT": "Find the cause, then reset the lockout (R).",
    "FORMING_LOCKED_OUT": "Find the cause, then reset the lockout (R). The grid's return does not end it.",
    "GRID_SENSE_VOLTAGE_HIGH": "Nothing to do here: the MID closes once the grid is back in its window. Call the utility if it lasts.",
    "GRID_SENSE_DRIFTS": "Measure both sides of the closed MID with a meter; replace the sensor that is off; then reset (R).",
    "ANGLE_FALSE": "Restart the logic controller with the house on the grid or dark; if it comes again, replace it.",
    "RIDE_THROUGH": "Ask the utility for leave in writing, then set separation = permitted; or export less.",
    "CAR_NOT_READY": "Check that the car is plugged in, awake and allows discharge.",
    "STORAGE_FAILED": "Make room on the disk (df -h), or look in dmesg for its errors; it is tried again each second.",
    "CONFIGURATION_NOT_TAKEN": "Correct the file at the line that is named, then start the owner again.",
    "CONFIGURATION_EDITED": "Restart the owner when the house can do without the car for a moment: the MID opens with it.",
    "CLOCK_DOUBTED": "Look at timedatectl: NTP, zone, battery. It shaves again 30 s after the clock runs evenly.",
    "CONTACTOR_WELDED": "Leave the plug in. Switch the car off; call its service. Then reset the lockout (R).",
    "INSULATION_LOW": "Look for water in inlet and plug, and for a damaged cable. Dry or replace it, then reset the lockout (R).",
    "PRECHARGE_FAILED": "Check the inverter's precharge resistor and its contactor.",
    "RUNTIME_SHORT": "Switch off what is not needed: what waits returns once there is time for it.",
    "SECOND_MASTER": "Find who else commands the controller and stop it. Then reset the lockout (R).",
    "AUX_SUPPLY_STOP": "Check the controller's 24 V supply and its battery. It starts again 10 s after 23 V are back.",
    "AUX_SUPPLY_LOW": "Check the controller's 24 V supply and its battery before it stops the house.",
    "HOUSE_BUS_FED": "Find what feeds the house: a generator or a second battery. Unplug it; forming then follows by itself.",
    "SOLAR_WILL_NOT_LEAVE": "Open the solar disconnect by hand.",
    "SOC_LOW": "Switch off what is not needed, or expect shedding.",
    "INVERTER_FAULT": "Look at the inverter's own display. It restarts after 2, 10 and 60 s.",
    "LOAD_LOCKED_OUT": "Find what is wrong with the appliance: a motor that does not turn, a short. Then reset (R).",
    "LOAD_STILL_DRAWS": "Clamp the circuit: current flows, or the meter sits on another circuit. A welded contactor: open its breaker.",
    "LOAD_SWITCH_STUCK": "Switch the circuit off at its breaker. Then look at its contactor.",
    "MID_SLOW": "Watch the trend: a pitted contact or a weak coil supply.",
    "EFFICIENCY_LOW": "Compare AC and DC meters; look for a hot terminal, a clogged filter, a tired fan.",
    "FAN_DEAD": "Look at the fan: does it turn, does air move? Clean the filter or replace the fan.",
    "CAR_LIMITS": "Nothing to do here: the car gives more when it is warmer, or charged.",
    "INVERTER_TEMPERATURE_UNKNOWN": "Check the temperature sensor's plug.",
}


def advice(code: str) -> str:
    """For this alarm, "" where there is nothing to do. Codes of circuits end with the circuit's name."""
    if code.startswith(("LOAD_LOCKED_OUT_", "LOAD_STILL_DRAWS_", "LOAD_SWITCH_STUCK_")):
        code = "_".join(code.split("_")[:3])
    return WHAT_TO_DO.get(code, "")
