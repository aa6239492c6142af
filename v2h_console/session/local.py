"""A Session on an owner in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from v2h_console.session.absence import Absence
from v2h_console.session.orders import SAVE_CONFIG, Order, Receipt
from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves


class LocalSession:
    """``snapshot`` builds or returns the newest picture; ``order`` checks and queues, both quick and never blocking."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        order: Callable[[Order], Receipt],
        *,
        has_trainer: bool,
        waves: Callable[[], Future[Waves]],
        leave: Callable[[str], None] | None = None,
        here: Callable[[str], None] | None = None,
        absence: Absence | None = None,
        name: str = "",
        edit: Callable[[Order], Future[Receipt]] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._order = order
        self._has_trainer = has_trainer
        self._waves = waves
        self._leave, self._here = leave, here
        self.absence = absence
        self.name = name
        self.owns = True
        self.run = ""
        self.gone: OwnerGone | None = None
        self._edit = edit

    @property
    def has_trainer(self) -> bool:
        """Whether the devices are the twin's."""
        return self._has_trainer

    def watch(self) -> Snapshot:
        """The newest Snapshot."""
        return self._snapshot()

    async def order(self, order: Order) -> Receipt:
        """Ask the owner."""
        if order.do == SAVE_CONFIG and self._edit is not None:
            return await asyncio.wrap_future(self._edit(order))
        return self._order(order)

    async def waves(self) -> Waves:
        """A window of waveforms."""
        return await asyncio.wrap_future(self._waves())

    def here(self, place: str) -> None:
        """The person is there."""
        if self._here is not None:
            self._here(place)

    def close(self, how: str = "left") -> None:
        """The seat is empty; the owner stays as it is."""
        if self._leave is not None:
            self._leave(how)
