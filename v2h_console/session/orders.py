"""What a person asks of the owner, and what the owner answers."""

from __future__ import annotations

import msgspec

#: What an order may do. The words are those of a scenario's ``do`` lines, so that a person, a scenario and a test
#: all say the same thing the same way.
OPERATOR_ORDERS = (
    "operator.open_mid",
    "operator.island",
    "operator.close_mid",
    "operator.reset_lockout",
    "operator.set_discharge_limit",
    "operator.acknowledge",
    "operator.load_on",
    "operator.load_off",
)

#: Needs no helm and no role.
OPEN_MID = "operator.open_mid"

#: An edit of the configuration: ``file``, ``text``, and the SHA-256 of what was edited ("" where there was no file).
SAVE_CONFIG = "config.save"

#: Orders that move the twin's world, not the system: refused by any owner that has no twin.
TRAINER_PREFIXES = ("grid.", "load.", "fault.", "ev.", "pv.", "generator.", "bypass.")

#: A pending order that nobody took up is dropped after this long: a stalled link must not press a key later.
ORDER_LIFE_NS = 2_000_000_000


class Order(msgspec.Struct, frozen=True):
    """One request. ``nonce`` makes it count once; ``params`` are the ``do`` line's (``load``, ``kw``, ``leg``...).

    Opening the MID needs no helm. Closing needs the helm and ``confirmed`` (the typed confirmation). ``seen_ns``: the
    ``at_ns`` of the picture on which a person was asked for it; 0 = nobody was (a script).
    """

    nonce: str
    do: str
    params: dict[str, float | str | bool] = {}
    by: str = ""
    confirmed: bool = False
    seen_ns: int = 0


class Receipt(msgspec.Struct, frozen=True):
    """The owner's answer to one order: taken, or refused with why and what would make it possible."""

    nonce: str
    accepted: bool
    reason: str = ""
