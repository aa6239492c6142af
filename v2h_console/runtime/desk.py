"""The desk between people and the owner: who sits there, in what role, and who has the helm.

Opening the MID needs no helm and no role. Whatever else moves power needs the helm, which one seat has at a time
and which falls free when its holder goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from v2h_console.session.orders import ORDER_LIFE_NS, Order, Receipt
from v2h_console.session.snapshot import Snapshot

TAKE, PASS_ON, STOP = "helm.take", "helm.pass_on", "owner.stop"
_NO_HELM = ("operator.open_mid", "operator.acknowledge")
WATCH, HELM, INSTALLER = "watch", "helm", "installer"


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """One console: who sits there and what this person may do. Two seats are never equal."""

    name: str
    role: str


class Desk:
    """May be called from any thread. ``now_ns`` is the monotonic clock that consoles stamp their orders with."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        order: Callable[[Order], Receipt],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._snapshot, self._order, self._now_ns = snapshot, order, now_ns
        self._lock = threading.Lock()
        self._holder: Seat | None = None
        #: What was shown of a picture, by helm: a screen gets the same object until there is a newer one.
        self._shown: dict[str, tuple[Snapshot, Snapshot]] = {}
        #: Called once an orderly end was asked for; ``None`` refuses it.
        self.on_stop: Callable[[], None] | None = None

    def snapshot(self, seat: Seat) -> Snapshot:
        """The newest picture, with the helm as this seat sees it."""
        with self._lock:
            holder = self._holder
        helm = "" if holder is None else "you" if holder is seat else "other"
        newest = self._snapshot()
        before = self._shown.get(helm)
        if before is None or before[0] is not newest:
            before = newest, msgspec.structs.replace(newest, helm=helm)
            self._shown[helm] = before
        return before[1]

    def leave(self, seat: Seat) -> None:
        """The seat is empty; the helm falls free if it was there."""
        with self._lock:
            if self._holder is seat:
                self._holder = None

    def order(self, seat: Seat, order: Order, given_ns: int | None = None) -> Receipt:
        """Check age, role and helm, then hand on to the owner."""
        refusal = self._refusal(seat, order, self._now_ns() if given_ns is None else given_ns)
        if refusal:
            return Receipt(order.nonce, accepted=False, reason=refusal)
        if order.do in (TAKE, PASS_ON):
            return self._helm(seat, order)
        if order.do == STOP:
            return Receipt(order.nonce, accepted=True)
        return self._order(order)

    def _refusal(self, seat: Seat, order: Order, given_ns: int) -> str:
        age_ns = self._now_ns() - given_ns
        if not 0 <= age_ns <= ORDER_LIFE_NS:
            return "this order came too late and was dropped; give it again"
        if order.do == "operator.open_mid":
            return ""
        if seat.role == WATCH:
            return "this console only watches; opening the MID is all it can ask for"
        if order.do == STOP:
            if seat.role != INSTALLER:
                return "only an installer ends the owner"
            if not order.confirmed:
                return "ending the owner needs to be confirmed"
            return "" if self.on_stop is not None else "this owner ends with its own screen"
        if order.do in (TAKE, PASS_ON, *_NO_HELM):
            return ""
        with self._lock:
            holder = self._holder
        if holder is seat:
            return ""
        return "this needs the helm: t takes it" if holder is None else f"{holder.name} has the helm"

    def _helm(self, seat: Seat, order: Order) -> Receipt:
        with self._lock:
            holder = self._holder
            if holder is not None and holder is not seat:
                reason = (
                    f"{holder.name} has the helm until it is passed on there with t, or that console goes"
                )
                return Receipt(order.nonce, accepted=False, reason=reason)
            self._holder = seat if order.do == TAKE else None
        return Receipt(order.nonce, accepted=True)
