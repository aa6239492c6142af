"""MQTT out: state, events, availability, discovery. Nothing is subscribed to, so nothing can be commanded in.

``<prefix>/<site>/state`` retained, every second; ``.../event`` one message an event;
``.../availability`` retained, "offline" at an orderly end, where the broker confirms no more, and else by its last will. A broker that is down, slow or flooding costs
nothing but its own messages: what waits is bounded, and the oldest event is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import msgspec

from v2h_console.outlets import document, home_assistant
from v2h_console.outlets.health import OutletHealth
from v2h_console.session.snapshot import EventView, Snapshot
from v2h_console.site import broker
from v2h_console.site.errors import ConfigError

PUBLISH_S = 1.0
#: Events kept while the broker is away.
EVENTS_KEPT = 500
CONNECT_S = 10.0
PUBLISH_TIMEOUT_S = 5.0
KEEPALIVE_S = 15
#: An owner's end waits for its outlets for two seconds; a broker that does not answer has no more of them than this.
LEAVE_S = 1.0
#: Nothing is asked for, so whatever a broker sends is dropped, and nothing is said of it on the terminal.
_SILENT = logging.Logger("v2h-mqtt")
_SILENT.addHandler(logging.NullHandler())
#: Waits between tries; the last one repeats.
RETRY_S = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class MqttTarget:
    """The broker. ``password_file`` holds the password alone, readable by the owner only; over ``tls`` the broker has to
    prove its name by a certificate of ``ca_file``, or of the machine's authorities where none is given."""

    host: str
    port: int
    username: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    topic_prefix: str = "v2h"
    discovery_prefix: str = "homeassistant"


class MqttOutlet:
    """Publishes what ``watch`` gives."""

    def __init__(self, target: MqttTarget, watch: Callable[[], Snapshot]) -> None:
        self._target = target
        self._watch = watch
        #: Events that the broker has not confirmed yet.
        self.waiting: deque[EventView] = deque(maxlen=EVENTS_KEPT)
        self._last_event = 0
        self._first_look = True
        self.dropped_events = 0
        self.health = OutletHealth("MQTT", f"{target.host}:{target.port}{' TLS' if target.tls else ''}")

    async def run(self) -> None:
        """Connect, publish, connect again, until cancelled."""
        tries = 0
        while True:
            _heed_cancellation()
            connected = False
            try:
                async with self._client() as client:
                    tries, connected = 0, True
                    try:
                        await self._publish_all(client)
                    except (aiomqtt.MqttError, OSError, TimeoutError, asyncio.CancelledError):
                        # What ends here the client ends in order, and the last will with it.
                        await self._leave(client)
                        _heed_cancellation()
                        raise
            except ConfigError as error:
                self.health.failing(str(error))
            except (aiomqtt.MqttError, OSError, TimeoutError) as error:
                self.health.failing(_words(error) if connected else self._why_not(error))
            wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
            tries += 1
            ends_s = asyncio.get_running_loop().time() + wait_s
            while (left_s := ends_s - asyncio.get_running_loop().time()) > 0:
                self._take_events(self._watch())
                await asyncio.sleep(min(PUBLISH_S, left_s))

    def _client(self) -> aiomqtt.Client:
        target = self._target
        # Read at each try: a file that was corrected counts at once.
        password = broker.password(target.password_file, target.username)
        context = broker.trust(tls=target.tls, ca_file=target.ca_file)
        base = self._base(self._watch())
        return aiomqtt.Client(
            target.host,
            target.port,
            username=target.username or None,
            password=password,
            tls_context=context,
            will=aiomqtt.Will(f"{base}/availability", b"offline", qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_S,
            max_queued_outgoing_messages=EVENTS_KEPT,
            max_queued_incoming_messages=1,
            logger=_SILENT,
        )

    def _why_not(self, error: BaseException) -> str:
        # aiomqtt keeps the words of what it met alone; the error itself is still behind it.
        met = error if isinstance(error, OSError) else error.__context__
        if not isinstance(met, OSError) and "timed out" in str(error):
            met = TimeoutError()
        if not isinstance(met, OSError):
            return _words(error)
        target = self._target
        place = f"{target.host}:{target.port}"
        return broker.why_not(met, place, target.host, target.ca_file, tls=target.tls)

    def _base(self, snapshot: Snapshot) -> str:
        return f"{self._target.topic_prefix}/{home_assistant.node_id(snapshot.site)}"

    async def _publish_all(self, client: aiomqtt.Client) -> None:
        snapshot = self._watch()
        base = self._base(snapshot)
        state, availability = f"{base}/state", f"{base}/availability"
        node = home_assistant.node_id(snapshot.site)
        site = document.plain(snapshot.site)
        for topic, payload in home_assistant.configurations(
            self._target.discovery_prefix, node, site, state, availability
        ).items():
            await _publish(client, topic, payload, retain=True)
        await _publish(client, availability, b"online", retain=True)
        self.health.ok()
        while True:
            snapshot = self._watch()
            self._take_events(snapshot)
            await _publish(client, state, document.encoded(snapshot), retain=True)
            while self.waiting:
                await _publish(client, f"{base}/event", _event(self.waiting[0]), retain=False)
                self.waiting.popleft()
            await asyncio.sleep(PUBLISH_S)

    async def _leave(self, client: aiomqtt.Client) -> None:
        """A client that takes its leave has no last will: whoever reads would take the last picture for the present one."""
        availability = f"{self._base(self._watch())}/availability"
        with suppress(aiomqtt.MqttError, OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await client.publish(availability, b"offline", qos=1, retain=True)

    def _take_events(self, snapshot: Snapshot) -> None:
        for event in snapshot.events:
            if event.sequence <= self._last_event:
                continue
            self._last_event = event.sequence
            if self._first_look:
                continue
            if len(self.waiting) == EVENTS_KEPT:
                self.dropped_events += 1
            self.waiting.append(event)
        # What happened before this owner's outlets existed is history, not news.
        self._first_look = False


async def _publish(client: aiomqtt.Client, topic: str, payload: bytes, *, retain: bool) -> None:
    await client.publish(topic, payload, qos=1, retain=retain, timeout=PUBLISH_TIMEOUT_S)
    _heed_cancellation()


def _heed_cancellation() -> None:
    """``asyncio.wait_for`` of Python 3.11, which the client waits with, forgets a cancellation that comes together with
    its result: the outlet would go on, and whoever ends it wait for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _event(event: EventView) -> bytes:
    return msgspec.json.encode(
        {
            "at": document.iso(event.wall_s),
            "code": event.code,
            "severity": event.severity,
            "text": document.plain(event.text),
        }
    )


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
