"""An inverter that answers oddly, and how long it has been polled."""

from __future__ import annotations

from tests.drivers_modbus.rig import Wire, exception, inverter
from v2h_drivers.capabilities.requests import DischargeLimitRequest
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter

READ, WRITE = 3, 16
#: Failure, still working, busy, no way through the gateway, no such unit behind it: none of them is another device.
ORDINARY = (4, 5, 6, 10, 11)


class House:
    """One inverter, polled for three seconds."""

    def __init__(self) -> None:
        self.unit = inverter()
        self.wire = Wire({1: self.unit})
        self.driver = SunSpecInverter(
            "Inverter", self.wire.connection, 1, self.wire.emit, clock_ns=self.wire.now_ns
        )
        self.wire.run(self.driver)
        self.wire.live(3.0)
        self.began_ns = self.wire.now_ns()

    def refuse(self, code: int, *, function: int, times: int = 1_000_000) -> None:
        """The next requests of this function are answered with an exception."""
        left = [times]

        def meddle(_unit: int, pdu: bytes) -> bytes | None:
            if pdu[0] != function or not left[0]:
                return None
            left[0] -= 1
            return exception(pdu, code)

        self.wire.meddle = meddle

    def order(self, kw: float) -> None:
        """Ask for a discharge limit."""
        self.wire.loop.call_soon(self.driver.submit, DischargeLimitRequest(1000.0 * kw))
