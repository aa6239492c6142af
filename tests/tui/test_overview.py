"""View 1 on houses in every state, at both sizes, as text."""

from __future__ import annotations

import msgspec
import pytest

from v2h_console.session.snapshot import Snapshot, TariffView, Value
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.lines import plain_text
from v2h_console.tui.panes.bar import bar
from v2h_console.tui.panes.overview import overview
from v2h_console.tui.picture import Picture

from .conftest import Clock, shown, whole
from .houses import FAULT, HOUSES, ISLANDED, TIED, UNKNOWN, WALL_S, FakeSession, v

ISLANDED_80 = """\
 ISLANDED      MID OPEN aux+volts    GRID DEAD 00:42     HELM you     ALARMS 1 !
 Waiting for the grid; then 300 s in window, then a synchronised close. 14:02:53
──────────────────────────────────────────────────────── TWIN: simulated house ─
 GRID (street side)      MID                 HOUSE                  in window if
 L1        0.2 V      ───o   o───            L1      119.8 V          110 - 126
 L2        0.1 V        O P E N              L2      120.1 V          110 - 126
 L1-L2     0.3 V      opened in 18 ms        L1-L2   239.9 V          220 - 252
 f       --.-- Hz     worst of 12: 24        f       60.00 Hz       59.5 - 60.1
                                             THD       1.2 %              < 3.0
────────────────────────────────────────────────────────────────────────────────
 LEG    now / limit   by setting             INVERTER   forming, heartbeat ok
 L1    21.4 / 31.7 A  ████████████░░░░░░     power      4.13 / 7.60 kW of 10.0
 L2    13.0 / 31.7 A  ███████░░░░░░░░░░░     heatsink   38.6 °C  fan off (on 40)
────────────────────────────────────────────────────────────────────────────────
 CAR    64 %  floor 20 %    412 V  10.4 A    lasts about 6 h 40 min at 4.1 kW
 LOADS  7 on    2 held: HVAC 00:18, EVSE     1 shed: dryer      top Water heater
 LAST TRANSFER   61 of 100 ms    detect 14 · open 18 · prove 20 · form 9  ±4.2
────────────────────────────────────────────────────────────────────────────────
 ! 14:02:11  Dryer shed: L2 would have passed 31.7 A for 10 s. Restores alone.
   14:02:11  HVAC held for the first 60 s of islanding (rule, not a fault).
   14:02:11  Grid lost on both legs within 2 ms.


 O OPEN MID  a acknowledge  Enter explain  ! trainer  1-9 views  : any  ? help
"""

UNKNOWN_80 = """\
 UNKNOWN       MID UNKNOWN no proof  GRID UNKNOWN 00:07  HELM you     ALARMS 3 !
 !! LOGIC CONTROLLER SILENT 7 s. Treat MID, grid and house as LIVE.     14:02:53
────────────────────────────────────────────────────────────────────────────────
 GRID (street side)      MID                 HOUSE                  in window if
 L1         -- V  7s  ───?   ?───            L1      118.9 V inv      110 - 126
 L2         -- V  7s    UNKNOWN              L2      119.2 V inv      110 - 126
 L1-L2      -- V  7s  last seen CLOSED       L1-L2   238.1 V inv      220 - 252
 f          -- Hz 7s  14:02:46               f       59.98 Hz inv   59.5 - 60.1
                                             THD        -- %  7s          < 3.0
────────────────────────────────────────────────────────────────────────────────
 LEG    now / limit                          INVERTER   stopped by us 14:02:46
 L1      -- / 31.7 A  ?????????????????? 7s  power      0.00 / 7.60 kW of 10.0
 L2      -- / 31.7 A  ?????????????????? 7s  heatsink   38.1 °C  fan off (on 40)
────────────────────────────────────────────────────────────────────────────────
 CAR    64 %  floor 20 %    412 V   0.0 A    not discharging
 LOADS  unknown: the load switches hang on the same controller
 WHAT TO DO  1 stand clear of the MID    2 look at the controller's RUN lamp
             3 off: check its supply     4 on: check the CAN plug
────────────────────────────────────────────────────────────────────────────────
 ! 14:02:46  Controller: no frame for 3 periods. Gate off, MID told to open.
 ! 14:02:46  MID did not confirm open (no aux). LOCKED OUT until you reset it.
 ! 14:02:47  Waiting for heartbeat to stop: the MID module opens by itself.

 O OPEN MID   a acknowledge   Enter explain   1-9 views   : any action   ? help
"""


def drawn(snapshot: Snapshot, width: int = 80, height: int = 19) -> list[str]:
    """The bar's and the body's lines without an application."""
    picture = Picture(snapshot, WALL_S, width, height)
    return [plain_text(line) for line in [*bar(picture), *overview(picture)]]


async def test_an_islanded_house_at_80_by_24_stands_as_laid_out(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)):
        assert shown(app) == ISLANDED_80.splitlines()


async def test_a_silent_controller_leaves_no_old_number_standing(clock: Clock) -> None:
    session = FakeSession(trainer=False)
    session.show("unknown")
    app = ConsoleApp(session, wall=lambda: WALL_S, steady=clock)
    async with app.run_test(size=(80, 24)):
        assert shown(app) == UNKNOWN_80.splitlines()


async def test_at_120_by_40_gauges_a_plot_and_tables_join_in(app: ConsoleApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.6)
        rows = shown(app)
    assert len(rows) == 40
    # The first row keeps its places at any width.
    assert rows[0].startswith(ISLANDED_80.splitlines()[0])
    assert rows[4].endswith("█████│████░░│░░░░░      110 - 126")
    text = "\n".join(rows)
    assert "LEGS, last 1 min" in text
    assert "Water heater   L1L2  3    2240 W   on" in text
    assert "Load centre   Modbus RTU       2s    41 ms  late" in text


@pytest.mark.parametrize("name", HOUSES)
@pytest.mark.parametrize(
    ("width", "height"), [(80, 19), (99, 19), (100, 19), (119, 29), (120, 35), (200, 60)]
)
def test_no_house_overflows_its_screen(name: str, width: int, height: int) -> None:
    rows = drawn(HOUSES[name], width, height)
    assert len(rows) <= height + 3
    if name != "hostile":
        assert {len(row) for row in rows} == {width}


def test_a_value_out_of_its_limit_is_marked_with_a_word_not_only_a_colour() -> None:
    rows = drawn(FAULT)
    assert rows[4].startswith(" L1     !131.4 V")
    assert "L2   !33.2 / 31.7 A" in rows[12]
    assert "heatsink  !47.9 °C" in rows[12]
    assert "CAR   !19 %" in rows[14]
    assert "!FAULT: Range" in rows[15]
    assert "LAST TRANSFER   !240 of 100 ms" in rows[16]


def test_a_dark_house_does_not_mark_its_own_zeros() -> None:
    rows = drawn(FAULT)
    assert rows[4][45:60] == "L1        0.4 V"


def test_a_late_value_carries_its_age() -> None:
    house = msgspec.structs.replace(ISLANDED.house, l1_v=v(119.8, 2600.0))
    assert "119.8 V  ~2s" in drawn(msgspec.structs.replace(ISLANDED, house=house))[4]


def test_why_the_grid_is_not_good_enough_stands_under_it() -> None:
    assert drawn(FAULT)[8].startswith(" L1 131.4 V is above 126 V")


def test_the_count_to_reconnection_is_shown_while_it_runs() -> None:
    rows = drawn(HOUSES["returning"])
    assert rows[0].startswith(" RETURNING     MID OPEN aux+volts    GRID IN WINDOW 4:12 HELM")
    assert rows[8].startswith(" in window 252 of 300 s  █████████████░░░")


def test_a_site_with_real_devices_never_says_twin() -> None:
    assert "TWIN" not in "".join(drawn(UNKNOWN))
    assert "TWIN" in "".join(drawn(TIED)[:3])


def test_an_alarm_brings_what_to_do() -> None:
    rows = drawn(FAULT)
    assert "WHAT TO DO  Open and lock the main" in rows[17]


def test_nothing_known_yet_is_never_zero() -> None:
    text = "\n".join(drawn(HOUSES["starting"]))
    assert "0.0 V" not in text
    assert "-- / 0.00 kW" not in text
    assert "never seen yet" in text


async def test_an_owner_that_falls_silent_takes_its_numbers_with_it(clock: Clock) -> None:
    session = FakeSession()
    session.show("silent")
    app = ConsoleApp(session, wall=lambda: WALL_S, steady=clock)
    async with app.run_test(size=(80, 24)):
        assert "119.8 V" in whole(app)
        clock.now_s += 3.0
        app._poll()
        assert "THE OWNER IS SILENT 3 s" in whole(app)
        assert "119.8 V  ~3s" in whole(app)
        clock.now_s += 4.0
        app._poll()
        text = whole(app)
    assert text.startswith(" UNKNOWN       MID UNKNOWN no proof  GRID UNKNOWN 00:07")
    assert "119.8" not in text
    assert "last seen CLOSED" in text


def test_the_car_s_line_says_what_it_shaves_and_until_when() -> None:
    shaving = msgspec.structs.replace(
        TIED,
        car=msgspec.structs.replace(TIED.car, soc_pct=Value(64.0, 300.0)),
        tariff=TariffView(configured=True, window="17:00-21:00", power_w=2_900.0, confirmed=True),
    )
    (line,) = [row for row in drawn(shaving) if row.startswith(" CAR")]
    assert line.rstrip().endswith("shaves 2.90 kW, tariff 17:00-21:00")
    assert len(line) <= 80


def test_a_transfer_that_took_minutes_runs_into_nothing() -> None:
    assert FAULT.last_transfer is not None
    transfer = msgspec.structs.replace(
        FAULT.last_transfer, total_ms=73_276.0, open_ms=72_241.0, budget_ms=100.0, ok=False
    )
    row = drawn(msgspec.structs.replace(FAULT, last_transfer=transfer))[16]
    assert "!73276 of 100 ms  detect " in row
    assert "open 72241" in row
