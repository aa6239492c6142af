"""What a person can press, and what the owner is then asked."""

from __future__ import annotations

import msgspec
import pytest
from textual import events
from textual.widgets import Input

from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import AlarmView, EventView
from v2h_console.tui.actions import ACTIONS
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.keymap import KEYS

from .conftest import Clock, shown, whole
from .houses import FAULT, ISLANDED, FakeSession

replace = msgspec.structs.replace


def asked(session: FakeSession) -> list[tuple[str, dict[str, float | str | bool], bool]]:
    """The orders without their nonces."""
    return [(order.do, order.params, order.confirmed) for order in session.orders]


@pytest.mark.parametrize("key", ["O", "ctrl+o"])
async def test_o_opens_the_mid_at_once(app: ConsoleApp, session: FakeSession, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert asked(session) == [("operator.open_mid", {}, False)]
        assert shown(app)[22] == " MID told to open. Only c closes it again, after 300 s of good grid."


@pytest.mark.parametrize("opener", ["question_mark", "exclamation_mark", "q", "enter", "3", "6"])
async def test_o_opens_the_mid_from_every_screen(app: ConsoleApp, session: FakeSession, opener: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(opener)
        await pilot.pause()
        await pilot.press("O")
        await pilot.pause()
        assert [order.do for order in session.orders] == ["operator.open_mid"]


@pytest.mark.parametrize("opener", ["c", "colon"])
async def test_in_a_field_the_letter_types_and_ctrl_o_opens(
    app: ConsoleApp, session: FakeSession, opener: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(opener)
        await pilot.pause()
        await pilot.press("O")
        await pilot.pause()
        assert session.orders == []
        assert app.screen.query_one(Input).value == "O"
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert [order.do for order in session.orders] == ["operator.open_mid"]


async def test_the_same_order_within_300_ms_counts_once(
    app: ConsoleApp, session: FakeSession, clock: Clock
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(4):
            await pilot.press("O")
            clock.now_s += 0.1
        await pilot.pause()
        assert len(session.orders) == 1
        clock.now_s += 0.31
        await pilot.press("O")
        await pilot.pause()
        assert len(session.orders) == 2
        assert session.orders[0].nonce != session.orders[1].nonce


async def test_a_refusal_stands_on_the_screen_in_the_owners_words(
    app: ConsoleApp, session: FakeSession
) -> None:
    session.refuse = "Closing needs the helm: nobody has it. Press t to take it. [/]"
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("O")
        await pilot.pause()
        assert shown(app)[22] == " Refused: Closing needs the helm: nobody has it. Press t to take it. [/]"


async def test_an_answer_leaves_after_its_time(app: ConsoleApp, clock: Clock) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("O")
        await pilot.pause()
        clock.now_s += 6.1
        app._poll()
        assert shown(app)[22] == ""


async def test_a_long_refusal_is_not_cut(app: ConsoleApp, session: FakeSession) -> None:
    session.refuse = "The grid has been in its window for 12 of 300 s. " * 4
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("O")
        await pilot.pause(0.1)
        rows = shown(app)
        assert rows[20].startswith(" Refused: The grid has been")
        assert rows[22].endswith("12 of 300 s.")
        assert rows[23].startswith(" O OPEN MID")


async def test_closing_needs_the_word_typed(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("c", "l", "o", "s", "e", "enter")
        await pilot.pause()
        assert session.orders == []
        assert "Not done: type CLOSE in capital letters" in whole(app)
        await pilot.press("ctrl+u", "C", "L", "O", "S", "E", "enter")
        await pilot.pause()
        assert asked(session) == [("operator.close_mid", {}, True)]
        assert session.orders[0].seen_ns == 1, "a canned house has no time"
        assert "HOUSE" in whole(app)


async def test_a_pasted_word_does_not_count(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        app.screen.query_one(Input).post_message(events.Paste("CLOSE"))
        await pilot.pause()
        app.copy_to_clipboard("CLOSE")
        await pilot.press("ctrl+v", "enter")
        await pilot.pause()
        assert app.screen.query_one(Input).value == ""
        assert session.orders == []


async def test_where_no_lockout_stands_there_is_nothing_to_reset(
    app: ConsoleApp, session: FakeSession
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("R")
        await pilot.pause()
        assert not app.screen.query(Input)
        assert session.orders == []


async def test_pasted_text_never_counts_as_keys(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(events.Paste("OOq"))
        await pilot.pause()
        assert session.orders == []
        assert len(app.screen_stack) == 1


async def test_esc_leaves_a_confirmation_with_nothing_done(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("C", "escape")
        await pilot.pause()
        assert session.orders == []
        assert len(app.screen_stack) == 1


async def test_acknowledge_takes_all_or_the_chosen_one(app: ConsoleApp, session: FakeSession) -> None:
    session.put(
        msgspec.structs.replace(
            ISLANDED, alarms=(*ISLANDED.alarms, AlarmView("FAN_STUCK", "warning", "Fan stuck.", 1.0))
        )
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        await pilot.press("a")
        await pilot.press("j", "j", "a")
        await pilot.pause()
        assert asked(session) == [
            ("operator.acknowledge", {}, False),
            ("operator.acknowledge", {"code": "FAN_STUCK"}, False),
        ]


TRAINER = [
    ("g", "grid.loss", {}),
    ("l", "grid.loss", {"leg": 1}),
    ("b", "grid.loss", {"backfeed": True}),
    ("r", "grid.return", {}),
    ("s", "grid.sag", {"pu": 0.7, "for_s": 1.0}),
    ("w", "fault.inject", {"fault": "mid.welded"}),
    ("x", "fault.clear", {"fault": "mid.welded"}),
    ("u", "ev.unplug", {}),
    ("p", "ev.plug", {}),
]


@pytest.mark.parametrize(("key", "do", "params"), TRAINER)
async def test_the_trainer_moves_the_simulated_world(
    app: ConsoleApp, session: FakeSession, key: str, do: str, params: dict[str, float | str | bool]
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("exclamation_mark")
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert asked(session) == [(do, params, False)]
        assert len(app.screen_stack) == 1


async def test_a_load_is_switched_from_the_trainer(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("exclamation_mark")
        await pilot.pause()
        await pilot.press("d")
        await pilot.pause()
        assert "Fridge: on, 0.14 kW. Switch off" in whole(app)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert asked(session) == [("load.off", {"load": "furnace"}, False)]


async def test_there_is_no_trainer_on_real_devices(clock: Clock) -> None:
    session = FakeSession(trainer=False)
    session.show("tied")
    app = ConsoleApp(session, steady=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert "real devices" in shown(app)[22]
        await pilot.press("colon")
        await pilot.pause()
        assert not [row for row in shown(app)[3:21] if "rainer" in row]


class BrokenSession(FakeSession):
    """Its link breaks at each order."""

    async def order(self, order: Order) -> Receipt:
        raise ConnectionError("the owner's socket is gone")


async def test_an_order_that_breaks_on_its_way_is_said_and_ends_nothing(clock: Clock) -> None:
    session = BrokenSession()
    session.show("islanded")
    app = ConsoleApp(session, steady=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("O")
        await pilot.pause()
        assert "The order failed on its way: the owner's socket is gone. It is not confirmed." in whole(app)


def test_every_action_has_a_key_or_is_in_the_palette() -> None:
    assert set(KEYS) == set(ACTIONS)
    assert all(ACTIONS[name].listed or keys for name, (keys, _) in KEYS.items())


def test_the_keys_that_stop_a_process_or_a_terminal_stay_free() -> None:
    bound = {key for keys, _ in KEYS.values() for key in keys.split(",")}
    assert not bound & {"ctrl+z", "ctrl+s", "ctrl+b", "ctrl+a"}


async def test_a_confirmation_tells_of_the_picture_on_which_it_was_asked(
    session: FakeSession, app: ConsoleApp
) -> None:
    session.put(msgspec.structs.replace(FAULT, at_ns=5_000_000_000))
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press("R", *"RESE")
        second = AlarmView("SECOND_MASTER", "lockout", "Somebody else commands the controller.", 0.0)
        session.put(msgspec.structs.replace(FAULT, at_ns=9_000_000_000, alarms=(second, *FAULT.alarms)))
        app._poll()
        await pilot.press("T", "enter")
        await app.workers.wait_for_complete()
        assert [(order.do, order.seen_ns) for order in session.orders] == [
            ("operator.reset_lockout", 5_000_000_000)
        ]


@pytest.mark.parametrize(
    ("key", "word", "do", "event", "said"),
    [
        (
            "R",
            "RESET",
            "operator.reset_lockout",
            EventView(900, 0.0, "LOCKOUT_RESET_REFUSED", "warning", "Not reset: both contacts say closed."),
            " Not reset: both contacts say closed.",
        ),
        (
            "c",
            "CLOSE",
            "operator.close_mid",
            EventView(900, 0.0, "MID_HOLD_RELEASED", "info", "The MID may close again."),
            " The MID may close again.",
        ),
        ("c", "CLOSE", "operator.close_mid", None, " No hold stood: the MID closes by itself when it may."),
        ("R", "RESET", "operator.reset_lockout", None, " Reset asked for: what still stands is in view 6."),
    ],
)
async def test_what_the_core_made_of_an_order_is_what_is_said_of_it(
    app: ConsoleApp, session: FakeSession, key: str, word: str, do: str, event: EventView | None, said: str
) -> None:
    locked = replace(FAULT, locked_out=True)
    session.put(locked)

    def answer() -> None:
        if event is not None:
            session.put(replace(locked, events=(*locked.events, event)))

    session.answers = answer
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press(key, *word, "enter")
        for _ in range(40):
            await pilot.pause(0.05)
            if shown(app)[22].strip():
                break
        assert [order.do for order in session.orders] == [do]
        assert shown(app)[22] == said


async def test_closing_says_before_the_word_is_typed_that_it_goes_on_by_itself(
    app: ConsoleApp, session: FakeSession
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        text = " ".join(" ".join(shown(app)).split())
        assert "CLOSES BY ITSELF, also when you have left" in text
        assert "A lockout stands" not in text
