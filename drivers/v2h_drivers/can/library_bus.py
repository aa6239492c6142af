"""Any interface that python-can knows; one that goes away (an adapter pulled out) is opened anew when it is back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import can

from v2h_drivers.can.bus import BusError, Frame, Listening

#: A bus that has failed, and from which nothing was heard for so long since, is gone.
GONE_NS = 100_000_000
#: Between two tries to open it anew, doubling; back at the first once something was heard.
REOPEN_FIRST_S = 0.2
REOPEN_MOST_S = 2.0

Opener = Callable[[], can.BusABC]


def in_a_thread(work: Callable[[], None]) -> None:
    """Do it beside the caller, and after it: opening a serial adapter takes two seconds."""

    def yielding() -> None:
        # A thread begins with its maker's priority; nothing here has a deadline.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        work()

    threading.Thread(target=yielding, name="can-reopen", daemon=True).start()


class LibraryBus(Listening):
    """``opener`` opens the bus anew; it may take its time, since ``aside`` runs it beside the reader."""

    def __init__(
        self,
        bus: can.BusABC,
        where: str,
        opener: Opener,
        *,
        aside: Callable[[Callable[[], None]], None] = in_a_thread,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bus = bus
        self._where = where
        self._opener = opener
        self._aside = aside
        self._clock_ns = clock_ns
        self._pause = pause
        self._lock = threading.Lock()
        self._shut = False
        #: Since when it fails; "gone" is a bus that was let go of.
        self._failing_ns: int | None = None
        #: When something was heard last, and since when it takes no frame while nothing is heard.
        self._heard_ns = clock_ns()
        self._mute_ns: int | None = None
        self._gone = False
        self._opened: can.BusABC | None = None
        self._opening = False
        self._try_at_ns = 0
        self._back_off_s = REOPEN_FIRST_S

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Send one frame."""
        if self._gone:
            raise BusError(f"CAN {self._where}: a frame was not taken: the bus is gone")
        message = can.Message(arbitration_id=arbitration_id, data=data, is_extended_id=False)
        try:
            self._bus.send(message, timeout=0.005)
        except (can.CanError, OSError) as error:
            # Some adapters are only silent to a reader when they are gone: whoever sends is told.
            now_ns = self._clock_ns()
            if self._mute_ns is None and now_ns - self._heard_ns >= GONE_NS:
                self._mute_ns = now_ns
            raise BusError(f"CAN {self._where}: a frame was not taken: {error}") from None
        self._mute_ns = None

    def _look(self, timeout_s: float) -> Frame | None:
        began_ns = self._clock_ns()
        if self._failing_ns is not None or self._mute_ns is not None:
            self._come_back(began_ns)
        if self._gone:
            self._pause(timeout_s)
            return None
        try:
            message = self._bus.recv(timeout_s)
        except (can.CanError, OSError):
            # What is broken fails at once, each time: the rest of the wait is slept, or the reader would spin.
            self.failures += 1
            now_ns = self._clock_ns()
            if self._failing_ns is None:
                self._failing_ns = now_ns
            self._pause(max(0.0, timeout_s - (now_ns - began_ns) / 1e9))
            return None
        except (ValueError, LookupError):
            # What a serial adapter garbled is no frame.
            self.bad_datagrams += 1
            return None
        if message is None:
            return None
        self._failing_ns = self._mute_ns = None
        self._heard_ns, self._back_off_s = self._clock_ns(), REOPEN_FIRST_S
        if message.is_error_frame or message.is_extended_id or message.is_remote_frame:
            self.bad_datagrams += 1
            return None
        return message.arbitration_id, bytes(message.data), self._heard_ns

    def _come_back(self, now_ns: int) -> None:
        """Let go of a bus that stays broken, and try to open it anew from time to time; never waits."""
        if not self._gone:
            since_ns = [ns for ns in (self._failing_ns, self._mute_ns) if ns is not None]
            if not since_ns or now_ns - min(since_ns) < GONE_NS:
                return
            self._gone = True
            self._try_at_ns = max(self._try_at_ns, now_ns)
        opened, self._opened = self._opened, None
        if opened is not None:
            # Whether it works is told by a frame; until then it counts as failing only if it fails again.
            self._bus, self._gone, self._failing_ns, self._mute_ns = opened, False, None, None
            self._heard_ns = now_ns
        elif not self._opening and now_ns >= self._try_at_ns:
            self._opening = True
            self._try_at_ns = now_ns + int(self._back_off_s * 1e9)
            self._back_off_s = min(2.0 * self._back_off_s, REOPEN_MOST_S)
            self._aside(self._open_anew)

    def _open_anew(self) -> None:
        try:
            _let_go(self._bus)
            opened = self._opener()
            with self._lock:
                if not self._shut:
                    self._opened = opened
                    return
            _let_go(opened)
        except (can.CanError, OSError, ImportError, ValueError, NotImplementedError):
            return
        finally:
            self._opening = False

    def fileno(self) -> int:
        """For ``select``."""
        return -1 if self._gone else int(self._bus.fileno())

    def shutdown(self) -> None:
        """Let go of the bus."""
        with self._lock:
            self._shut = True
            opened, self._opened = self._opened, None
        if opened is not None:
            _let_go(opened)
        _let_go(self._bus)


def _let_go(bus: can.BusABC) -> None:
    """End it; what is broken may say so."""
    # Of any kind: one that was opened in part, or whose adapter is gone, stumbles over what it has not got, and a bus
    # that cannot be ended must not keep the next one from being opened.
    with suppress(Exception):
        bus.shutdown()
