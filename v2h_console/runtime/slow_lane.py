"""The slow lane: one thread with an asyncio loop for everything that polls, so that it never meets the fast lane.

Devices are SlowDevice machines; their readings go into the lane's inbox, requests come back to the device that takes
them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from v2h_drivers.capabilities.devices import SlowDevice
from v2h_drivers.capabilities.requests import SlowRequest

#: A device task that ends by a defect is started again after this; the device shows as lost meanwhile.
RESTART_S = 2.0
#: So many requests wait for the lane to begin; more are refused.
MOST_EARLY = 64
#: Of a failure's own words; they may quote what came from the wire.
MOST_WORDS = 80


class SlowLane(threading.Thread):
    """``build`` makes the devices inside the loop (their connections belong to it)."""

    def __init__(self, build: Callable[[], Sequence[SlowDevice]]) -> None:
        super().__init__(name="slow-lane", daemon=True)
        self._build = build
        self._loop: asyncio.AbstractEventLoop | None = None
        self._devices: Sequence[SlowDevice] = ()
        self._ended: asyncio.Event | None = None
        self._stopped = False
        self.ready = threading.Event()
        self.refused_requests = 0
        #: Guards what is asked for before the loop is there.
        self._lock = threading.Lock()
        self._early: deque[SlowRequest] = deque()
        #: Handed to the loop, not yet to a device.
        self._on_the_way = 0

    def submit(self, request: SlowRequest) -> None:
        """From any thread: hand the request to each device that takes it, as soon as there are devices."""
        with self._lock:
            loop = self._loop
            if loop is None:
                if len(self._early) < MOST_EARLY:
                    self._early.append(request)
                else:
                    self.refused_requests += 1
                return
            if loop.is_closed():
                return
            self._on_the_way += 1
        loop.call_soon_threadsafe(self._arrive, request)

    def busy(self) -> bool:
        """From any thread: whether something was asked for that would be lost with this lane."""
        if not self.is_alive():
            return False
        with self._lock:
            on_the_way = self._early or self._on_the_way
        return bool(on_the_way) or any(device.busy() for device in self._devices)

    def stop(self) -> None:
        """End every task and the loop; one that still begins ends before its first poll."""
        with self._lock:
            self._stopped = True
            loop, ended = self._loop, self._ended
        if loop is not None and ended is not None and not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)

    def run(self) -> None:
        """The thread's life."""
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._ended = asyncio.Event()
        self._devices = self._build()
        with self._lock:
            # Their libraries take a while to load: whoever has been told to end meanwhile is no second master on the wire.
            if self._stopped:
                return
            self._loop = asyncio.get_running_loop()
        # Nobody adds to them any more, and what comes from now on waits its turn behind them.
        while self._early:
            self._dispatch(self._early.popleft())
        tasks = [asyncio.create_task(self._keep(device), name=device.name) for device in self._devices]
        self.ready.set()
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, device: SlowDevice) -> None:
        while True:
            try:
                await device.run()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  (a defect in one device must not end the others; it is shown)
                device.ended(f"its driver failed: {_inert(error)}")
            await asyncio.sleep(RESTART_S)

    def _arrive(self, request: SlowRequest) -> None:
        self._dispatch(request)
        with self._lock:
            self._on_the_way -= 1

    def _dispatch(self, request: SlowRequest) -> None:
        # Each inverter has a limit of its own to be told: the first that takes a request is not the only one.
        if not sum(device.submit(request) for device in self._devices):
            self.refused_requests += 1


def _inert(error: Exception) -> str:
    """A failure in one line, nothing in it that a terminal would act on."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return "".join(char if char.isprintable() else " " for char in words)[:MOST_WORDS]
