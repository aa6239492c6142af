"""What happens to the controller's frames on their way: lost in several ways, or standing still in several ways.

Each is a function from (id, bytes, instant) to what arrives. What is drawn is drawn from the seed, the id and the
instant, so that it does not matter in which order frames are looked at.
"""

from __future__ import annotations

from collections.abc import Callable

from v2h_console.twin.faces import lc_frames
from v2h_console.twin.physics.streams import uniform
from v2h_console.twin.vocabulary import Params

MS = 1_000_000
Tamper = Callable[[int, bytes, int], bytes | None]

#: Frames that are lost one and all, by the name that a scenario gives them.
ONE_ID = {
    "grid_fast": lc_frames.GRID_FAST,
    "mid_state": lc_frames.MID_STATE,
    "inv_state": lc_frames.INV_STATE,
    "heartbeat": lc_frames.HB_LC,
    "grid_cycle": lc_frames.GRID_CYC,
}
LOST_PCT = 30.0
#: In each of these, this long, nothing arrives.
BURST_EVERY_NS, BURST_NS = 250 * MS, 90 * MS
#: Ways in which every single frame decides: no time may be passed over.
BY_CHANCE = frozenset(("random", "bursts", "replay"))
#: So many frames of each id were recorded by whoever says them again.
RECORDED = 5


def lost(params: Params, seed: int) -> Tamper:
    """`can.frames_lost`."""
    match str(params.get("how", "checksum")):
        case "one_id":
            gone = ONE_ID[str(params.get("frame", "grid_fast"))]
            return lambda one, data, _at: None if one == gone else data
        case "random":

            def at_random(one: int, data: bytes, at_ns: int) -> bytes | None:
                return None if uniform(seed, f"lost.{one:x}", at_ns, (0.0, 100.0)) < LOST_PCT else data

            return at_random
        case "bursts":

            def in_bursts(_one: int, data: bytes, at_ns: int) -> bytes | None:
                began_ns = at_ns - at_ns % BURST_EVERY_NS
                share = uniform(seed, "burst", began_ns, (0.0, 1.0))
                return None if at_ns - began_ns < share * BURST_NS else data

            return in_bursts
        case "replay":
            return _Replay()
        case _:
            # Every frame arrives with a bit turned over.
            return lambda _one, data, _at: bytes((data[0] ^ 0x10, *data[1:]))


class _Replay:
    """The first few frames of each id, one after the other again and again."""

    def __init__(self) -> None:
        self._recorded: dict[int, list[bytes]] = {}
        self._said: dict[int, int] = {}

    def __call__(self, one: int, data: bytes, _at_ns: int) -> bytes | None:
        recorded = self._recorded.setdefault(one, [])
        if len(recorded) < RECORDED:
            recorded.append(data)
            return data
        said = self._said[one] = self._said.get(one, -1) + 1
        return recorded[said % RECORDED]


def frozen(params: Params) -> Tamper:
    """`lc.frozen`."""
    return _Frozen(str(params.get("how", "repeats")))


class _Frozen:
    """ "repeats": the first frame of each id again and again. "values": its signals under a running counter.
    "counter": living signals under the first counter. "heartbeat": only the heartbeat's signals stand still."""

    def __init__(self, how: str) -> None:
        self._how = how
        self._first: dict[int, bytes] = {}

    def __call__(self, one: int, data: bytes, _at_ns: int) -> bytes | None:
        first = self._first.setdefault(one, data)
        if self._how == "repeats":
            return first
        if self._how == "heartbeat" and one != lc_frames.HB_LC:
            return data
        body = data[:6] + first[6:7] if self._how == "counter" else first[:6] + data[6:7]
        return body + bytes((lc_frames.crc8(one, body),))
