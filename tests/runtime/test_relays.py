"""A circuit is switched, or the person hears why it cannot be: an order that nobody carries out is not accepted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, on_the_grid, until
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.relays import Relays
from v2h_console.session.orders import Order, Receipt
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState

CENTRE = "Load centre"
CIRCUITS = [circuit.id for circuit in on_the_grid()[0].loads.circuits]


@pytest.fixture
def owner(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Owner]:
    """A house in which the first four circuits have a relay."""
    owner = made(tmp_path, QuietBus(), relays=getattr(request, "param", Relays(CENTRE, 4)))
    state = owner.lane.published
    owner.lane.published = replace(state, senses=replace(state.senses, links=()))
    owner.start_core()
    until(lambda: owner.lane.lateness.ticks > 0)
    yield owner
    owner.stop()


def hears(owner: Owner, state: LinkState, reason: str = "", age_s: float = 0.0) -> None:
    """Of the load centre's link."""
    at_ns = time.monotonic_ns() - round(age_s * 1e9)
    link = LinkHealth(at_ns, CENTRE, "Modbus RTU", "/dev/ttyS1", state, reason, at_ns, 1, 0, None)
    owner._inbox.readings.append(link)
    until(lambda: any(link.at_ns == at_ns for link in owner.lane.published.senses.links))


def switched(owner: Owner, circuit: str = CIRCUITS[0]) -> Receipt:
    return owner.order(Order(f"{time.monotonic_ns()}", "operator.load_off", {"load": circuit}))


def test_a_circuit_with_a_relay_that_answers_is_switched(owner: Owner) -> None:
    hears(owner, LinkState.OK)
    assert switched(owner).accepted
    hears(owner, LinkState.LATE)
    assert switched(owner).accepted


def test_a_circuit_beyond_the_board_has_no_relay(owner: Owner) -> None:
    hears(owner, LinkState.OK)
    assert "has no relay: Load centre switches the first 4 circuits" in switched(owner, CIRCUITS[4]).reason


def test_a_board_that_does_not_answer_switches_nothing(owner: Owner) -> None:
    assert switched(owner).reason == "Load centre has not been heard yet"
    hears(owner, LinkState.LOST, "no reply within 0.5 s")
    assert switched(owner).reason == "Load centre does not answer: no reply within 0.5 s"
    hears(owner, LinkState.OK, age_s=4.0)
    assert switched(owner).reason == "Load centre does not answer: its driver is silent"


@pytest.mark.parametrize("owner", [None], indirect=True)
def test_a_site_without_a_load_centre_says_so(owner: Owner) -> None:
    assert switched(owner).reason == "this site has no load centre that could switch it"
