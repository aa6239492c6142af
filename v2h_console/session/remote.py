"""A Session on an owner in another process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from v2h_console.session import place, wire
from v2h_console.session.absence import Absence
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import NoWaves, Waves

_GONE = "the owner has gone: without one the logic controller opens the MID by itself"
_DEAF = "the owner does not read: press again"
_UNANSWERED = "the owner went before it answered; whether it was done is not known"


class NoOwner(Exception):
    """Nobody runs the core below this root."""


class RemoteSession:
    """Attached to the owner below ``root``. The constructor raises NoOwner, or WireError when refused."""

    def __init__(self, root: Path, *, watch: bool = False, screen: bool = False) -> None:
        try:
            line = place.connect(root)
        except PermissionError:
            raise wire.WireError(f"{root / place.FOLDER}: this user may not attach") from None
        if line is None:
            raise NoOwner(f"no owner runs below {root}")
        self._line = line
        self._cutter = wire.Cutter(wire.MAX_TO_CONSOLE)
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[Receipt]] = {}
        self._wanted: dict[int, Future[Waves]] = {}
        self._number = 0
        self._newest = Snapshot(sentence="Attached; waiting for the first picture.")
        self.alive = True
        self.role = self.name = self.run = ""
        self.owns = False
        self.gone: OwnerGone | None = None
        self.absence: Absence | None = None
        #: Set once the line to this owner has ended, by either side.
        self.ended = threading.Event()
        self._has_trainer = False
        try:
            self._line.sendall(wire.frame(wire.Hello(wire.VERSION, watch, screen)))
            while not self.role:
                self._read()
        except (OSError, wire.WireError) as error:
            line.close()
            if isinstance(error, wire.WireError):
                raise
            raise wire.WireError(f"the owner does not answer: {error}") from None
        line.settimeout(None)
        threading.Thread(target=self._listen, name="attached", daemon=True).start()

    @property
    def has_trainer(self) -> bool:
        """Whether the owner's devices are the twin's."""
        return self._has_trainer

    def watch(self) -> Snapshot:
        """The newest Snapshot that came."""
        return self._newest

    async def order(self, order: Order) -> Receipt:
        """Ask the owner."""
        return await asyncio.wrap_future(self.ask(order))

    def ask(self, order: Order) -> Future[Receipt]:
        """Send ``order``; the future holds its Receipt, a refusal when the owner has gone or does not read."""
        answer: Future[Receipt] = Future()
        message = wire.Ask(order, time.monotonic_ns())
        with self._lock:
            self._waiting[order.nonce] = answer
            unsent = self._unsent(message)
            if not unsent:
                return answer
            self._waiting.pop(order.nonce, None)
        answer.set_result(Receipt(order.nonce, accepted=False, reason=unsent))
        return answer

    async def waves(self) -> Waves:
        """Ask the owner for a window of waveforms."""
        return await asyncio.wrap_future(self.ask_waves())

    def ask_waves(self) -> Future[Waves]:
        """The future holds the window, or NoWaves."""
        wanted: Future[Waves] = Future()
        with self._lock:
            self._number += 1
            self._wanted[self._number] = wanted
            unsent = self._unsent(wire.WantWaves(self._number))
            if not unsent:
                return wanted
            self._wanted.pop(self._number, None)
        wanted.set_exception(NoWaves(unsent))
        return wanted

    def here(self, place: str) -> None:
        """Tell the owner that somebody is there; what does not fit into the line is not told."""
        with self._lock:
            self._unsent(wire.Here(place))

    def _unsent(self, message: wire.ToOwner) -> str:
        """Send, under the lock; why it was not, "" = it was. Never blocks: what the line has no room for is not said,
        and the next may be. Of a message that went in part nothing after it could be read: that line ends, and another
        takes its place."""
        if not self.alive:
            return _GONE
        data = wire.frame(message)
        try:
            if self._line.send(data, socket.MSG_DONTWAIT) == len(data):
                return ""
        except BlockingIOError:
            return _DEAF
        except OSError:
            pass  # it went just now
        self.alive = False
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        return _GONE

    def close(self, how: str = "left") -> None:
        """Let go of the owner; it stays as it is."""
        with self._lock:
            self._unsent(wire.Bye(how))
            self.alive = False
        try:
            self._line.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the owner went first

    def _read(self) -> None:
        data = self._line.recv(1 << 16)
        if not data:
            raise wire.WireError(_GONE)
        for body in self._cutter.feed(data):
            self._take(wire.read_to_console(body))

    def _take(self, message: wire.ToConsole) -> None:
        if isinstance(message, wire.Refused):
            raise wire.WireError(message.reason)
        if isinstance(message, wire.Welcome):
            self.role, self._has_trainer = message.role, message.has_trainer
            self.name, self.run, self.absence = message.name, message.run, message.absence
        elif isinstance(message, wire.Picture):
            self._newest = message.snapshot
        elif isinstance(message, wire.HaveWaves):
            with self._lock:
                wanted = self._wanted.pop(message.number, None)
            if wanted is not None and wanted.set_running_or_notify_cancel():
                if message.waves is None:
                    wanted.set_exception(NoWaves(message.reason))
                else:
                    wanted.set_result(message.waves)
        else:
            with self._lock:
                answer = self._waiting.pop(message.receipt.nonce, None)
            if answer is not None and answer.set_running_or_notify_cancel():
                answer.set_result(message.receipt)

    def _listen(self) -> None:
        try:
            while True:
                self._read()
        except (OSError, wire.WireError):
            with self._lock:
                self.alive = False
                self.gone = OwnerGone(time.time())
                left = list(self._waiting.items())
                self._waiting.clear()
                unanswered = list(self._wanted.values())
                self._wanted.clear()
            for nonce, answer in left:
                if answer.set_running_or_notify_cancel():
                    answer.set_result(Receipt(nonce, accepted=False, reason=_UNANSWERED))
            for wanted in unanswered:
                if wanted.set_running_or_notify_cancel():
                    wanted.set_exception(NoWaves(_GONE))
        finally:
            self.ended.set()
            self._line.close()
