"""The core's whole memory: one frozen, serialisable value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_console.core.alarms_state import Alarm
from v2h_console.core.car_reserve import CarState
from v2h_console.core.contact_watch import ContactWatch
from v2h_console.core.export import ExportState
from v2h_console.core.follower import FollowerState
from v2h_console.core.grid_monitor import GridState
from v2h_console.core.house_watch import HouseWatch
from v2h_console.core.latch import LatchState
from v2h_console.core.load_holds import drop_for_forming
from v2h_console.core.load_state import LoadState, initial
from v2h_console.core.mid_proof import ProofState
from v2h_console.core.parallel import ParallelState
from v2h_console.core.parallel import initial as no_units
from v2h_console.core.relay_times import RelayTimes
from v2h_console.core.sense_plausibility import SensePlausibility
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, Settings
from v2h_console.core.solar import SolarState
from v2h_console.core.street_trial import StreetTrial
from v2h_console.core.supply import SupplyState
from v2h_console.core.synchronism import SyncState
from v2h_console.core.tariff import TariffState
from v2h_console.core.thermal import ThermalState
from v2h_console.core.transfer import Transfer


class Mode(str, Enum):
    """The islanding machine's states."""

    BOOT_OPEN = "boot_open"
    TIED = "tied"
    OPENING = "opening"
    PROVING = "proving"
    DARK = "dark"
    FORMING = "forming"
    ISLANDED = "islanded"
    SYNCING = "syncing"
    CLOSING_SYNC = "closing_sync"
    HANDBACK = "handback"
    CLOSING_DEAD = "closing_dead"
    FAULT_OPEN = "fault_open"


class FaultCause(str, Enum):
    """Why FAULT_OPEN: the soft ones end by themselves once the MID is proven open, the others need a person."""

    NONE = ""
    BOOT = "boot"
    NOT_OPEN = "not_open"
    UNHEARD = "unheard"
    DISAGREEMENT = "disagreement"
    UNBIDDEN = "unbidden"
    BACKFEED = "backfeed"


@dataclass(frozen=True, slots=True)
class IslandingState:
    """The machine and its lockouts. ``*_not_before_ns`` are the ladders' next tries.

    ``operator_hold``: a person opened the MID; nothing closes until a person asks for it. ``emptied``: the last
    island ended at the car's reserve. ``coupling``: the most of the house's voltage that can be reaching each street
    leg, as forming has shown it. ``street_lives_since_ns``: since when the street lives beside a fault's dark house.
    """

    mode: Mode = Mode.BOOT_OPEN
    since_ns: int = 0
    fault_cause: FaultCause = FaultCause.NONE
    proven_in_fault_since_ns: int | None = None
    lk_form: str = ""
    lk_close: str = ""
    operator_hold: bool = False
    form_tries: int = 0
    soft_stops: int = 0
    form_not_before_ns: int = 0
    close_tries: int = 0
    #: How often in a row the house was not brought in phase in time.
    sync_tries: int = 0
    close_not_before_ns: int = 0
    close_token: int = 0
    closed_since_ns: int | None = None
    dead_since_ns: int | None = None
    #: Since when no leg of the house has had what a motor runs on, be there a ghost of voltage; unknown volts count on.
    unlit_since_ns: int | None = None
    grid_was_dead: bool = False
    coupling: tuple[float, float] = (1.0, 1.0)
    street_lives_since_ns: int | None = None
    contact_grace_until_ns: int = 0
    gate_in_tied: bool = True
    heard_mid_since_ns: int | None = None
    gate_stays_since_ns: int | None = None
    inverter_failed_ns: int | None = None
    #: Since when the inverter makes a frequency beside the grid; and has been told to stop while it gives all the same.
    rivals_since_ns: int | None = None
    gate_off_since_ns: int | None = None
    gives_since_ns: int | None = None
    emptied: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next step needs."""

    started_ns: int = 0
    #: When this process took the core up from another owner's; ``None`` = it has started by itself.
    taken_up_ns: int | None = None
    senses: Senses = Senses()
    plausibility: SensePlausibility = SensePlausibility()
    export: ExportState = ExportState()
    follower: FollowerState = FollowerState()
    grid: GridState = GridState()
    proof: ProofState = ProofState()
    sync: SyncState = SyncState()
    thermal: ThermalState = ThermalState()
    car: CarState = CarState()
    loads: LoadState = LoadState()
    latch: LatchState = LatchState()
    islanding: IslandingState = IslandingState()
    transfer: Transfer | None = None
    last_transfer: Transfer | None = None
    transfers: int = 0
    relay: RelayTimes = RelayTimes()
    contacts: ContactWatch = ContactWatch()
    supply: SupplyState = SupplyState()
    solar: SolarState = SolarState()
    solar_permitted: bool = True
    parallel: ParallelState = ParallelState()
    tariff: TariffState = TariffState()
    house: HouseWatch = HouseWatch()
    street: StreetTrial = StreetTrial()
    operator_limit_w: float | None = None
    #: (nonce, expiry) of the orders that could still count: each counts once.
    nonces: tuple[tuple[str, int], ...] = ()
    requested_limit_w: float | None = None
    requested_limit_ns: int = 0
    #: Since when the inverter has not shown the limit; how it ignores it, in words; how often it was asked again.
    limit_doubted_ns: int | None = None
    limit_ignored: str = ""
    limit_tries: int = 0
    alarms: tuple[Alarm, ...] = ()


#: A contact that was commanded has come to rest after this, wherever it was then told to go.
CONTACT_RESTS_NS = 100 * NS_PER_MS
#: One whose owner is gone: the controller lets go of it 100 ms after the last command.
ORPHAN_RESTS_NS = 100 * NS_PER_MS + CONTACT_RESTS_NS


def boot(settings: Settings, now_ns: int) -> State:
    """Every start is open, with every timer at zero (I3), heavy loads held off: an inverter may still be forming. How long
    the house has been dark nobody knows: compressors rest.

    So may a contact be on its way that the last run commanded: it is not unbidden, and nothing forms before it rests.
    """
    rests_ns = now_ns + ORPHAN_RESTS_NS
    return State(
        started_ns=now_ns,
        loads=drop_for_forming(settings, initial(settings), False, now_ns, dark=True),
        islanding=IslandingState(
            since_ns=now_ns, form_not_before_ns=rests_ns, contact_grace_until_ns=rests_ns
        ),
        parallel=no_units(settings.parallel),
    )
