"""Port 8080: ``/state``, ``/metrics``, ``/healthz``. Read-only: every other method and path is refused.

h11 speaks HTTP, asyncio carries it. What a stranger may cost is bounded: connections, bytes of a request, seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11
import msgspec

from v2h_console.outlets import document, metrics
from v2h_console.outlets.health import OutletHealth
from v2h_console.session.snapshot import Snapshot

#: A scraper or two and a few browsers; the rest is turned away at once.
MAX_CONNECTIONS = 16
#: A GET with a browser's headers takes 1-2 kB.
MAX_REQUEST_BYTES = 8 * 1024
READ_BYTES = 4096
REQUEST_S = 5.0
#: A picture older than this is not alive: the owner publishes every few milliseconds.
FRESH_MS = 1_000.0
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    content_type: str
    body: bytes


def answer(method: str, target: str, snapshot: Snapshot, stale_ms: float) -> Answer:
    """What a request gets, from the newest picture and its age."""
    path = target.partition("?")[0]
    known: dict[str, Callable[[Snapshot, float], Answer]] = {
        "/state": _state,
        "/metrics": _metrics,
        "/healthz": _healthz,
    }
    if path not in known:
        return _refusal(404, f"no such path; there are {', '.join(known)}")
    if method not in ("GET", "HEAD"):
        return _refusal(405, "read-only: only GET and HEAD")
    return known[path](snapshot, stale_ms)


def _state(snapshot: Snapshot, _stale_ms: float) -> Answer:
    return Answer(200, JSON, document.encoded(snapshot) + b"\n")


def _metrics(snapshot: Snapshot, _stale_ms: float) -> Answer:
    return Answer(200, metrics.CONTENT_TYPE, metrics.exposition(snapshot))


def _healthz(snapshot: Snapshot, stale_ms: float) -> Answer:
    if not snapshot.owner_ready:
        reason = "the core has not made its first step"
    elif stale_ms > FRESH_MS:
        reason = f"the core has been silent for {stale_ms / 1000:.1f} s"
    else:
        return Answer(200, JSON, msgspec.json.encode({"ok": True, "mode": snapshot.mode}) + b"\n")
    return Answer(503, JSON, msgspec.json.encode({"ok": False, "reason": reason}) + b"\n")


def _refusal(status: int, reason: str) -> Answer:
    return Answer(status, JSON, msgspec.json.encode({"error": reason}) + b"\n")


class HttpOutlet:
    """``watch`` gives the newest Snapshot, ``age_ms`` how long ago the core made it."""

    def __init__(
        self, address: str, port: int, watch: Callable[[], Snapshot], age_ms: Callable[[], float]
    ) -> None:
        self._address, self._port = address, port
        self._watch, self._age_ms = watch, age_ms
        #: Connections held now.
        self.clients = 0
        self.health = OutletHealth("HTTP", f"{address}:{port}")
        #: The port that was given, once it listens (0 asks for any).
        self.listening: int | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises OSError when the port cannot be had."""
        server = await asyncio.start_server(self._serve, self._address, self._port, limit=MAX_REQUEST_BYTES)
        self.listening = int(server.sockets[0].getsockname()[1])
        self.health.address = f"{self._address}:{self.listening}"
        self.health.ok()
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients += 1
        try:
            if self.clients <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_S):
                    await self._exchange(reader, writer)
        except (TimeoutError, ConnectionError) as error:
            self.health.reason = f"last client: {type(error).__name__}"
        except asyncio.CancelledError:
            # The outlet ends. asyncio's own callback would print a cancelled handler's traceback on the terminal.
            return
        finally:
            self.clients -= 1
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST_BYTES)
        try:
            request = await _request(connection, reader)
        except h11.RemoteProtocolError as error:
            if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                _respond(
                    connection, writer, _refusal(error.error_status_hint, "not HTTP as it should be"), "GET"
                )
                await writer.drain()
            return
        if request is None:
            return
        method, target = request.method.decode("ascii"), request.target.decode("latin-1")
        _respond(connection, writer, answer(method, target, self._watch(), self._age_ms()), method)
        await writer.drain()


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(READ_BYTES)
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            return event
        else:
            return None


def _respond(connection: h11.Connection, writer: asyncio.StreamWriter, given: Answer, method: str) -> None:
    headers = [
        ("Content-Type", given.content_type),
        ("Content-Length", str(len(given.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    if given.status == 405:
        headers.append(("Allow", "GET, HEAD"))
    parts = [connection.send(_head(given.status, headers))]
    if method != "HEAD":
        parts.append(connection.send(h11.Data(data=given.body)))
    parts.append(connection.send(h11.EndOfMessage()))
    writer.write(b"".join(part for part in parts if part))


def _head(status: int, headers: list[tuple[str, str]]) -> h11.Response:
    return h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode("ascii"))
