"""What counts as a reaction: judged on truths that are made up for the question."""

from __future__ import annotations

from v2h_console.proving import reactions
from v2h_console.proving.course import JudgedSite
from v2h_console.twin.scenario import Scenario
from v2h_console.twin.scene import Scene, scene
from v2h_console.twin.truth import Truth

MS = 1_000_000
ONSET_NS = 5_000 * MS


def house() -> Scene:
    """On the grid, nothing wrong."""
    return scene(JudgedSite(Scenario("still", 1.0), 0).site.world)


def after(*truths: tuple[float, str]) -> list[Truth]:
    """Names with their milliseconds after the onset."""
    return [Truth(ONSET_NS + int(ms * MS), name, {}) for ms, name in truths]


def test_noise_that_moves_the_mid_is_not_left_alone() -> None:
    assert reactions.undisturbed(ONSET_NS, house(), after((30.0, "coil.off"))) is None


def test_a_command_that_was_on_the_wire_as_the_noise_began_is_not_its_doing() -> None:
    """The core had seen the grid go; the controller heard of it 0.06 ms after the first noisy sample."""
    told = after((0.06, "coil.off"), (29.0, "mid.opened"), (1_348.0, "fault.cleared"))
    assert reactions.undisturbed(ONSET_NS, house(), told) == 0.0


def test_what_follows_another_cause_is_not_the_noises_doing() -> None:
    assert reactions.undisturbed(ONSET_NS, house(), after((10.0, "grid.lost"), (30.0, "coil.off"))) == 0.0


def test_a_close_that_works_once_the_fault_is_over_is_no_fourth_try() -> None:
    tried = [(1_000.0, "coil.on"), (31_000.0, "coil.on"), (61_000.0, "coil.on")]
    works = [(70_000.0, "fault.cleared"), (91_000.0, "coil.on"), (150_000.0, "coil.on")]
    three = reactions.closes_at_most(3)
    assert three(ONSET_NS, house(), after(*tried, *works)) == 0.0
    assert three(ONSET_NS, house(), after(*tried, (91_000.0, "coil.on"))) is None
