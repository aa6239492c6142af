"""Windows of waveforms are recorded one after the other, and not for people who have left."""

from __future__ import annotations

from concurrent.futures import Future

from v2h_console.runtime.captures import TOO_MANY, WAITING_MOST, Captures
from v2h_drivers.capabilities.requests import WaveCapture

WINDOW = WaveCapture(0, 7_680.0, (1.0,), (2.0,), (3.0,), (4.0,))


class Asker:
    """Somebody who asks, and may give up."""

    def __init__(self, captures: Captures) -> None:
        self.told: list[WaveCapture | str] = []
        self.wanted: Future[None] = Future()
        captures.append(self.told.append, lambda: not self.wanted.cancelled())


def test_each_is_told_of_its_own_window_in_turn() -> None:
    captures = Captures()
    assert not captures.begins()
    first, second = Asker(captures), Asker(captures)
    assert captures.begins()
    assert not captures.begins(), "one at a time"
    captures.ended(WINDOW)
    assert (first.told, second.told) == ([WINDOW], [])
    assert captures.begins()
    captures.ended("the controller sends no waveform")
    assert second.told == ["the controller sends no waveform"]
    assert not captures.begins()


def test_who_has_left_the_row_holds_nobody_up() -> None:
    captures = Captures()
    for _ in range(6):
        Asker(captures).wanted.cancel()
    there = Asker(captures)
    assert captures.begins()
    captures.ended(WINDOW)
    assert there.told == [WINDOW]
    assert not captures.begins()


def test_who_leaves_while_others_wait_makes_room() -> None:
    captures = Captures()
    askers = [Asker(captures) for _ in range(WAITING_MOST)]
    askers[1].wanted.cancel()
    late = Asker(captures)
    while captures.begins():
        captures.ended(WINDOW)
    assert [asker.told for asker in (*askers, late)] == [[WINDOW], [], [WINDOW]]


def test_who_would_wait_too_long_is_told_so_at_once() -> None:
    captures = Captures()
    Asker(captures)
    assert captures.begins()
    row = [Asker(captures) for _ in range(WAITING_MOST)]
    late = Asker(captures)
    assert late.told == [TOO_MANY]
    assert [asker.told for asker in row] == [[]] * WAITING_MOST


def test_a_window_that_nobody_waits_for_any_more_ends_before_the_next_begins() -> None:
    captures = Captures()
    gone = Asker(captures)
    assert captures.begins()
    gone.wanted.cancel()
    there = Asker(captures)
    assert not captures.begins(), "its samples would be taken for the next window's"
    captures.ended(WINDOW)
    assert captures.begins()
    captures.ended("no")
    assert there.told == ["no"]
