"""The owner goes while a screen looks on, and another comes: nothing old may look live; and leaving, in words that are true."""

from __future__ import annotations

import msgspec
import pytest

from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import SupplyView, TariffView, UnitView
from v2h_console.tui.app import ConsoleApp

from .conftest import Clock, shown, whole
from .houses import HOUSES, ISLANDED, WALL_S, FakeSession, v


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_owner_that_goes_leaves_no_value_on_the_screen(
    app: ConsoleApp, session: FakeSession, clock: Clock, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        assert "119.8" in whole(app)
        clock.now_s += 2.2
        session.gone = OwnerGone(WALL_S - 3)
        app._poll()
        rows = shown(app)
        assert rows[0].startswith(
            " UNKNOWN       MID UNKNOWN no proof  GRID UNKNOWN 00:02  HELM unknown ALARMS ?"
        )
        assert rows[1].startswith(" !! OWNER GONE since 14:02:50, everything shown is old. Treat as LIVE. ")
        for value in ("119.8", "60.00", "21.4", "4.13", "38.6", "64 %", "412 V", "heartbeat ok", "lasts"):
            assert value not in whole(app), value
        assert "This screen attaches again by itself" in whole(app)
        assert "WHAT TO DO  1 treat all as LIVE    2 start an owner" in whole(app)
        assert "-- V  2s" in whole(app), "the true age, however soon the line was known to have ended"
        for key in ("3", "4"):
            await pilot.press(key)
            app._poll()
            assert "142 W" not in whole(app)
            assert " ok" not in whole(app).replace("REPLIES", "")


async def test_what_an_installer_reads_beside_the_house_is_old_too(
    app: ConsoleApp, session: FakeSession
) -> None:
    session.put(
        msgspec.structs.replace(
            ISLANDED,
            units=(UnitView("east", "shares", "forming", v(2.0), v(8.0), v(61.0)),),
            supply=SupplyView(v(24.1), v(90.0)),
            tariff=TariffView(True, "17:00-21:00", 1200.0, True),
        )
    )
    async with app.run_test(size=(120, 40)) as pilot:
        app._poll()
        await pilot.press("4")
        assert "61 %" in whole(app)
        session.gone = OwnerGone(WALL_S)
        app._poll()
        assert "61 %" not in whole(app)
        snapshot = app.snapshot
        assert snapshot.supply.volts.value is None
        assert snapshot.tariff.power_w is None
        assert {unit.mode for unit in snapshot.units} == {"unknown"}
        assert {device.state for device in snapshot.devices} == {"unknown"}


async def test_a_new_owner_is_said_and_gives_no_helm(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)):
        app._poll()
        session.gone = OwnerGone(WALL_S)
        app._poll()
        session.gone = OwnerGone(WALL_S, "the owner speaks version 9, this console 3")
        app._poll()
        assert "refuses this console: the owner speaks version 9" in whole(app)
        session.gone, session.run = None, "two"
        session.put(msgspec.structs.replace(HOUSES["tied"], helm=""))
        app._poll()
        assert "HELM nobody" in shown(app)[0]
        assert "A new owner answers after 14:02:53. You do not have the helm: t takes it." in whole(app)
        assert "OWNER GONE" not in whole(app)


async def test_the_same_owner_is_not_called_a_new_one(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)):
        app._poll()
        session.gone = OwnerGone(WALL_S)
        app._poll()
        session.gone = None
        app._poll()
        assert "The same owner answers again after 14:02:53." in whole(app)


async def asked_to_leave(app: ConsoleApp) -> str:
    """The question's page as one line."""
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press("q")
        await pilot.pause()
        return " ".join(whole(app).split())


async def test_an_attached_screen_leaves_the_house_alone(app: ConsoleApp, session: FakeSession) -> None:
    session.put(
        msgspec.structs.replace(ISLANDED, consoles=("tech (process 7)", "anna (process 9)"), helm="you")
    )
    text = await asked_to_leave(app)
    assert "LEAVE THIS SCREEN? Only this screen ends. The owner goes on" in text
    assert "Still attached: anna (process 9)." in text
    assert "You have the helm: it falls free" in text
    assert "DARK" not in text


async def test_the_last_attached_screen_says_so(app: ConsoleApp, session: FakeSession) -> None:
    session.put(msgspec.structs.replace(ISLANDED, consoles=("tech (process 7)",), helm=""))
    text = await asked_to_leave(app)
    assert "Nobody else is attached" in text
    assert "helm" not in text.replace("HELM nobody", "")


@pytest.mark.parametrize(
    ("house", "then"),
    [
        ("tied", "The house is on the grid now and GOES DARK"),
        ("islanded", "The house is lit from the car now and GOES DARK."),
        ("fault", "The house is dark, and stays dark until an owner runs again."),
        ("unknown", "Whether the house is lit now is not known; it will be DARK."),
    ],
)
async def test_an_owning_screen_says_what_happens_to_the_house(clock: Clock, house: str, then: str) -> None:
    session = FakeSession(trainer=False)
    session.owns = True
    session.put(msgspec.structs.replace(HOUSES[house], consoles=("tech (process 7)", "anna (process 9)")))
    text = await asked_to_leave(ConsoleApp(session, steady=clock))
    assert "END THE OWNER WITH THIS SCREEN?" in text
    assert then in text
    assert "opens the MID within 0.25 s" in text
    assert "These consoles lose their owner: anna (process 9)." in text
    assert "v2h-manager" in text
    assert "It is a simulated house" not in text


async def test_before_the_owner_started_nothing_is_claimed_of_the_house() -> None:
    text = await asked_to_leave(ConsoleApp(None))
    assert "The owner has not started yet" in text
    assert "DARK" not in text
