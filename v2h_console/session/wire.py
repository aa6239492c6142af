"""The wire between an owner and attached consoles: length-prefixed msgpack on a local socket, versioned.

A frame is four bytes of length (big-endian) and one message. The first message of a client is ``Hello``; the owner
answers ``Welcome`` or ``Refused`` and hangs up after the latter. Whatever does not decode ends that connection alone.
"""

from __future__ import annotations

import msgspec

from v2h_console.session.absence import Absence
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves

#: Raised with every change to a message, Snapshot and Order included: both ends come from one installation, so skew
#: means that an update ran while the owner did not restart.
VERSION = 7
#: An order is some 200 bytes; the longest carries a whole file of the configuration, at most 64 KiB.
MAX_TO_OWNER = 80 * 1024
#: A Snapshot is 1 to 10 kB, with 200 events up to 60 kB; above this it is no Snapshot.
MAX_TO_CONSOLE = 1 << 20
_PREFIX = 4


class WireError(Exception):
    """The peer does not speak this wire. ``str()`` is one line for the person."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A console introduces itself; ``watch`` gives up all orders but opening the MID; ``screen``: a person looks at it."""

    version: int
    watch: bool = False
    screen: bool = False


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """An order, with the monotonic time of the key press: one host, one clock, so its age is known."""

    order: Order
    given_ns: int


class Here(msgspec.Struct, frozen=True, tag="here"):
    """The person at this console has pressed a key and stands at ``place``."""

    place: str


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """This console goes, ``how`` left or ended; a line that ends without a word was lost."""

    how: str


class WantWaves(msgspec.Struct, frozen=True, tag="waves?"):
    """A window of waveforms is asked for; ``number`` comes back with it."""

    number: int


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The console is attached, with ``role`` watch | helm | installer, and known as ``name``.

    ``run`` is another after each start of an owner: nothing that was so on the last one is taken over.
    ``absence``: what this person missed.
    """

    role: str
    has_trainer: bool
    name: str = ""
    run: str = ""
    absence: Absence | None = None


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The console is not attached, and why."""

    reason: str


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """The newest Snapshot."""

    snapshot: Snapshot


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The Receipt of one order."""

    receipt: Receipt


class HaveWaves(msgspec.Struct, frozen=True, tag="waves"):
    """The window that was asked for, or in words why there is none."""

    number: int
    waves: Waves | None
    reason: str = ""


ToOwner = Hello | Ask | Here | Bye | WantWaves
ToConsole = Welcome | Refused | Picture | Answer | HaveWaves

_encoder = msgspec.msgpack.Encoder()
_to_owner: msgspec.msgpack.Decoder[ToOwner] = msgspec.msgpack.Decoder(ToOwner)
_to_console: msgspec.msgpack.Decoder[ToConsole] = msgspec.msgpack.Decoder(ToConsole)


def frame(message: ToOwner | ToConsole) -> bytes:
    """The bytes of one message."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_PREFIX, "big") + body


class Cutter:
    """Cuts a stream into message bodies; never holds more than one frame of at most ``limit`` bytes and one read."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that ``data`` completes. Raises WireError for a length over the limit."""
        self._held += data
        bodies: list[bytes] = []
        while len(self._held) >= _PREFIX:
            length = int.from_bytes(self._held[:_PREFIX], "big")
            if length > self._limit:
                raise WireError(f"a message of {length} bytes; at most {self._limit} are taken")
            if len(self._held) < _PREFIX + length:
                break
            bodies.append(bytes(self._held[_PREFIX : _PREFIX + length]))
            del self._held[: _PREFIX + length]
        return bodies


def read_to_owner(body: bytes) -> ToOwner:
    """A console's message. Raises WireError."""
    try:
        return _to_owner.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a message of this wire: {error}") from None


def read_to_console(body: bytes) -> ToConsole:
    """An owner's message. Raises WireError."""
    try:
        return _to_console.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a message of this wire: {error}") from None
