"""Serves the owner's Session on a local socket: one thread, nothing that blocks, nobody waited for."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import msgspec

from v2h_console.runtime import peers
from v2h_console.runtime.desk import HAND_OVER, STOP, WATCH, Desk, Seat
from v2h_console.runtime.pace import Openings, Pace, too_many
from v2h_console.session import place, wire
from v2h_console.session.orders import OPEN_MID, SAVE_CONFIG, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves

#: As often as a screen draws.
_PERIOD_S = 0.25
#: One connection in so long on the average, so many at once.
_KNOCK_S = 0.005
_MOST_KNOCKS = 40.0
#: Who says nothing for so long takes the place of one who would.
_HELLO_S = 2.0
#: More consoles than a site has people; a runaway script must not take the owner's file handles.
_MOST_CLIENTS = 16
#: More than a socket holds for whoever has gone (212 kB); who still writes is not heard for ever.
_MOST_LAST_READS = 8
#: Receipts that a client leaves unread: some 100 of them; then it is no client any more.
_MOST_UNREAD = 1 << 20


class _Client:
    """One connection: its seat once it said hello, what it sent in part, what it has not read yet."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.cutter = wire.Cutter(wire.MAX_TO_OWNER)
        #: What was read and is not taken yet: a line that fails meanwhile takes none of it along.
        self.unheard: deque[bytes] = deque()
        self.out = bytearray()
        self.seat: Seat | None = None
        self.sent: Snapshot | None = None
        self.last_words = False
        self.bye = ""
        self.came_at_s = time.monotonic()
        self.pace, self.openings = Pace(self.came_at_s), Openings(self.came_at_s)


class SessionServer(threading.Thread):
    """Start, then ``stop``. The caller holds the owner's lock, so a socket file that is there already is a dead one's."""

    def __init__(
        self,
        folder: Path,
        desk: Desk,
        *,
        has_trainer: bool,
        waves: Callable[[], Future[Waves]] | None = None,
        identify: Callable[[socket.socket], Seat | None] = lambda line: peers.seat(*peers.credentials(line)),
    ) -> None:
        super().__init__(name="session server", daemon=True)
        self._folder, self._desk, self._has_trainer, self._identify = folder, desk, has_trainer, identify
        self._waves = waves
        #: Waveforms that were asked for: looked at each period, handed over when they are there.
        self._wanted: list[tuple[_Client, int, Future[Waves]]] = []
        #: What takes longer than a look: edits that the disk has not taken yet, a core that is to be given away.
        self._unanswered: list[tuple[_Client, Future[Receipt]]] = []
        self._clients: set[_Client] = set()
        self._ending = threading.Event()
        self._select = selectors.DefaultSelector()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        (folder / place.SOCKET).unlink(missing_ok=True)
        place.at_socket(folder, self._door.bind)
        self._bound = _identity(folder / place.SOCKET)
        # Everybody may knock; the kernel says who it is, and whoever may not come in hears why.
        os.chmod(folder / place.SOCKET, 0o666)
        self._door.listen(_MOST_CLIENTS)
        self._door.setblocking(False)
        self._select.register(self._door, selectors.EVENT_READ)
        self._door_open, self._knocks, self._minded_s = True, _MOST_KNOCKS, time.monotonic()
        #: Pictures are for eyes: what orders wake this thread for in between builds none.
        self._shows_at_s = self._minded_s

    def run(self) -> None:
        """Serve until stopped."""
        while not self._ending.is_set():
            self._mind_the_door()
            for key, mask in self._select.select(self._patience_s(time.monotonic())):
                if key.data is None:
                    self._knocks -= 1.0
                    self._accept()
                    continue
                client: _Client = key.data
                if mask & selectors.EVENT_READ:
                    self._hear(client)
                if mask & selectors.EVENT_WRITE and client in self._clients:
                    self._flush(client)
            self._hand_over_waves()
            self._answer()
            for client in tuple(self._clients):
                if client.seat is not None:
                    self._open(client, client.seat)
            now_s = time.monotonic()
            shows = now_s >= self._shows_at_s
            if shows:
                self._shows_at_s = now_s + _PERIOD_S
            for client in tuple(self._clients):
                if client.seat is None and now_s - client.came_at_s > _HELLO_S:
                    self._drop(client)
                if shows or client.sent is None:
                    self._show(client)
        self._answer()
        for client in tuple(self._clients):
            self._drop(client, "ended")
        self._select.close()
        # While the door is open nobody else's socket can have its number. An owner that is held up here for long finds
        # the next one's by that name, and would shut everybody out of it.
        if _identity(self._folder / place.SOCKET) == self._bound:
            (self._folder / place.SOCKET).unlink(missing_ok=True)
        self._door.close()

    def _patience_s(self, now_s: float) -> float:
        """Until the next picture or the next opening is due: a key that is held down wakes nobody in between."""
        waits = [self._shows_at_s - now_s]
        waits += (client.openings.due_in_s(now_s) for client in self._clients if client.openings)
        if not self._door_open:
            waits.append(_KNOCK_S)
        return max(0.0, min(waits))

    def _mind_the_door(self) -> None:
        """So many knocks a second and no more: a flood of connections took the processor from the polled devices, and
        a car that is not heard for a second costs the house its light."""
        now_s = time.monotonic()
        self._knocks = min(_MOST_KNOCKS, self._knocks + (now_s - self._minded_s) / _KNOCK_S)
        self._minded_s = now_s
        wanted = self._knocks >= 1.0
        if wanted and not self._door_open:
            self._select.register(self._door, selectors.EVENT_READ)
        elif not wanted and self._door_open:
            self._select.unregister(self._door)
        self._door_open = wanted

    def stop(self) -> None:
        """Hang up on everybody."""
        self._ending.set()

    def _accept(self) -> None:
        try:
            line, _ = self._door.accept()
        except OSError:
            return  # gone before it was let in
        line.setblocking(False)
        client = _Client(line)
        self._clients.add(client)
        self._select.register(line, selectors.EVENT_READ, client)
        if len(self._clients) > _MOST_CLIENTS:
            self._refuse(client, f"{_MOST_CLIENTS} consoles are attached already")

    def _hear(self, client: _Client) -> None:
        try:
            data = client.line.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        if client.last_words:
            return
        try:
            client.unheard += client.cutter.feed(data)
            while client.unheard:
                self._take(client, wire.read_to_owner(client.unheard.popleft()))
                if client.last_words or client not in self._clients:
                    return
        except wire.WireError as error:
            self._refuse(client, str(error))

    def _take(self, client: _Client, message: wire.ToOwner) -> None:
        if isinstance(message, wire.Hello):
            self._welcome(client, message)
        elif client.seat is None:
            self._refuse(client, "say hello first")
        elif isinstance(message, wire.Here):
            self._desk.here(client.seat, message.place)
        elif isinstance(message, wire.Bye):
            client.bye = message.how if message.how in ("left", "ended") else ""
        elif isinstance(message, wire.WantWaves):
            self._want_waves(client, message.number)
        elif _opens(message):
            client.openings.came(message)
            self._open(client, client.seat)
        elif not client.pace.may(time.monotonic()):
            receipt = too_many(message.order.nonce)
            self._desk.answered(client.seat, message.order, receipt)
            self._send(client, wire.Answer(receipt))
        elif message.order.do in (SAVE_CONFIG, HAND_OVER):
            self._begin(client, message)
        else:
            receipt = self._desk.order(client.seat, message.order, message.given_ns)
            self._send(client, wire.Answer(receipt))
            if message.order.do == STOP and receipt.accepted and self._desk.on_stop is not None:
                self._desk.on_stop()

    def _open(self, client: _Client, seat: Seat) -> None:
        """The first at once; what a stuck key or a script repeats goes on as one order a turn."""
        due = client.openings.due(time.monotonic())
        if not due:
            return
        own = self._give_one(seat, due)
        for nth, message in enumerate(due):
            receipt = own.get(nth) or msgspec.structs.replace(own[min(own)], nonce=message.order.nonce)
            self._send(client, wire.Answer(receipt))

    def _give_one(self, seat: Seat, due: Sequence[wire.Ask]) -> dict[int, Receipt]:
        """The youngest that is one: an older press that is sent again behind it must not refuse it."""
        own: dict[int, Receipt] = {}
        for nth in reversed(range(len(due))):
            own[nth] = self._desk.order(seat, due[nth].order, due[nth].given_ns)
            if own[nth].accepted:
                break
        return own

    def _begin(self, client: _Client, message: wire.Ask) -> None:
        """Answered once it is done: whoever asks for an opening meanwhile waits for nobody."""
        if client.seat is None:
            return
        if any(who is client for who, _ in self._unanswered):
            receipt = Receipt(message.order.nonce, accepted=False, reason="one change at a time")
            self._desk.answered(client.seat, message.order, receipt)
            self._send(client, wire.Answer(receipt))
        else:
            begin = self._desk.edit if message.order.do == SAVE_CONFIG else self._desk.hand_over
            self._unanswered.append((client, begin(client.seat, message.order, message.given_ns)))

    def _answer(self) -> None:
        for entry in tuple(self._unanswered):
            client, answer = entry
            if answer.done():
                self._unanswered.remove(entry)
                if client in self._clients:
                    self._send(client, wire.Answer(answer.result()))

    def _want_waves(self, client: _Client, number: int) -> None:
        if self._waves is None or any(who is client for who, _, _ in self._wanted):
            self._send(client, wire.HaveWaves(number, None, "one window at a time"))
            return
        self._wanted.append((client, number, self._waves()))

    def _hand_over_waves(self) -> None:
        for entry in tuple(self._wanted):
            client, number, wanted = entry
            if client not in self._clients:
                wanted.cancel()
            elif not wanted.done():
                continue
            elif (error := wanted.exception()) is not None:
                self._send(client, wire.HaveWaves(number, None, str(error)))
            else:
                self._send(client, wire.HaveWaves(number, wanted.result()))
            self._wanted.remove(entry)

    def _welcome(self, client: _Client, hello: wire.Hello) -> None:
        if hello.version != wire.VERSION:
            reason = f"the owner speaks version {wire.VERSION}, this console {hello.version}: restart the older one"
            self._refuse(client, reason)
            return
        seat = self._identify(client.line)
        if seat is None:
            self._refuse(client, "this user is in none of the groups v2h-watch, v2h-helm, v2h-install")
            return
        if client.seat is not None:
            self._refuse(client, "hello was said already")
            return
        role = WATCH if hello.watch else seat.role
        client.seat = replace(seat, role=role, screen=hello.screen)
        absence = self._desk.arrive(client.seat) if hello.screen else None
        self._send(client, wire.Welcome(role, self._has_trainer, seat.name, self._desk.run, absence))

    def _show(self, client: _Client) -> None:
        # Latest wins: a client that has not read the last picture is passed over, not queued for.
        if client.seat is None or client.out or client not in self._clients:
            return
        newest = self._desk.snapshot(client.seat)
        if newest is not client.sent:
            client.sent = newest
            self._send(client, wire.Picture(newest))

    def _refuse(self, client: _Client, reason: str) -> None:
        client.last_words = True
        self._send(client, wire.Refused(reason))

    def _send(self, client: _Client, message: wire.ToConsole) -> None:
        client.out += wire.frame(message)
        if len(client.out) > _MOST_UNREAD:
            self._drop(client)
        else:
            self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            while client.out:
                del client.out[: client.line.send(client.out)]
        except BlockingIOError:
            self._select.modify(client.line, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
            return
        except OSError:
            self._drop(client)
            return
        if client.last_words:
            self._drop(client)
        else:
            self._select.modify(client.line, selectors.EVENT_READ, client)

    def _hear_farewell(self, client: _Client, seat: Seat) -> None:
        """Writing to a line that was left fails before its last words are read: they may still be in it. Whoever pressed
        for an opening and lost the line has asked for it; of any other order nobody would see what came of it."""
        with suppress(OSError, wire.WireError):
            for _ in range(_MOST_LAST_READS):
                while client.unheard:
                    message = wire.read_to_owner(client.unheard.popleft())
                    if isinstance(message, wire.Bye):
                        self._take(client, message)
                    elif _opens(message) and not client.last_words:
                        client.openings.came(message)
                data = client.line.recv(1 << 16)
                if not data:
                    break
                client.unheard += client.cutter.feed(data)
        # Those that waited for their turn among them.
        self._give_one(seat, client.openings.rest())

    def _drop(self, client: _Client, how: str = "lost") -> None:
        if client not in self._clients:
            return
        self._clients.discard(client)
        if client.seat is not None:
            self._hear_farewell(client, client.seat)
            self._desk.leave(client.seat, client.bye or how)
        with suppress(KeyError, ValueError):
            self._select.unregister(client.line)
        client.line.close()


def _opens(message: wire.ToOwner) -> TypeGuard[wire.Ask]:
    return isinstance(message, wire.Ask) and message.order.do == OPEN_MID


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is there now; ``None``: none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
