"""What a reading can physically be: a value outside is no value, and the reading that held it is BAD."""

from __future__ import annotations

#: field → (lowest, highest): wide enough for every healthy or faulty house, narrow enough for a wrong scale.
RANGES: dict[str, tuple[float, float]] = {
    "voltage_v": (0.0, 400.0),
    "frequency_hz": (0.0, 100.0),
    "power_w": (-60_000.0, 60_000.0),
    "current_a": (-400.0, 400.0),
    "temperature_c": (-60.0, 150.0),
    "percent": (0.0, 100.0),
    "dc_voltage_v": (0.0, 1_500.0),
    "energy_wh": (0.0, 1_000_000.0),
}


class Plausibility:
    """Collects whether everything asked about was plausible. One for each reading."""

    def __init__(self) -> None:
        self.held = True

    def check(self, kind: str, number: float | None) -> float | None:
        """The number when it is possible, ``None`` when it is not or was unknown already."""
        if number is None:
            return None
        low, high = RANGES[kind]
        if low <= number <= high:
            return number
        self.held = False
        return None
