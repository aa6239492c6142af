"""``inverter_tool``: the inverter's discharge limit, through the running owner.

    inverter_tool --set-max-discharge 7.6kW --set-mode grid-forming
    inverter_tool --show

What is set is read back; exit 0 when the inverter itself says that it holds, 1 when it does not, 2 when it could not be asked.
``--set-mode grid-forming`` asks whether the owner may form the house when the grid is lost, and refuses when it may not:
forming itself is never commanded by hand, only the islanding machine does that, after proof of an open MID.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli.console import Refusal
from v2h_console.cli.main import OneLineParser, guarded

if TYPE_CHECKING:
    from v2h_console.session.remote import RemoteSession
    from v2h_console.session.snapshot import Snapshot

ANSWER_S = 3.0
#: A limit is written, read back and published within two polls of the inverter.
CONFIRM_S = 5.0
#: What was read within this time of the order may be the limit from before, and one that is ignored is no alarm yet (0.6 s).
SETTLED_NS = 800_000_000
TOLERANCE_W = 60.0
#: What the inverter says is rounded by its registers.
SAYS_WITHIN_W, SAYS_WITHIN = 100.0, 0.02
IGNORED = "DISCHARGE_LIMIT_IGNORED"
#: What binds until the new limit does: an older order, and an inverter that has not taken the new one yet.
OWN_LIMITS = ("operator", "inverter")
#: Digits are ASCII's: a person's eye takes others for something else.
_POWER = re.compile(r"\s*([0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*([kK]?[wW])\s*", re.ASCII)
#: Nobody writes watts to the thousandth; kilowatts somebody may.
_THOUSANDS = re.compile(r"[0-9]+[.,][0-9]{3}")
#: A picture older than this is not of now: the owner publishes several a second.
STALE_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = OneLineParser(
        prog="inverter_tool", description="The inverter's discharge limit, through the running owner."
    )
    parser.add_argument("--set-max-discharge", metavar="7.6kW", help="most that the car gives to the house")
    parser.add_argument(
        "--set-mode", choices=("grid-forming",), help="the house may be formed when the grid is lost"
    )
    parser.add_argument("--show", action="store_true", help="what is in force")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the owner's root; default /")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return guarded("inverter_tool", lambda: run(parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> int:
    """Set, confirm, show."""
    from v2h_console.session.remote import NoOwner, RemoteSession
    from v2h_console.session.wire import WireError

    wanted_w = None if arguments.set_max_discharge is None else watts(arguments.set_max_discharge)
    if wanted_w is None and arguments.set_mode is None and not arguments.show:
        raise Refusal("nothing to do: give --set-max-discharge, --set-mode or --show")
    try:
        session = RemoteSession(arguments.root)
    except (NoOwner, WireError) as error:
        raise Refusal(f"{error}; only the owner speaks to the inverter") from None
    holds = True
    try:
        snapshot = _first(session)
        if wanted_w is not None:
            snapshot, holds = _set_limit(session, wanted_w)
    finally:
        session.close()
    backup = backup_refusal(snapshot, time.monotonic_ns())
    document = _document(snapshot, backup)
    if arguments.json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        limit, power = (
            "not known" if number is None else f"{number} kW"
            for number in (document["limit_kw"], document["power_kw"])
        )
        bound = f", bound by: {document['binding_limit']}" if document["binding_limit"] else ""
        print(f"limit      {limit} of {document['rated_kw']} kW{bound}")
        if differs(snapshot):
            print(f"inverter   {says(snapshot)}")
        print(f"mode       {document['mode']}, now {power}")
        print(f"backup     {'ready' if not backup else f'not ready: {backup}'}")
    if wanted_w is not None and not holds:
        print(f"inverter_tool: {why_not(snapshot, wanted_w)}", file=sys.stderr)
    if arguments.set_mode == "grid-forming" and backup:
        print(f"inverter_tool: the house cannot be formed: {backup}", file=sys.stderr)
        return 1
    return 0 if holds else 1


def watts(text: str) -> float:
    """ "7.6kW", "7,6kW" or "7600 W" as watts; a bare number could be either. Raises Refusal."""
    match = _POWER.fullmatch(text)
    if match is None:
        raise Refusal(
            f"--set-max-discharge takes a power with its unit, such as 7.6kW or 7600W, not {text[:40]!a}"
        )
    kilo = match.group(2).lower() == "kw"
    if not kilo and _THOUSANDS.fullmatch(match.group(1)):
        # 7,600W and 7.600W are 7600 W to one person and 7.6 W to another.
        said = "could be thousands or a fraction: write it without a comma or a dot"
        raise Refusal(f"--set-max-discharge: {text[:40]!r} {said}")
    number = float(match.group(1).replace(",", "."))
    return number * (1000.0 if kilo else 1.0)


def in_force(snapshot: Snapshot, wanted_w: float, asked_ns: int | None = None) -> bool:
    """Whether the inverter itself says that it gives no more than was wanted, read back since ``asked_ns``, and the limit that it is
    asked for is that one, or a lower one that something else binds. What is not known is not in force."""
    inverter = snapshot.inverter
    holds_w, age_ms = inverter.holds_w.value, inverter.holds_w.age_ms
    if inverter.set_w is None or inverter.mode == "unknown" or holds_w is None or age_ms is None:
        return False
    if asked_ns is not None and snapshot.at_ns - age_ms * 1e6 < asked_ns + SETTLED_NS:
        return False
    if holds_w > wanted_w + _rounding_w(wanted_w) or any(alarm.code == IGNORED for alarm in snapshot.alarms):
        return False
    if abs(inverter.set_w - wanted_w) <= TOLERANCE_W:
        return True
    return inverter.set_w < wanted_w and inverter.binding_limit not in OWN_LIMITS


def differs(snapshot: Snapshot) -> bool:
    """Whether the inverter says another limit than it is asked for, or says none."""
    set_w, holds_w = snapshot.inverter.set_w, snapshot.inverter.holds_w.value
    return set_w is not None and (holds_w is None or abs(holds_w - set_w) > _rounding_w(set_w))


def says(snapshot: Snapshot) -> str:
    """The inverter's own limit in words."""
    holds_w = snapshot.inverter.holds_w.value
    return "says no limit" if holds_w is None else f"says {holds_w / 1000.0:.2f} kW"


def why_not(snapshot: Snapshot, wanted_w: float) -> str:
    """What was asked, and what the inverter says of it."""
    from v2h_console.tui.inert import clean

    ignored = [clean(alarm.text) for alarm in snapshot.alarms if alarm.code == IGNORED]
    asked = f"asked for {wanted_w / 1000.0:.2f} kW"
    return " ".join([f"not known to be in force: {asked}, the inverter {says(snapshot)}.", *ignored])


def _rounding_w(limit_w: float) -> float:
    return max(SAYS_WITHIN_W, SAYS_WITHIN * limit_w)


def _first(session: RemoteSession) -> Snapshot:
    """The first picture of a ready owner. Raises Refusal."""
    ends_s = time.monotonic() + ANSWER_S
    while time.monotonic() < ends_s:
        snapshot = session.watch()
        if snapshot.owner_ready:
            return snapshot
        time.sleep(0.02)
    raise Refusal("the owner gives no picture")


def _set_limit(session: RemoteSession, wanted_w: float) -> tuple[Snapshot, bool]:
    """Take the helm where it is free, order the limit, wait until it is in force; whether it is. Raises Refusal."""
    from v2h_console.session.orders import Order

    try:
        helm = session.ask(Order(secrets.token_hex(8), "helm.take")).result(ANSWER_S)
    except TimeoutError:
        raise Refusal("the owner does not answer; the limit was not asked for") from None
    if not helm.accepted:
        raise Refusal(f"refused: {helm.reason}")
    order = Order(
        secrets.token_hex(8), "operator.set_discharge_limit", {"kw": wanted_w / 1000.0}, by="inverter_tool"
    )
    try:
        receipt = session.ask(order).result(ANSWER_S)
    except TimeoutError:
        said = "the owner does not answer: whether the limit was set is not known; look with --show"
        raise Refusal(said) from None
    if not receipt.accepted:
        raise Refusal(f"refused: {receipt.reason}")
    asked_ns = time.monotonic_ns()
    ends_s = time.monotonic() + CONFIRM_S
    while time.monotonic() < ends_s:
        snapshot = session.watch()
        if in_force(snapshot, wanted_w, asked_ns):
            return snapshot, True
        time.sleep(0.05)
    return session.watch(), False


def backup_refusal(snapshot: Snapshot, now_ns: int) -> str:
    """Why the house could not be formed now, as far as the picture tells; "" = it could, or is. What is not known is no yes."""
    age_s = (now_ns - snapshot.at_ns) / 1e9
    if age_s > STALE_S:
        return f"the owner's last picture is {age_s:.0f} s old"
    if snapshot.locked_out:
        return "a lockout stands; find its cause, then reset it"
    if snapshot.mode in ("islanded", "syncing", "forming"):
        return ""
    for alarm in snapshot.alarms:
        if alarm.severity in ("alarm", "lockout") or alarm.code in ("CAR_NOT_READY", "NO_POWER_ALLOWED"):
            return alarm.text.rstrip(".")
    unknown = {
        "what the house does": snapshot.mode == "unknown",
        "the MID's position": snapshot.mid.position == "unknown",
        "the car's charge": snapshot.car.soc_pct.value is None,
        "the inverter's mode": snapshot.inverter.mode == "unknown",
    }
    missing = [what for what, is_so in unknown.items() if is_so]
    return f"not known yet: {', '.join(missing)}" if missing else ""


def _document(snapshot: Snapshot, backup: str) -> dict[str, Any]:
    inverter = snapshot.inverter
    power = inverter.power_w.value
    return {
        "limit_kw": None if inverter.set_w is None else round(inverter.set_w / 1000.0, 2),
        "held_kw": None if (held_w := inverter.holds_w.value) is None else round(held_w / 1000.0, 2),
        "held_age_ms": None if (age_ms := inverter.holds_w.age_ms) is None else round(age_ms, 1),
        "rated_kw": round(inverter.rated_w / 1000.0, 2),
        "binding_limit": inverter.binding_limit,
        "mode": inverter.mode,
        "power_kw": None if power is None else round(power / 1000.0, 2),
        "temperature_c": inverter.heatsink_c.value,
        "backup_ready": not backup,
        "backup_refusal": backup,
    }


if __name__ == "__main__":
    sys.exit(main())
