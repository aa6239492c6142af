"""What is remembered of each circuit while islanded, and of all of them together."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.load_peaks import Peaks
from v2h_console.core.settings import Circuit, Settings

#: Shed for overload this often, it is the culprit: off while islanded until a person resets it.
CULPRIT_TRIPS = 3
CULPRIT = f"overloaded the island {CULPRIT_TRIPS} times: off while islanded until reset with R"


@dataclass(frozen=True, slots=True)
class CircuitState:
    """``shed``: held off by us; ``stuck``: its switch did not follow, so it counts as on; ``doubted``: nor did it the
    last time it was asked to; ``reason`` in words; ``until_ns``: earliest return, ``None`` = not by time; ``trips``:
    overloads it was shed for in this island; ``learned_va``: what it has been seen to draw beyond the table;
    ``told_off_ns``: when a person last had its relay opened."""

    shed: bool = False
    stuck: bool = False
    reason: str = ""
    until_ns: int | None = None
    off_since_ns: int | None = None
    trips: int = 0
    learned_va: float = 0.0
    doubted: bool = False
    told_off_ns: int | None = None

    @property
    def culprit(self) -> bool:
        """Whether it has overloaded the island too often to be tried again."""
        return self.trips >= CULPRIT_TRIPS


@dataclass(frozen=True, slots=True)
class Start:
    """The one that is starting: circuit index, when it was let in, and what each leg should then carry."""

    index: int
    at_ns: int
    expected_va: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LoadState:
    """One entry a circuit; ``next_admission_ns`` staggers the returns. ``over_since_ns``, ``surge_since_ns``: since
    when a path has been over its continuous and its 10 s limit; ``helpless_since_ns``: since when it has been with
    nothing left to shed; ``limit_w`` and ``units``: limit and inverters at the last look; ``fell_ns``, ``fell_from_w`` and
    ``fell_from_units``: when the limit last fell, and from where, with what it fell by shortly before; ``spare_mask``: what
    goes with the largest inverter; ``suspects``: what was shed last, ``shed_from_va``: with how much in all, and
    ``shed_usual_va``: how much of it is theirs by table and meter; ``rested_mask``: circuits that drew nothing by their
    meters when the grid was left; ``heard_since_ns``: since when the
    switches' feedback has come without a break; ``heard_at_ns``: the newest that was looked at; ``lit_ns``: when the
    island was lit; ``start_w``: what the inverter may give where it is to light the house, ``None`` = its setting."""

    circuits: tuple[CircuitState, ...] = ()
    next_admission_ns: int = 0
    over_since_ns: int | None = None
    drop_more_tiers: int = 0
    blind: bool = False
    start: Start | None = None
    surge_since_ns: int | None = None
    helpless_since_ns: int | None = None
    shed_at_ns: int = 0
    limit_w: float = 0.0
    fell_ns: int | None = None
    fell_from_w: float = 0.0
    fell_from_units: int = 1
    units: int = 1
    spare_mask: int = 0
    suspects: int = 0
    shed_from_va: float = 0.0
    shed_usual_va: float = 0.0
    rested_mask: int = 0
    peaks: Peaks = Peaks()
    heard_since_ns: int | None = None
    heard_at_ns: int | None = None
    lit_ns: int = 0
    start_w: float | None = None

    def may_start_w(self, settings: Settings) -> float:
        """What the inverter may start the house with, as far as is known."""
        return settings.inverter.max_discharge_w if self.start_w is None else self.start_w

    def live_since_ns(self, index: int) -> int:
        """Since when this circuit may draw: what its meter said before that says nothing of now."""
        start = self.start
        return self.lit_ns if start is None or start.index != index else max(self.lit_ns, start.at_ns)

    @property
    def doubted_mask(self) -> int:
        """Bit = circuit whose switch did not follow, now or the last time."""
        return sum(1 << index for index, circuit in enumerate(self.circuits) if circuit.doubted)

    @property
    def stuck_mask(self) -> int:
        """Bit = circuit whose switch did not follow."""
        return sum(1 << index for index, circuit in enumerate(self.circuits) if circuit.stuck)

    @property
    def mask(self) -> int:
        """SHED as it goes to the controller."""
        return sum(1 << index for index, circuit in enumerate(self.circuits) if circuit.shed)


def initial(settings: Settings) -> LoadState:
    """Nothing held off."""
    return LoadState(circuits=tuple(CircuitState() for _ in settings.loads.circuits))


def remembered(settings: Settings, state: LoadState) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the culprits, and of the circuits whose switch is in doubt: what a restart may not forget."""
    if not any(held.doubted or held.culprit for held in state.circuits):
        return (), ()
    both = list(zip(settings.loads.circuits, state.circuits, strict=True))
    culprits = tuple(circuit.id for circuit, held in both if held.culprit)
    return culprits, tuple(circuit.id for circuit, held in both if held.doubted)


def with_remembered(
    settings: Settings, state: LoadState, culprits: tuple[str, ...], doubted: tuple[str, ...]
) -> LoadState:
    """What an earlier run remembered; a circuit that the load table no longer has is passed over."""
    circuits = tuple(
        replace(
            held,
            trips=max(held.trips, CULPRIT_TRIPS) if circuit.id in culprits else held.trips,
            doubted=held.doubted or circuit.id in doubted,
        )
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def known(circuit: Circuit, held: CircuitState) -> Circuit:
    """The table's line, raised to what has been seen; never lowered."""
    if held.learned_va <= circuit.running_va:
        return circuit
    return replace(circuit, running_va=held.learned_va)


def hold(held: CircuitState, reason: str, until_ns: int | None, now_ns: int) -> CircuitState:
    """Held off from now on, where it is not already."""
    if held.shed:
        return held
    return replace(held, shed=True, stuck=False, reason=reason, until_ns=until_ns, off_since_ns=now_ns)


def with_circuit(state: LoadState, index: int, held: CircuitState) -> tuple[CircuitState, ...]:
    """All circuits, this one replaced."""
    return (*state.circuits[:index], held, *state.circuits[index + 1 :])
