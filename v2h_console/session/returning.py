"""A Session for a screen on an owner in another process, which comes back by itself when that owner goes and another comes.

Nothing is taken over: each owner gives a new seat, without the helm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from v2h_console.session.absence import Absence
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.protocol import OwnerGone
from v2h_console.session.remote import NoOwner, RemoteSession
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves
from v2h_console.session.wire import WireError

#: The first wait before another try; each further one is twice as long, up to the last.
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0


def waits_s() -> Iterator[float]:
    """How long to wait before each try."""
    wait_s = FIRST_WAIT_S
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)


class ReturningSession:
    """On ``first``, and after its owner has gone on whatever ``attach`` finds. ``attach`` raises as RemoteSession does."""

    def __init__(
        self, first: RemoteSession, attach: Callable[[], RemoteSession], wall: Callable[[], float] = time.time
    ) -> None:
        self._current = first
        self._attach = attach
        self._wall = wall
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._gone: OwnerGone | None = None
        self.owns = False
        threading.Thread(target=self._stay, name="returning", daemon=True).start()

    @property
    def has_trainer(self) -> bool:
        """Whether the owner's devices are the twin's."""
        return self._current.has_trainer

    @property
    def name(self) -> str:
        """This console as the owner names it."""
        return self._current.name

    @property
    def run(self) -> str:
        """The owner's start."""
        return self._current.run

    @property
    def gone(self) -> OwnerGone | None:
        """Since when no owner answers; known as soon as the line ends, whatever this session's thread does."""
        return self._gone or self._current.gone

    def watch(self) -> Snapshot:
        """The newest Snapshot that came; while the owner is gone, its last."""
        return self._current.watch()

    async def order(self, order: Order) -> Receipt:
        """Ask the owner that answers now."""
        return await self._current.order(order)

    async def waves(self) -> Waves:
        """Ask it for a window of waveforms."""
        return await self._current.waves()

    @property
    def absence(self) -> Absence | None:
        """What this person missed before the present owner let this console in."""
        return self._current.absence

    def here(self, place: str) -> None:
        """Tell the owner that somebody is there."""
        self._current.here(place)

    def close(self, how: str = "left") -> None:
        """Let go of the owner, and of the search for one."""
        with self._lock:
            self._left.set()
            self._current.close(how)

    def _stay(self) -> None:
        while not self._left.is_set():
            self._current.ended.wait()
            since_wall_s = self._wall()
            self._gone = OwnerGone(since_wall_s)
            for wait_s in waits_s():
                if self._left.wait(wait_s):
                    return
                try:
                    found = self._attach()
                except (NoOwner, WireError) as error:
                    # Whoever refuses says why; nobody there is said already.
                    reason = str(error) if isinstance(error, WireError) else ""
                    self._gone = OwnerGone(since_wall_s, reason)
                    continue
                with self._lock:
                    if self._left.is_set():
                        found.close()
                        return
                    self._current = found
                    self._gone = None
                break
