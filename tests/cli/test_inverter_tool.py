"""inverter_tool: what a person may have meant, what is not known, and an owner that does not answer."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from tests.outlets.pictures import ISLANDED, UNKNOWN, v
from v2h_console.cli import inverter_tool
from v2h_console.cli.console import Refusal
from v2h_console.session import remote
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import AlarmView, MidView, Snapshot

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        *(("7.6kW", 7_600.0), ("7,6 kw", 7_600.0), (" 7600W ", 7_600.0), ("0,5KW", 500.0)),
        *(("7.600kW", 7_600.0), ("7,600kW", 7_600.0), ("0,750kW", 750.0), ("7600.5W", 7_600.5)),
    ],
)
def test_a_power_with_its_unit_is_taken(text: str, watts: float) -> None:
    assert inverter_tool.watts(text) == watts


@pytest.mark.parametrize("text", ["7,600W", "7.600W", "0.750 w", "12,345 W"])
def test_thousands_are_no_fraction(text: str) -> None:
    with pytest.raises(Refusal, match="could be thousands or a fraction: write it without a comma or a dot"):
        inverter_tool.watts(text)


@pytest.mark.parametrize(
    "text", ["\u0667kW", "7.6\u212aW", "\uff17kW", "9" * 400 + "kW", "7.6", "-1kW", "7 600 W"]
)
def test_what_is_no_power_is_refused_in_plain_letters(text: str) -> None:
    with pytest.raises(Refusal, match="takes a power with its unit") as refusal:
        inverter_tool.watts(text)
    assert str(refusal.value).isascii()


TIED = msgspec.structs.replace(
    ISLANDED, mode="tied", mid=MidView(position="closed"), alarms=(), at_ns=10 * SECOND
)


def test_a_house_that_is_known_is_ready() -> None:
    assert inverter_tool.backup_refusal(TIED, 10 * SECOND) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mode": "unknown"}, "not known yet: what the house does"),
        ({"mid": MidView()}, "not known yet: the MID's position"),
        ({"car": msgspec.structs.replace(TIED.car, soc_pct=v(None))}, "not known yet: the car's charge"),
        (
            {"inverter": msgspec.structs.replace(TIED.inverter, mode="unknown")},
            "not known yet: the inverter's mode",
        ),
        ({"at_ns": 3 * SECOND}, "the owner's last picture is 7 s old"),
        ({"alarms": (AlarmView("CONTROLLER_SILENT", "alarm", "Silent.", 0.0),), "mid": MidView()}, "Silent"),
    ],
)
def test_what_is_not_known_is_no_yes(changed: dict[str, object], said: str) -> None:
    picture = msgspec.structs.replace(TIED, **changed)
    assert inverter_tool.backup_refusal(picture, 10 * SECOND) == said


def test_of_a_house_that_nothing_was_heard_of_everything_is_missing() -> None:
    said = inverter_tool.backup_refusal(UNKNOWN, 0)
    assert said == (
        "not known yet: what the house does, the MID's position, the car's charge, the inverter's mode"
    )


class HangingOwner:
    """Takes every order into its socket and answers ``answered`` of them."""

    answered = 0

    def __init__(self, root: Path) -> None:
        self.asked = 0

    def watch(self) -> Snapshot:
        return ISLANDED

    def ask(self, order: Order) -> Future[Receipt]:
        answer: Future[Receipt] = Future()
        if self.asked < self.answered:
            answer.set_result(Receipt(order.nonce, accepted=True))
        self.asked += 1
        return answer

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (0, "inverter_tool: the owner does not answer; the limit was not asked for\n"),
        (
            1,
            "inverter_tool: the owner does not answer: whether the limit was set is not known; look with --show\n",
        ),
    ],
)
def test_an_owner_that_hangs_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answered: int, said: str
) -> None:
    monkeypatch.setattr(remote, "RemoteSession", HangingOwner)
    monkeypatch.setattr(HangingOwner, "answered", answered)
    monkeypatch.setattr(inverter_tool, "ANSWER_S", 0.01)
    assert inverter_tool.main(["--set-max-discharge", "5kW", "--json"]) == 2
    assert capsys.readouterr() == ("", said)


class OwnerWhoseCoreStopped(HangingOwner):
    """Answers, and knows nothing of the inverter."""

    answered = 2

    def watch(self) -> Snapshot:
        inverter = msgspec.structs.replace(UNKNOWN.inverter, rated_w=10_000.0, binding_limit="")
        return msgspec.structs.replace(ISLANDED, inverter=inverter)


def test_a_limit_that_nobody_knows_of_is_not_in_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "RemoteSession", OwnerWhoseCoreStopped)
    monkeypatch.setattr(inverter_tool, "CONFIRM_S", 0.01)
    assert inverter_tool.main(["--set-max-discharge", "5kW"]) == 1
    assert capsys.readouterr().out.startswith(
        "limit      not known of 10.0 kW\nmode       unknown, now not known\n"
    )
    assert inverter_tool.main(["--set-max-discharge", "5kW", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["limit_kw"] is None


IGNORED = AlarmView(
    "DISCHARGE_LIMIT_IGNORED", "alarm", "The inverter did not take the limit: it\x1b[2J.", 0.0
)


def saying(
    set_w: float | None, holds_w: float | None, *alarms: AlarmView, bound_by: str = "operator"
) -> Snapshot:
    """The core asks for one limit, the inverter says another; it was read 12 ms ago."""
    inverter = msgspec.structs.replace(TIED.inverter, set_w=set_w, holds_w=v(holds_w), binding_limit=bound_by)
    return msgspec.structs.replace(TIED, inverter=inverter, alarms=alarms, at_ns=time.monotonic_ns())


@pytest.mark.parametrize(
    ("picture", "holds"),
    [
        (saying(5_000.0, 5_000.0), True),
        (saying(5_000.0, 5_090.0), True),
        (saying(4_000.0, 4_000.0, bound_by="heat"), True),
        (saying(5_000.0, 10_000.0), False),
        (saying(4_000.0, 10_000.0, bound_by="heat"), False),
        (saying(5_000.0, None), False),
        (saying(5_000.0, 5_000.0, IGNORED), False),
        (saying(3_000.0, 3_000.0), False),
        (saying(None, 5_000.0), False),
    ],
)
def test_a_limit_is_in_force_when_the_inverter_says_so_itself(picture: Snapshot, holds: bool) -> None:
    assert inverter_tool.in_force(picture, 5_000.0) is holds


def test_what_was_read_before_the_order_or_just_after_it_says_nothing_of_it() -> None:
    picture = saying(5_000.0, 5_000.0)
    read_ns = picture.at_ns - 12_000_000
    assert not inverter_tool.in_force(picture, 5_000.0, read_ns + SECOND)
    assert not inverter_tool.in_force(picture, 5_000.0, read_ns - SECOND // 2)
    assert inverter_tool.in_force(picture, 5_000.0, read_ns - SECOND)


class ReadingOwner(HangingOwner):
    """Takes the order; its inverter says ``holds_w`` from then on."""

    answered = 2
    holds_w: float | None = 10_000.0
    alarms: tuple[AlarmView, ...] = (IGNORED,)

    def watch(self) -> Snapshot:
        return saying(5_000.0, self.holds_w, *self.alarms)


@pytest.mark.parametrize(("holds_w", "said"), [(10_000.0, "says 10.00 kW"), (None, "says no limit")])
def test_an_inverter_that_ignores_the_order_is_told_with_both_limits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], holds_w: float | None, said: str
) -> None:
    monkeypatch.setattr(remote, "RemoteSession", ReadingOwner)
    monkeypatch.setattr(ReadingOwner, "holds_w", holds_w)
    monkeypatch.setattr(inverter_tool, "CONFIRM_S", 0.01)
    assert inverter_tool.main(["--set-max-discharge", "5kW"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[:2] == [
        "limit      5.0 kW of 10.0 kW, bound by: operator",
        f"inverter   {said}",
    ]
    assert err == (
        f"inverter_tool: not known to be in force: asked for 5.00 kW, the inverter {said}. "
        "The inverter did not take the limit: it.\n"
    )
    assert inverter_tool.main(["--show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["limit_kw"], document["held_kw"]) == (5.0, holds_w and 10.0)


def test_an_inverter_that_obeys_is_believed_once_it_was_read_after_the_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "RemoteSession", ReadingOwner)
    monkeypatch.setattr(ReadingOwner, "holds_w", 5_000.0)
    monkeypatch.setattr(ReadingOwner, "alarms", ())
    monkeypatch.setattr(inverter_tool, "SETTLED_NS", 10_000_000)
    assert inverter_tool.main(["--set-max-discharge", "5kW"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[1].split()[0], err) == ("mode", "")


def test_an_inverter_that_is_not_heard_holds_no_limit() -> None:
    silent = msgspec.structs.replace(TIED.inverter, mode="unknown")
    assert inverter_tool.in_force(TIED, 7_600.0)
    assert not inverter_tool.in_force(msgspec.structs.replace(TIED, inverter=silent), 7_600.0)
