"""Our loopback frames are python-can's, both ways, and garbage is counted and passed over."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import can
import pytest
from can.interfaces.udp_multicast.utils import pack_message, unpack_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from v2h_drivers.can.bus import DEFAULT_GROUP, LoopbackMulticastBus

#: A port of this file's own: other tests' houses are not heard here.
PORT = 43_991
IDS = st.integers(0, 0x7FF)
BYTES = st.binary(max_size=8)
KEEP = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def bus() -> Iterator[LoopbackMulticastBus]:
    """A bus that hears itself."""
    made = LoopbackMulticastBus(DEFAULT_GROUP, PORT)
    yield made
    made.shutdown()


def say(datagram: bytes) -> None:
    """What anything on this machine may send to the group."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        line.sendto(datagram, (DEFAULT_GROUP, PORT))


@KEEP
@given(IDS, BYTES)
def test_what_python_can_packs_is_heard(bus: LoopbackMulticastBus, arbitration_id: int, data: bytes) -> None:
    say(pack_message(can.Message(arbitration_id=arbitration_id, data=data, is_extended_id=False)))
    heard = bus.recv(2.0)
    assert heard is not None
    assert heard[:2] == (arbitration_id, data)


@KEEP
@given(IDS, BYTES)
def test_what_is_sent_python_can_unpacks(bus: LoopbackMulticastBus, arbitration_id: int, data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        aside = LoopbackMulticastBus(DEFAULT_GROUP, PORT + 1)
        try:
            aside._destination = line.getsockname()
            aside.send(arbitration_id, data)
            line.settimeout(2.0)
            message = unpack_message(line.recv(4096), check=True)
        finally:
            aside.shutdown()
    assert (message.arbitration_id, bytes(message.data), message.is_extended_id) == (
        arbitration_id,
        data,
        False,
    )


@KEEP
@given(st.one_of(st.binary(max_size=200), BYTES.map(lambda data: b"\x8b" + data)))
def test_garbage_is_counted_and_passed_over(bus: LoopbackMulticastBus, datagram: bytes) -> None:
    before = bus.bad_datagrams
    say(datagram)
    assert bus.recv(2.0) is None
    assert bus.bad_datagrams == before + 1


def test_a_frame_behind_garbage_is_heard_in_the_same_look(bus: LoopbackMulticastBus) -> None:
    before = bus.bad_datagrams
    for _ in range(20):
        say(b"\x00")
    say(pack_message(can.Message(arbitration_id=0x10, data=b"12345678", is_extended_id=False)))
    heard = bus.recv(2.0)
    assert heard is not None
    assert heard[:2] == (0x10, b"12345678")
    assert bus.bad_datagrams == before + 20
    assert bus.recv(0.0) is None


@pytest.mark.parametrize(
    "message",
    [
        can.Message(arbitration_id=0x10, is_extended_id=True),
        can.Message(arbitration_id=0x10, is_extended_id=False, is_remote_frame=True),
        can.Message(arbitration_id=0x10, is_extended_id=False, is_error_frame=True),
        can.Message(arbitration_id=0x10, is_extended_id=False, is_fd=True, data=bytes(12)),
    ],
)
def test_what_is_no_classic_data_frame_is_no_frame(bus: LoopbackMulticastBus, message: can.Message) -> None:
    before = bus.bad_datagrams
    say(pack_message(message))
    assert bus.recv(2.0) is None
    assert bus.bad_datagrams == before + 1


def test_a_socket_that_is_broken_is_looked_at_once_a_turn() -> None:
    broken = LoopbackMulticastBus(DEFAULT_GROUP, PORT + 3)
    broken._socket.close()
    assert broken.recv(0.001) is None
    assert (broken.failures, broken.bad_datagrams) == (1, 0)
