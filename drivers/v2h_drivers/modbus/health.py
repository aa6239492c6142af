"""How a polled device's link is, in words: the same for every Modbus device."""

from __future__ import annotations

from collections.abc import Callable

from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState
from v2h_drivers.modbus.connection import Connection

SAY_EVERY_NS = 1_000_000_000
#: So many failed polls in a row, and the device is lost.
LOST_AFTER = 3


class HealthTeller:
    """Counts polls and emits LinkHealth once a second and at once on a change."""

    def __init__(
        self,
        device: str,
        protocol: str,
        connection: Connection,
        unit: int,
        emit: Callable[[Reading], None],
        clock_ns: Callable[[], int],
    ) -> None:
        self._device = device
        self._protocol = protocol
        self._connection = connection
        self._address = f"{connection.address}/{unit}"
        self._emit = emit
        self._clock_ns = clock_ns
        self._failures = 0
        self._said_ns = 0
        self._state = LinkState.CONNECTING
        self._reason = ""
        self._note = ""
        self.answered_at_ns: int | None = None

    @property
    def state(self) -> LinkState:
        """The link now."""
        return self._state

    def note(self, text: str) -> None:
        """Something about the device that is not the link's fault, such as a write that was ignored."""
        self._note = text

    def good(self) -> None:
        """A poll was answered."""
        self._failures = 0
        self.answered_at_ns = self._clock_ns()
        self._say(LinkState.OK, self._note)

    def failed(self, reason: str) -> None:
        """A poll was not."""
        self._failures += 1
        if self._failures >= LOST_AFTER:
            self._say(LinkState.LOST, reason)
        else:
            self._say(LinkState.CONNECTING if self.answered_at_ns is None else LinkState.LATE, reason)

    def lost(self, reason: str) -> None:
        """No poll will be answered for now, whatever the device does."""
        self._failures = LOST_AFTER
        self._say(LinkState.LOST, reason)

    def again(self) -> None:
        """Nothing was asked meanwhile: as it was said last."""
        self._say(self._state, self._reason)

    def _say(self, state: LinkState, reason: str) -> None:
        now_ns = self._clock_ns()
        changed = state is not self._state or reason != self._reason
        if not changed and now_ns - self._said_ns < SAY_EVERY_NS:
            return
        self._state, self._reason, self._said_ns = state, reason, now_ns
        self._emit(
            LinkHealth(
                at_ns=now_ns,
                device=self._device,
                protocol=self._protocol,
                address=self._address,
                state=state,
                reason=reason,
                answered_at_ns=self.answered_at_ns,
                good=self._connection.good,
                bad=self._connection.bad,
                round_trip_ms=self._connection.round_trip_ms,
            )
        )
