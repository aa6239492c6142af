"""``inverter_tool``: the inverter's discharge limit, through the running owner.

    inverter_tool --set-max-discharge 7.6kW --set-mode grid-forming
    inverter_tool --show

What is set is read back; exit 0 when the inverter says that it holds, 1 when it does not, 2 when it could not be asked.
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
TOLERANCE_W = 60.0
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
    try:
        snapshot = _first(session)
        if wanted_w is not None:
            snapshot = _set_limit(session, wanted_w)
    finally:
        session.close()
    holds = wanted_w is None or in_force(snapshot, wanted_w)
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
        print(f"mode       {document['mode']}, now {power}")
        print(f"backup     {'ready' if not backup else f'not ready: {backup}'}")
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


def in_force(snapshot: Snapshot, wanted_w: float) -> bool:
    """Whether the limit is what was wanted, or a lower one that something else binds. What is not known is not in force."""
    inverter = snapshot.inverter
    if inverter.set_w is None or inverter.mode == "unknown":
        return False
    if abs(inverter.set_w - wanted_w) <= TOLERANCE_W:
        return True
    return inverter.set_w < wanted_w and inverter.binding_limit not in OWN_LIMITS


def _first(session: RemoteSession) -> Snapshot:
    """The first picture of a ready owner. Raises Refusal."""
    ends_s = time.monotonic() + ANSWER_S
    while time.monotonic() < ends_s:
        snapshot = session.watch()
        if snapshot.owner_ready:
            return snapshot
        time.sleep(0.02)
    raise Refusal("the owner gives no picture")


def _set_limit(session: RemoteSession, wanted_w: float) -> Snapshot:
    """Take the helm where it is free, order the limit, wait until it is in force. Raises Refusal."""
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
    ends_s = time.monotonic() + CONFIRM_S
    while time.monotonic() < ends_s:
        snapshot = session.watch()
        if in_force(snapshot, wanted_w):
            return snapshot
        time.sleep(0.05)
    return session.watch()


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
