"""Opens a CAN bus by configuration and carries frames; knows nothing of what is in them.

``socketcan`` is the field's interface. ``udp_multicast`` carries the same frames over loopback only: it joins and
sends on 127.0.0.1 with a time-to-live of 0, so nothing ever leaves the machine and a machine with no network at all
will do (python-can's own joins on whatever route is the default, and fails without one).
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import can

LOOPBACK = "127.0.0.1"
DEFAULT_GROUP = "239.74.163.2"
DEFAULT_PORT = 43113
#: Room for a second of a full 500 kbit/s bus while the reader is held up.
RECEIVE_BUFFER_BYTES = 1 << 20

#: What is no frame of ours is passed over so often in one go.
REFUSED_MOST = 256
#: After a socket's error, so that one that lasts does not make the reader spin.
FAILED_PAUSE_S = 0.002

Frame = tuple[int, bytes, int]


class BusError(Exception):
    """A bus that cannot be opened or used. ``str()`` is one line: what, where, what to do."""


class Bus(Protocol):
    """A classic CAN bus with 11-bit ids."""

    bad_datagrams: int

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Send one frame. Raises BusError when the bus does not take it."""

    def recv(self, timeout_s: float) -> Frame | None:
        """The next frame as (id, data, ``time.monotonic_ns()`` at receipt), or ``None`` after the time-out."""

    def fileno(self) -> int:
        """For ``select``."""

    def shutdown(self) -> None:
        """Let go of the bus."""


def open_bus(interface: str, channel: str, port: int | None = None, bitrate: int = 500_000) -> Bus:
    """Open the bus. Raises BusError with one line."""
    if interface == "udp_multicast":
        return LoopbackMulticastBus(channel, port if port is not None else DEFAULT_PORT)
    import can  # 73 ms: only for those who need it

    from v2h_drivers.can.library_bus import LibraryBus

    def opener() -> can.BusABC:
        return can.Bus(interface=interface, channel=channel, bitrate=bitrate)

    try:
        bus = opener()
    except (can.CanError, OSError, ImportError, ValueError, NotImplementedError) as error:
        raise BusError(_explain(interface, channel, error)) from None
    return LibraryBus(bus, f"{interface} {channel}", opener)


def _explain(interface: str, channel: str, error: Exception) -> str:
    number = getattr(error, "errno", None) or getattr(error.__cause__, "errno", None)
    where = f"CAN {interface} {channel}"
    if number == errno.ENODEV:
        return f"{where}: no such interface; see `ip link`, then `ip link set {channel} up type can bitrate 500000`"
    if number in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
        return f'{where}: this kernel has no CAN; load can and can_raw, or set interface = "udp_multicast" for the twin'
    if number == errno.ENETDOWN:
        return f"{where}: the interface is down; `ip link set {channel} up type can bitrate 500000`"
    if number in (errno.EPERM, errno.EACCES):
        return f"{where}: not permitted; run as a member of the group that may use CAN"
    text = " ".join(str(error).split())[:160]
    return f"{where}: cannot be opened: {text}"


class Listening:
    """Reading with refused frames passed over: "nothing there" is not said while something is."""

    bad_datagrams = 0
    #: Looks that the bus itself answered with an error: nothing more is read in that turn.
    failures = 0

    def _look(self, timeout_s: float) -> Frame | None:
        """One look; ``None`` and ``bad_datagrams`` one more where what was there is no frame of ours."""
        raise NotImplementedError

    def recv(self, timeout_s: float) -> Frame | None:
        """The next data frame, ``None`` where there is none; what is no frame is counted and passed over."""
        counted = self.bad_datagrams
        frame = self._look(timeout_s)
        if frame is None and counted != self.bad_datagrams:
            for _ in range(REFUSED_MOST):
                counted = self.bad_datagrams
                frame = self._look(0.0)
                if frame is not None or counted == self.bad_datagrams:
                    break
        return frame


class _Datagram(msgspec.Struct):
    """One frame as python-can 4.6 packs it (can/interfaces/udp_multicast/utils.py): a msgpack map with these keys.

    Decoded into fields at once: with the library's map and its Message the fast lane spent a third of its time here.
    """

    arbitration_id: int
    data: bytes
    dlc: int
    is_extended_id: bool = False
    is_remote_frame: bool = False
    is_error_frame: bool = False
    is_fd: bool = False
    bitrate_switch: bool = False
    error_state_indicator: bool = False
    timestamp: float = 0.0
    channel: int | str | None = None

    def frame(self) -> tuple[int, bytes] | None:
        """Id and data of a classic data frame with an 11-bit id, or ``None``."""
        if self.is_extended_id or self.is_fd or self.is_error_frame or self.is_remote_frame:
            return None
        if not 0 <= self.arbitration_id < 0x800 or len(self.data) > 8 or self.dlc != len(self.data):
            return None
        return self.arbitration_id, self.data


class LoopbackMulticastBus(Listening):
    """python-can's udp_multicast frames (msgpack) on a socket that never leaves 127.0.0.1.

    It hears its own frames, as python-can's does: readers go by id. Datagrams that are no CAN frame are counted.
    """

    def __init__(self, group: str, port: int) -> None:
        self._where = f"udp_multicast {group}:{port}"
        self._destination = (group, port)
        self._decode = msgspec.msgpack.Decoder(_Datagram).decode
        self._socket = self._open(group, port)
        self._socket.setblocking(False)
        incoming = select.poll()
        incoming.register(self._socket, select.POLLIN)
        self._poll = incoming.poll

    def _open(self, group: str, port: int) -> socket.socket:
        try:
            packed_group = socket.inet_aton(group)
        except OSError:
            raise BusError(
                f"CAN {self._where}: not an IPv4 multicast group such as {DEFAULT_GROUP}"
            ) from None
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("@I", 0))
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            # Bound to the group, not to every address: unicast from elsewhere cannot pose as the bus.
            udp.bind((group, port))
            udp.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packed_group + socket.inet_aton(LOOPBACK)
            )
        except OSError as error:
            udp.close()
            raise BusError(
                f"CAN {self._where}: cannot be opened on loopback: {error.strerror}; is `lo` up and the port free?"
            ) from None
        return udp

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Send one frame."""
        datagram = msgspec.msgpack.encode(_Datagram(arbitration_id, data, len(data)))
        try:
            self._socket.sendto(datagram, self._destination)
        except OSError as error:
            raise BusError(f"CAN {self._where}: a frame was not taken: {error.strerror}") from None

    def _look(self, timeout_s: float) -> Frame | None:
        try:
            # A socket with a time-out asks before each call whether it would wait, also where something is there.
            if timeout_s > 0.0 and not self._poll(1e3 * timeout_s):
                return None
            datagram = self._socket.recv(4096)
        except BlockingIOError:
            return None
        except OSError:
            self.failures += 1
            time.sleep(min(timeout_s, FAILED_PAUSE_S))
            return None
        at_ns = time.monotonic_ns()
        try:
            frame = self._decode(datagram).frame()
        except msgspec.DecodeError:
            frame = None
        if frame is None:
            self.bad_datagrams += 1
            return None
        return (*frame, at_ns)

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Let go of the socket."""
        self._socket.close()
