"""The outlets' own thread: one asyncio loop that writes, serves and publishes pictures, away from everything that
has a deadline. A defect or a failure in one outlet is shown and tried again; control never hears of it.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from v2h_console.outlets import document
from v2h_console.outlets.energy_state import EnergyStateFailed, EnergyStateFile
from v2h_console.outlets.health import OutletHealth
from v2h_console.session.snapshot import Snapshot

#: Well under the second that a reader may expect.
WRITE_S = 0.5
RETRY_S = 10.0


@dataclass(slots=True)
class Outlet:
    """One way out and what runs it."""

    health: OutletHealth
    run: Callable[[], Awaitable[object]]


class FileOutlet:
    """Keeps ``energy_state`` at most a second old."""

    def __init__(self, file: EnergyStateFile, watch: Callable[[], Snapshot]) -> None:
        self._file, self._watch = file, watch
        self.health = OutletHealth("energy_state", str(file.path))

    async def run(self) -> None:
        """Write until cancelled; then the file goes."""
        try:
            while True:
                try:
                    self._file.write(document.encoded(self._watch()) + b"\n")
                    self.health.ok()
                except EnergyStateFailed as error:
                    self.health.failing(str(error))
                await asyncio.sleep(WRITE_S)
        finally:
            with suppress(EnergyStateFailed):
                self._file.remove()


class Outlets(threading.Thread):
    """``build`` makes the outlets inside the thread: their libraries load there, after the first picture."""

    def __init__(self, build: Callable[[], Sequence[Outlet]]) -> None:
        super().__init__(name="outlets", daemon=True)
        self._build = build
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._stopped = False
        self.ready = threading.Event()
        self.outlets: Sequence[Outlet] = ()

    @property
    def health(self) -> tuple[OutletHealth, ...]:
        """How each outlet is now."""
        return tuple(outlet.health for outlet in self.outlets)

    def stop(self) -> None:
        """End every outlet."""
        self._stopped = True
        loop, ended = self._loop, self._ended
        if loop is not None and ended is not None and not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)

    def run(self) -> None:
        """The thread's life."""
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        try:
            self.outlets = self._build()
        except Exception as error:  # noqa: BLE001  (a broken installation must not end in a traceback on the screen)
            broken = OutletHealth("Outlets", "")
            broken.failing(f"{type(error).__name__}: {error}")
            self.outlets = [Outlet(broken, asyncio.Event().wait)]
        tasks = [asyncio.create_task(_keep(outlet), name=outlet.health.name) for outlet in self.outlets]
        self.ready.set()
        if not self._stopped:
            await self._ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(outlet: Outlet) -> None:
    while True:
        try:
            await outlet.run()
        except asyncio.CancelledError:
            raise
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            outlet.health.failing("the port is taken" if taken else error.strerror or str(error))
        except Exception as error:  # noqa: BLE001  (a defect in one outlet must not end the others; it is shown)
            outlet.health.failing(f"{type(error).__name__}: {error}")
        await asyncio.sleep(RETRY_S)
