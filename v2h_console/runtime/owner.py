"""The owner: whoever runs the core holds the hardware. Lanes, latch and the picture for the screens, in one place.

It decides about orders (authority, confirmation, age) and nothing else: what an order does is the core's matter.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from v2h_console.core.events import Event, Severity
from v2h_console.core.observation import CoreOrder, Observation, OrderKind
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step
from v2h_console.core.storage import LATCH
from v2h_console.runtime import core_stopped, hand_over, snapshots
from v2h_console.runtime.audit import AuditWriter
from v2h_console.runtime.fast_lane import FastLane, Inbox
from v2h_console.runtime.latch_file import LatchWriter, find_latch
from v2h_console.runtime.recorder import IncidentWriter, Ring
from v2h_console.runtime.relays import Relays
from v2h_console.runtime.relays import refusal as relay_refusal
from v2h_console.runtime.slow_lane import SlowLane
from v2h_console.runtime.what_if_lines import WhatIfLines
from v2h_console.session.local import LocalSession
from v2h_console.session.orders import ORDER_LIFE_NS, TRAINER_PREFIXES, Order, Receipt
from v2h_console.session.snapshot import EventView, LaneView, OutletView, Snapshot
from v2h_console.session.waves import NoWaves, Waves
from v2h_drivers.can.bus import Bus
from v2h_drivers.capabilities.devices import FastDevice, Reading, SlowDevice
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import SolarPermitRequest, WaveCapture
from v2h_drivers.capabilities.slow_readings import StorageState

#: A picture that was made within this time of a change may not show it yet: a step, and the look at it.
SHOWN_NS = 20_000_000
#: What a screen can scroll back through; the recorder keeps the rest.
EVENTS_KEPT = 200

Trainer = Callable[[str, dict[str, float | str | bool]], None]


class Owner:
    """Start, watch, order, stop. All methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        link: FastDevice,
        build_slow: Callable[[Callable[[Reading], None]], Sequence[SlowDevice]],
        latch_path: Path,
        *,
        trainer: Trainer | None = None,
        incidents: Path | None = None,
        audit: AuditWriter | None = None,
        helm: str = "",
        twin: bool = False,
        latch_aside: Path | None = None,
        relays: Relays | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._clock_ns = clock_ns
        self._relays = relays
        self._bus = bus
        self._trainer = trainer
        #: The devices are simulated: every picture and record says so.
        self._twin = twin or trainer is not None
        self._helm = helm
        self._what_if = WhatIfLines()
        self._inbox = Inbox()
        found, self._unwritten = find_latch(latch_path, latch_aside)
        self._inbox.receipts.append(found)
        self._latch = LatchWriter(
            latch_path,
            self._inbox.receipts,
            aside=latch_aside,
            failed=lambda failure: self.report_storage(LATCH, failure),
        )
        self._slow = SlowLane(lambda: build_slow(self._inbox.readings.append))
        self.incidents = (
            None
            if incidents is None
            else IncidentWriter(
                incidents, settings, failed=lambda failure: self.report_storage("incidents", failure)
            )
        )
        self._ring = None if self.incidents is None else Ring(settings, self.incidents.submit)
        #: Started by whoever holds the owner's lock: one writer a chain.
        self.audit = audit
        if audit is not None:
            audit.failed = lambda failure: self.report_storage("audit", failure)
        self.lane = FastLane(
            settings,
            bus,
            link,
            self._inbox,
            slow_request=self._slow.submit,
            slow_busy=self._slow.busy,
            persist=self._latch.submit,
            recorded=self._recorded,
        )
        #: The last time that the MID was told to stay open, and that something was locked out; never before this start.
        self._held_ns = self._locked_ns = clock_ns()
        self._lock = threading.Lock()
        self._events: deque[EventView] = deque(maxlen=EVENTS_KEPT)
        self._event_count = 0
        self._sequence = 0
        self._seen_nonces: deque[str] = deque(maxlen=256)
        self._newest = Snapshot()
        self._newest_from: int = -1
        #: Since when the core makes no step, on the wall clock; ``None`` while it does.
        self._stopped_wall_s: float | None = None
        #: How the ways out for other tools are doing; whoever starts them says so here.
        self.outlets: Callable[[], tuple[OutletView, ...]] = tuple
        #: Called with each event, under the lock: it must only take note.
        self.on_event: Callable[[EventView], None] | None = None

    def start(self) -> None:
        """Start every thread; the first picture is there at once, unknown."""
        if self._unwritten is not None:
            self._latch.submit(self._unwritten)
        self.start_core()
        self.start_polling()

    def take_up(self, state: State, *, roof: bool = False) -> None:
        """Go on from another owner's core. The lane first: every millisecond until then is one without a command.

        ``roof``: this site has one. One that has been told to leave is told again: it may be another one. That it may come back
        is said once, by whoever found that it may: nobody enables what was switched off for a reason of its own.
        """
        # What stood on the disk before is older than what this core has written: it says nothing, and is written nowhere.
        self._inbox.receipts.clear()
        # What its storage refused is that process's; this one says anew what is refused here.
        self.lane.take_up(replace(state, senses=replace(state.senses, storage=())))
        self.start_core()
        if roof and not state.solar_permitted:
            self._slow.submit(SolarPermitRequest(False))

    def start_core(self) -> None:
        """Start everything but the polling."""
        self.lane.start()
        self._latch.start()
        if self.incidents is not None:
            self.incidents.start()

    def start_polling(self) -> None:
        """Start the slow lane, once nobody else polls these devices."""
        self._slow.start()

    def hand_over(self, folder: Path, wanted: str) -> str:
        """Give the core to another owner whose memory has the shape ``wanted``; why not, or "" once it is given."""
        if wanted != hand_over.shape(self._settings):
            return "the new owner has another version or another house: stop this one and start anew"

        if self._latch.failure:
            # The record that waits for the disk is in this process's memory alone.
            return f"the latch cannot be written: {self._latch.failure}"

        def give(state: State, counters: dict[str, int]) -> None:
            rules = hand_over.rules(self._settings)
            hand_over.write(folder, hand_over.HandOver(wanted, counters, state, rules))

        return self.lane.hand_over(hand_over.Yielding(give))

    def stop(self) -> None:
        """End orderly. The heartbeat stops, so the controller opens the MID by itself."""
        self.let_go()
        self.end_records()

    def let_go(self) -> None:
        """Of the house: nothing here commands, polls or keeps the latch any more."""
        self.lane.stop()
        self.lane.join(2.0)
        if self._slow.ident is not None:
            self._slow.stop()
            self._slow.join(2.0)
        self._latch.stop()
        self._latch.join(2.0)
        self._bus.shutdown()

    def end_records(self) -> None:
        """What happened last is written, as far as the disk takes it."""
        if self._ring is not None and not self.lane.is_alive():
            if self.lane.failure is not None:
                self._ring.died(self.lane.stepping)
            else:
                self._ring.end()
        if self.incidents is not None:
            self.incidents.stop()
            self.incidents.join(2.0)

    def session(self) -> LocalSession:
        """A session for a screen in this process."""
        return LocalSession(
            self.snapshot, self.order, has_trainer=self._trainer is not None, waves=self.waves
        )

    def age_ms(self) -> float:
        """How long ago the core made its last step."""
        return (self._clock_ns() - self.lane.published_ns) / 1e6

    def snapshot(self) -> Snapshot:
        """The picture of the newest state; built once a state, by whoever asks first."""
        with self._lock:
            lane = self.lane
            published_ns = lane.published_ns
            now_ns = self._clock_ns()
            stopped = self._why_stopped(now_ns - published_ns)
            if not stopped and published_ns == self._newest_from and lane.is_alive():
                return self._newest
            wall_s = time.time()
            self._take_events(now_ns, wall_s)
            self._tell_stop(stopped, now_ns - published_ns, wall_s)
            self._sequence += 1
            around = snapshots.Surroundings(
                self._sequence,
                now_ns,
                wall_s,
                self._twin,
                self._helm,
                self._lane_view(),
                tuple(self._events),
                self.outlets(),
                self._what_if.lines,
            )
            if self._stopped_wall_s is None:
                self._newest = snapshots.build(self._settings, lane.published, around)
            else:
                since_wall_s = self._stopped_wall_s
                self._newest = core_stopped.blank(
                    self._settings, lane.published, stopped, around, since_wall_s
                )
            self._newest_from = published_ns
            return self._newest

    def _why_stopped(self, silent_ns: int) -> str:
        """Why nothing is known though the owner lives; "" = the core runs, or has not begun, or ended as it was told."""
        lane = self.lane
        return core_stopped.words(lane.failure, silent_ns if lane.is_alive() else 0)

    def _tell_stop(self, stopped: str, silent_ns: int, wall_s: float) -> None:
        """Under the lock: once when the core stops, and once if it goes on."""
        if stopped and self._stopped_wall_s is None:
            self._stopped_wall_s = wall_s - silent_ns / 1e9
            self._keep(core_stopped.CODE, "lockout", stopped, wall_s)
        elif not stopped and self._stopped_wall_s is not None:
            text = f"The control core goes on after {wall_s - self._stopped_wall_s:.1f} s without a step."
            self._stopped_wall_s = None
            self._keep("CORE_GOES_ON", "alarm", text, wall_s)

    def say(self, code: str, severity: str, text: str) -> None:
        """An event that is not the core's: what a person did."""
        with self._lock:
            now_ns, wall_s = self._clock_ns(), time.time()
            self._take_events(now_ns, wall_s)
            self._keep(code, severity, text, wall_s)
            self._newest_from = -1

    def report_storage(self, part: str, failure: str) -> None:
        """A part of the storage fails, or does again ("")."""
        self._inbox.readings.append(StorageState(self._clock_ns(), Quality.GOOD, part, failure))

    def waves(self) -> Future[Waves]:
        """A window of waveforms from the controller; the future holds it, or NoWaves. One at a time, in turn."""
        wanted: Future[Waves] = Future()
        if not self.lane.is_alive():
            wanted.set_exception(NoWaves("the control core has stopped"))
            return wanted
        self._inbox.captures.append(
            lambda captured: _hand_over(wanted, captured), lambda: not wanted.cancelled()
        )
        return wanted

    def order(self, order: Order) -> Receipt:
        """Check authority and confirmation, then queue for the core, or for the twin."""
        with self._lock:
            if order.nonce in self._seen_nonces:
                return Receipt(order.nonce, accepted=False, reason="this order was given already")
            self._seen_nonces.append(order.nonce)
        if order.do.startswith(TRAINER_PREFIXES):
            return self._train(order)
        try:
            kind = OrderKind(order.do)
        except ValueError:
            return Receipt(order.nonce, accepted=False, reason=f"no such order: {order.do[:40]}")
        refusal = self._refusal(kind, order)
        name = str(order.params.get("load", order.params.get("code", "")))
        # Checked above for this kind alone: on any other, "kw" may be anything.
        limited = kind is OrderKind.SET_DISCHARGE_LIMIT
        value_w = float(order.params["kw"]) * 1000.0 if limited and not refusal else 0.0
        expires_at_ns = self._clock_ns() + ORDER_LIFE_NS
        refusal = refusal or self._put(CoreOrder(kind, order.nonce, expires_at_ns, name, value_w))
        return Receipt(order.nonce, accepted=not refusal, reason=refusal)

    def _put(self, order: CoreOrder) -> str:
        """Into the core's inbox, while there is a core that will look into it; why not, "" = done."""
        with self._inbox.gate:
            if self.lane.handed_over:
                return "another owner has the house since a moment ago: give the order there"
            if not self.lane.is_alive():
                return "the control core has stopped; start the owner anew"
            self._inbox.orders.append(order)
            if order.kind in (OrderKind.OPEN_MID, OrderKind.ISLAND):
                self._held_ns = self._clock_ns()
        return ""

    def _refusal(self, kind: OrderKind, order: Order) -> str:
        if kind in (OrderKind.CLOSE_MID, OrderKind.RESET_LOCKOUT) and not order.confirmed:
            return "this needs a typed confirmation"
        if order.seen_ns and order.seen_ns < self._changed_ns() + SHOWN_NS:
            return "something has changed since you were asked: look again"
        if kind is OrderKind.SET_DISCHARGE_LIMIT:
            kw = order.params.get("kw")
            rated_kw = self._settings.inverter.rated_w / 1000.0
            if isinstance(kw, bool) or not isinstance(kw, int | float) or not 0.0 <= kw <= rated_kw:
                return f"the limit must be 0 to {rated_kw:g} kW"
        if kind in (OrderKind.LOAD_ON, OrderKind.LOAD_OFF):
            known = [circuit.id for circuit in self._settings.loads.circuits]
            if order.params.get("load") not in known:
                return f"no such circuit; there are {', '.join(known)}"
            circuit = known.index(str(order.params["load"]))
            return relay_refusal(self._relays, circuit, self.lane.published, self._clock_ns())
        return ""

    def _changed_ns(self) -> int:
        """When what a confirmation releases came about: the youngest hold or lockout."""
        alarms = self.lane.published.alarms
        stood = (alarm.since_ns for alarm in alarms if alarm.severity is Severity.LOCKOUT)
        return max(self._held_ns, self._locked_ns, *stood)

    def _train(self, order: Order) -> Receipt:
        if self._trainer is None:
            return Receipt(order.nonce, accepted=False, reason="no twin here: these are real devices")
        # An owner of real devices never loads the twin's words.
        from v2h_console.runtime import training

        if refusal := training.refusal(order.do, order.params):
            return Receipt(order.nonce, accepted=False, reason=refusal)
        try:
            self._trainer(order.do, dict(order.params))
        except OSError as error:
            return Receipt(
                order.nonce, accepted=False, reason=f"the twin has gone: {error.strerror or error}"
            )
        return Receipt(order.nonce, accepted=True)

    def _recorded(self, before: State, observation: Observation, now_ns: int, result: Step) -> None:
        """From the lane, after each step: only queues."""
        if any(event.severity is Severity.LOCKOUT for event in result.events):
            self._locked_ns = now_ns
        if self._ring is not None:
            self._ring.took(before, observation, now_ns, result)
        if self.audit is not None and result.events:
            self.audit.saw(result.events)

    def _take_events(self, now_ns: int, wall_s: float) -> None:
        queue: deque[Event] = self.lane.events
        while queue:
            event = queue.popleft()
            at_wall_s = wall_s - (now_ns - event.at_ns) / 1e9
            self._keep(event.code, event.severity.value, event.text, at_wall_s)

    def _keep(self, code: str, severity: str, text: str, wall_s: float) -> None:
        """Under the lock."""
        self._event_count += 1
        event = EventView(self._event_count, wall_s, code, severity, text)
        self._events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def _lane_view(self) -> LaneView:
        lateness = self.lane.lateness
        return LaneView(
            steps=lateness.ticks,
            lateness_p99_ms=lateness.percentile_ms(0.99),
            lateness_max_ms=lateness.max_ns / 1e6,
            missed=lateness.missed,
            step_mean_us=lateness.step_mean_us,
            step_max_us=lateness.step_max_ns / 1000,
            gc_pause_max_ms=self.lane.garbage.pause_max_ns / 1e6,
            frames_dropped=self.lane.send_failures,
        )


def _hand_over(wanted: Future[Waves], captured: WaveCapture | str) -> None:
    """Called by the lane: what it captured goes to whoever asked."""
    if not wanted.set_running_or_notify_cancel():
        return
    if isinstance(captured, str):
        wanted.set_exception(NoWaves(captured))
        return
    wanted.set_result(
        Waves(
            captured.rate_hz,
            captured.grid_l1_v,
            captured.grid_l2_v,
            captured.house_l1_v,
            captured.house_l2_v,
        )
    )
