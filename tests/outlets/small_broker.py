"""As much of MQTT 3.1.1 as an outlet speaks, in the test's own loop: it needs no broker to be installed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14


class SmallBroker:
    """``heard``: (topic, payload) as they came, and ("", b"DISCONNECT"); ``retained`` by topic. ``deaf``: takes and
    confirms nothing more; ``mute``: takes all and confirms nothing more."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self.deaf = self.mute = False
        self.port = 0
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SmallBroker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for line in self._lines:
            line.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    byte = (await reader.readexactly(1))[0]
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if byte < 0x80:
                        break
                self._take(head, await reader.readexactly(length), writer)
        writer.close()

    def _take(self, head: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        kind = head >> 4
        if kind == CONNECT:
            writer.write(b"\x20\x02\x00\x00")
        elif kind == DISCONNECT:
            self.heard.append(("", b"DISCONNECT"))
        elif kind == PUBLISH and not self.deaf:
            size = int.from_bytes(body[:2], "big")
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            # All that an outlet sends is of quality 1.
            if not self.mute:
                writer.write(b"\x40\x02" + rest[:2])
            self.heard.append((topic, rest[2:]))
            if head & 1:
                self.retained[topic] = rest[2:]
