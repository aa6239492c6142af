"""An asyncio loop whose time is given from outside: the polled devices' own coroutines in virtual time.

Only what they use: futures, tasks, timers. Nothing waits, nothing is opened; a callback that raises is a defect and
comes out of ``run_until``.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

NEVER_NS = 1 << 62


class VirtualLoop(asyncio.AbstractEventLoop):
    """``run_until`` lives; between its calls nothing moves."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[int, int, asyncio.Handle]] = []
        self._serial = 0
        self._failure: BaseException | None = None

    def next_ns(self) -> int:
        """When something is due."""
        if self._ready:
            return self.now_ns
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else NEVER_NS

    def run_until(self, to_ns: int) -> None:
        """Everything that is due by ``to_ns``, each at its own instant. Raises what a callback raised."""
        asyncio._set_running_loop(self)
        try:
            while (due_ns := self.next_ns()) <= to_ns:
                self.now_ns = max(self.now_ns, due_ns)
                if not self._ready:
                    self._ready.append(heapq.heappop(self._timers)[2])
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
                if self._failure is not None:
                    raise self._failure
            self.now_ns = max(self.now_ns, to_ns)
        finally:
            asyncio._set_running_loop(None)

    def at_ns(self, due_ns: int, callback: Callable[..., Any], *args: Any) -> asyncio.Handle:
        """``call_at`` to the nanosecond."""
        handle = asyncio.Handle(callback, args, self)
        self._put(due_ns, handle)
        return handle

    def _put(self, due_ns: int, handle: asyncio.Handle) -> None:
        self._serial += 1
        heapq.heappush(self._timers, (due_ns, self._serial, handle))

    # ------------------------------------------------------------ what asyncio asks of a loop

    def time(self) -> float:
        """Seconds."""
        return self.now_ns / 1e9

    def call_soon(  # type: ignore[override]  # typeshed counts the arguments by version
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """At this instant, after what is due already."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # typeshed counts the arguments by version
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """After ``delay`` seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # typeshed counts the arguments by version
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """At ``when`` seconds."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._put(max(self.now_ns, round(when * 1e9)), handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:  # type: ignore[override]  # typeshed names the options of each version
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, **options)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """As far as its tasks can see."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when their time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Remember it for ``run_until``."""
        failure = context.get("exception")
        self._failure = (
            failure if isinstance(failure, BaseException) else RuntimeError(str(context["message"]))
        )
