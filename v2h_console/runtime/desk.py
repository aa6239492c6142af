"""The desk between people and the owner: who sits there, in what role, and who has the helm.

Opening the MID needs no helm and no role. Whatever else moves power needs the helm, which one seat has at a time
and which falls free when its holder goes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec

from v2h_console.runtime.attendance import Attendance
from v2h_console.session.absence import Absence
from v2h_console.session.orders import ORDER_LIFE_NS, SAVE_CONFIG, Order, Receipt
from v2h_console.session.snapshot import Snapshot

TAKE, PASS_ON, STOP, HAND_OVER = "helm.take", "helm.pass_on", "owner.stop", "owner.hand_over"
#: No order: the helm's holder went.
FELL_FREE = "helm.fell_free"
_NO_HELM = ("operator.open_mid", "operator.acknowledge")
WATCH, HELM, INSTALLER = "watch", "helm", "installer"
#: The last nonces: an order that comes again is refused whoever brings it.
NONCES_KEPT = 256
#: The same said again within this time is one event: a key that is held down must not push out what happened.
SAID_ONCE_NS = 1_000_000_000

#: Tells what a person did, as an event: code, severity, sentence.
Say = Callable[[str, str, str], None]

_SUBJECT_CELLS = 40
_ORDER_WORDS = {
    "operator.open_mid": "open the MID",
    "operator.island": "leave the grid by choice",
    "operator.close_mid": "close the MID",
    "operator.reset_lockout": "reset the lockout",
    "operator.set_discharge_limit": "limit the discharge",
    "operator.acknowledge": "acknowledge",
    "operator.load_on": "switch on",
    "operator.load_off": "switch off",
}


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """One console: who sits there and what this person may do. Two seats are never equal.

    ``person``: the user, the same on each of this person's consoles; ``screen``: somebody looks at it, it is no tool;
    ``uid``: the user's number, as the kernel says it.
    """

    name: str
    role: str
    person: str = ""
    screen: bool = False
    uid: int | None = None


class Desk:
    """May be called from any thread. ``now_ns`` is the monotonic clock that consoles stamp their orders with."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        order: Callable[[Order], Receipt],
        now_ns: Callable[[], int] = time.monotonic_ns,
        say: Say | None = None,
        attendance: Attendance | None = None,
        own_uid: int | None = None,
    ) -> None:
        """``own_uid``: the user that the owner runs as, where another one than this process's."""
        self._own_uid = os.geteuid() if own_uid is None else own_uid
        self._snapshot, self._order, self._now_ns, self._say_on = snapshot, order, now_ns, say
        self._attendance = attendance
        self._lock = threading.Lock()
        #: One at a time is asked to let go.
        self._giving = threading.Lock()
        self._holder: Seat | None = None
        self._screens: tuple[Seat, ...] = ()
        self._nonces: deque[str] = deque(maxlen=NONCES_KEPT)
        self._said = ("", 0)
        #: Tells this owner from the one before it.
        self.run = secrets.token_hex(8)
        #: What was shown of a picture, by helm: a screen gets the same object until there is a newer one.
        self._shown: dict[str, tuple[Snapshot, Snapshot, tuple[Seat, ...], Seat | None]] = {}
        #: Called once an orderly end was asked for; ``None`` refuses it.
        self.on_stop: Callable[[], None] | None = None
        #: Carries out an edit of the configuration; ``None`` refuses it.
        self.on_edit: Callable[[Order], Future[Receipt]] | None = None
        #: Hears each order with its answer, and a helm that falls free; must only queue.
        self.on_answer: Callable[[Seat, Order, Receipt], None] | None = None
        #: Gives the core to another owner whose memory has that shape; says why not. ``None`` refuses it.
        self.on_hand_over: Callable[[str], str] | None = None

    def arrive(self, seat: Seat, *, started: bool = False) -> Absence | None:
        """Somebody sits down at a screen; what this person missed. ``started``: the owner starts with this screen."""
        with self._lock:
            self._screens = (*self._screens, seat)
        if self._attendance is None:
            return None
        # What has happened up to now must have been told to the attendance.
        self._snapshot()
        return self._attendance.arrive(seat, started=started)

    def here(self, seat: Seat, place: str) -> None:
        """The person at this screen has pressed a key and stands at ``place``."""
        if self._attendance is not None:
            self._attendance.here(seat, place)

    def snapshot(self, seat: Seat) -> Snapshot:
        """The newest picture, with the helm as this seat sees it and who looks on."""
        with self._lock:
            holder, screens = self._holder, self._screens
        helm = "" if holder is None else "you" if holder is seat else "other"
        newest = self._snapshot()
        before = self._shown.get(helm)
        if before is None or before[0] is not newest or before[2] is not screens or before[3] is not holder:
            shown = msgspec.structs.replace(
                newest,
                helm=helm,
                helm_name="" if holder is None else holder.name,
                consoles=tuple(screen.name for screen in screens),
            )
            before = newest, shown, screens, holder
            self._shown[helm] = before
        return before[1]

    def leave(self, seat: Seat, how: str = "lost") -> None:
        """The seat is empty: lost, left or ended. The helm falls free if it was there."""
        with self._lock:
            held = self._holder is seat
            if held:
                self._holder = None
            if seat in self._screens:
                self._screens = tuple(one for one in self._screens if one is not seat)
        if held:
            self._say("HELM_FREE", "info", f"The helm fell free: {seat.name} went.")
            self.answered(seat, Order("", FELL_FREE), Receipt("", accepted=True))
        if self._attendance is not None and seat.screen:
            self._snapshot()
            self._attendance.leave(seat, how)

    def order(self, seat: Seat, order: Order, given_ns: int | None = None) -> Receipt:
        """Check age, nonce, role and helm, then hand on to the owner. What a person did is told with the name."""
        receipt = self._decide(seat, order, given_ns)
        self.answered(seat, order, receipt)
        return receipt

    def hand_over(self, seat: Seat, order: Order, given_ns: int | None = None) -> Future[Receipt]:
        """The same for an order to give the core away, which waits for a quiet step; the owner then ends."""
        answer: Future[Receipt] = Future()

        def give() -> None:
            with self._giving:
                receipt = self.order(seat, order, given_ns)
            if receipt.accepted and self.on_stop is not None:
                # At once: the house hangs on how soon this owner lets go, whoever still listens here.
                self.on_stop()
            answer.set_result(receipt)

        threading.Thread(target=give, name="hand-over", daemon=True).start()
        return answer

    def edit(self, seat: Seat, order: Order, given_ns: int | None = None) -> Future[Receipt]:
        """Check age and role of an edit of the configuration, then have it carried out: that takes a disk's time."""
        refusal = self._refusal(seat, order, self._now_ns() if given_ns is None else given_ns)
        if refusal or self.on_edit is None:
            answer: Future[Receipt] = Future()
            answer.set_result(Receipt(order.nonce, accepted=False, reason=refusal))
        else:
            answer = self.on_edit(order)
        answer.add_done_callback(lambda done: self._edited(seat, order, done.result()))
        return answer

    def _edited(self, seat: Seat, order: Order, receipt: Receipt) -> None:
        if receipt.accepted:
            file = str(order.params.get("file", ""))
            self._say("CONFIGURATION_SAVED", "info", f"{seat.name} changed {file}, from the next start on.")
        self.answered(seat, order, receipt)

    def answered(self, seat: Seat, order: Order, receipt: Receipt) -> None:
        """Whoever keeps account of orders hears of it; of a file's text, which may hold a password, the hash alone."""
        if order.do == SAVE_CONFIG:
            order = msgspec.structs.replace(order, params=_without_text(order))
        if self.on_answer is not None:
            self.on_answer(seat, order, receipt)

    def _decide(self, seat: Seat, order: Order, given_ns: int | None) -> Receipt:
        refusal = self._refusal(seat, order, self._now_ns() if given_ns is None else given_ns)
        if refusal:
            if order.do == STOP:
                self._say("OWNER_STOP_REFUSED", "info", f"{seat.name} asked the owner to end: {refusal}.")
            return Receipt(order.nonce, accepted=False, reason=refusal)
        if order.do in (TAKE, PASS_ON):
            return self._helm(seat, order)
        if order.do == STOP:
            self._say("OWNER_STOP_ASKED", "warning", f"{seat.name} asked the owner to end.")
            return Receipt(order.nonce, accepted=True)
        if order.do == HAND_OVER and self.on_hand_over is not None:
            self._say("HAND_OVER_ASKED", "warning", f"{seat.name} asked to go on in another process.")
            refusal = self.on_hand_over(str(order.params.get("shape", "")))
            return Receipt(order.nonce, accepted=not refusal, reason=refusal)
        receipt = self._order(order)
        if receipt.accepted:
            self._say(*_ordered(seat, order))
        return receipt

    def _say(self, code: str, severity: str, text: str) -> None:
        """Never under the lock: the owner has one of its own."""
        now_ns = self._now_ns()
        with self._lock:
            before, at_ns = self._said
            if before == text and now_ns - at_ns < SAID_ONCE_NS:
                return
            self._said = text, now_ns
        if self._say_on is not None:
            self._say_on(code, severity, text)

    def _refusal(self, seat: Seat, order: Order, given_ns: int) -> str:
        age_ns = self._now_ns() - given_ns
        if not 0 <= age_ns <= ORDER_LIFE_NS:
            return "this order came too late and was dropped; give it again"
        with self._lock:
            if order.nonce in self._nonces:
                return "this order was given already"
            self._nonces.append(order.nonce)
        if order.do == "operator.open_mid":
            return ""
        if seat.role == WATCH:
            return "this console only watches; opening the MID is all it can ask for"
        if order.do in (STOP, HAND_OVER):
            if seat.role != INSTALLER:
                return "only an installer ends the owner"
            if order.do == HAND_OVER and seat.uid not in (0, self._own_uid):
                # What is handed over is for the owner's user alone: nobody else could read it, and the house went dark.
                return "only the owner's own user, or root, takes the house over"
            if not order.confirmed:
                return "ending the owner needs to be confirmed"
            return "" if self.on_stop is not None else "this owner ends with its own screen"
        if order.do == SAVE_CONFIG:
            if seat.role != INSTALLER:
                return "only an installer changes the configuration"
            return "" if self.on_edit is not None else "this owner has no configuration to change"
        if order.do in (TAKE, PASS_ON, *_NO_HELM):
            return ""
        with self._lock:
            holder = self._holder
        if holder is seat:
            return ""
        return (
            "this needs the helm: t takes it"
            if holder is None
            else f"{holder.name} has the helm: t there passes it on"
        )

    def _own_deserted(self, seat: Seat, holder: Seat) -> bool:
        """A line that died without a word keeps its screen, and the helm, for many minutes: its person may have it back."""
        same = seat.screen and holder.screen and bool(seat.person) and seat.person == holder.person
        return same and self._attendance is not None and self._attendance.deserted(holder)

    def _helm(self, seat: Seat, order: Order) -> Receipt:
        takes = order.do == TAKE
        with self._lock:
            holder = self._holder
            if holder is not None and holder is not seat and not (takes and self._own_deserted(seat, holder)):
                reason = (
                    f"{holder.name} has the helm until it is passed on there with t, or that console goes"
                )
                if seat.person and seat.person == holder.person:
                    reason += "; that one is your own: after a minute without a key there, t on another console of yours takes it"
                return Receipt(order.nonce, accepted=False, reason=reason)
            self._holder = seat if takes else None
        if takes and holder is None:
            self._say("HELM_TAKEN", "info", f"{seat.name} took the helm.")
        elif takes and holder is not None and holder is not seat:
            text = (
                f"{seat.name} took the helm from {holder.name}: the same person, no key there for a minute."
            )
            self._say("HELM_TAKEN", "info", text)
        elif not takes and holder is seat:
            self._say("HELM_PASSED_ON", "info", f"{seat.name} passed the helm on: it is free.")
        return Receipt(order.nonce, accepted=True)


def _ordered(seat: Seat, order: Order) -> tuple[str, str, str]:
    """An order that was taken, as an event."""
    subject = str(order.params.get("load", order.params.get("code", "")))[:_SUBJECT_CELLS]
    if not order.do.startswith("operator."):
        return "TRAINER_ORDER", "info", f"{seat.name}, trainer: {order.do} {subject}".rstrip() + "."
    words = _ORDER_WORDS.get(order.do, order.do)
    if order.do == "operator.set_discharge_limit":
        subject = f"to {order.params.get('kw')} kW"
    elif order.do == "operator.acknowledge" and not subject:
        subject = "all alarms"
    return "ORDER_TAKEN", "info", f"{seat.name}: {words} {subject}".rstrip() + "."


def _without_text(order: Order) -> dict[str, float | str | bool]:
    """An edit's parameters as the audit keeps them: the text by its hash."""
    text = str(order.params.get("text", ""))
    return {**order.params, "text": f"sha256 {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"}
