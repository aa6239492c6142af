"""Port 8080, read-only, over a real socket on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.outlets.pictures import ISLANDED, UNKNOWN
from v2h_console.outlets import http
from v2h_console.outlets.http import HttpOutlet


@asynccontextmanager
async def listening(age_ms: float = 3.0) -> AsyncIterator[HttpOutlet]:
    """An outlet on a port of its own."""
    outlet = HttpOutlet("127.0.0.1", 0, lambda: ISLANDED, lambda: age_ms)
    task = asyncio.create_task(outlet.run())
    while outlet.listening is None:
        await asyncio.sleep(0)
    try:
        yield outlet
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def exchange(outlet: HttpOutlet, request: bytes) -> bytes:
    """What a client that sends ``request`` gets until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", outlet.listening)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_state_is_the_document() -> None:
    async with listening() as outlet:
        head, _, body = (await exchange(outlet, b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n")).partition(
            b"\r\n\r\n"
        )
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Cache-Control: no-store" in head
    assert json.loads(body)["mode"] == "islanded"


async def test_head_has_no_body() -> None:
    async with listening() as outlet:
        _, _, body = (await exchange(outlet, b"HEAD /state HTTP/1.1\r\nHost: x\r\n\r\n")).partition(
            b"\r\n\r\n"
        )
    assert body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/state", "/metrics", "/healthz"])
async def test_every_write_is_refused(method: str, path: str) -> None:
    async with listening() as outlet:
        request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        answer = await exchange(outlet, request)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"Allow: GET, HEAD" in answer


async def test_an_unknown_path_names_the_known_ones() -> None:
    async with listening() as outlet:
        answer = await exchange(outlet, b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"/metrics" in answer


async def test_a_core_that_has_stopped_is_not_healthy() -> None:
    async with listening(age_ms=1_500.0) as outlet:
        answer = await exchange(outlet, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"silent for 1.5 s" in answer
    assert http.answer("GET", "/healthz", UNKNOWN, 3.0).status == 200


async def test_a_request_that_never_ends_is_cut_short() -> None:
    async with listening() as outlet:
        answer = await exchange(outlet, b"GET /state HTTP/1.1\r\nX: " + b"a" * (http.MAX_REQUEST_BYTES + 10))
        assert answer.startswith(b"HTTP/1.1 4")
        again = await exchange(outlet, b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n")
    assert again.startswith(b"HTTP/1.1 200 ")


async def test_more_clients_than_there_are_places_for_are_turned_away() -> None:
    async with listening() as outlet:
        held = [
            await asyncio.open_connection("127.0.0.1", outlet.listening) for _ in range(http.MAX_CONNECTIONS)
        ]
        for _, writer in held:
            writer.write(b"GET /state HTTP/1.1\r\n")
            await writer.drain()
        while outlet.clients < http.MAX_CONNECTIONS:
            await asyncio.sleep(0)
        with suppress(ConnectionResetError):
            assert await exchange(outlet, b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        for _, writer in held:
            writer.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300))
def test_garbage_never_disturbs_the_next_reader(junk: bytes) -> None:
    async def both() -> bytes:
        async with listening() as outlet:
            with suppress(ConnectionError):
                await exchange(outlet, junk)
            return await exchange(outlet, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    assert asyncio.run(both()).startswith(b"HTTP/1.1 200 ")
