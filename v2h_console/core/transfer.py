"""Every transfer dissected: detect, open, prove, form, as the logic controller timed them, against the budget."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_MS

#: Milliseconds from the grid's fall to the house's return, by class; ``None`` has no budget.
BUDGET_MS: dict[str, float] = {
    "hard": 100.0,
    "backfeed": 150.0,
    "brownout": 150.0,
    "balanced": 2_000.0,
    "sense_fault": 250.0,
    "intentional": 250.0,
}

#: A house that was dark for so long waited for something, a person as a rule: its time is no longer told in milliseconds.
WAITED_MS = 10_000.0

#: What half-cycle values can resolve at 60 Hz.
UNCERTAINTY_MS = 4.2


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer. All times are ns of the owner's monotonic clock; ``None`` = not (yet) reached.

    ``fell``: the grid's fall; ``commanded``: OPEN given; ``opened``: both contacts; ``proven``: FORM given;
    ``formed``: start of the first half cycle with both legs back.
    """

    transfer_class: str
    cause: str
    fell_ns: int
    commanded_ns: int
    opened_ns: int | None = None
    proven_ns: int | None = None
    formed_ns: int | None = None
    finished: bool = False

    @property
    def total_ms(self) -> float | None:
        """From the fall to the house's return."""
        return None if self.formed_ns is None else (self.formed_ns - self.fell_ns) / NS_PER_MS

    @property
    def budget_ms(self) -> float:
        """What its class allows."""
        return BUDGET_MS.get(self.transfer_class, 100.0)

    def parts_ms(self) -> tuple[float | None, float | None, float | None, float | None]:
        """detect, open, prove, form in milliseconds; they sum up to ``total_ms``."""
        marks = (self.fell_ns, self.commanded_ns, self.opened_ns, self.proven_ns, self.formed_ns)
        parts = [
            None if earlier is None or later is None else (later - earlier) / NS_PER_MS
            for earlier, later in itertools.pairwise(marks)
        ]
        return parts[0], parts[1], parts[2], parts[3]


def opened(transfer: Transfer | None, opened_at_ns: int | None) -> Transfer | None:
    """Both contacts have opened; an edge from before the command says that it was open already."""
    if transfer is None or transfer.opened_ns is not None or opened_at_ns is None:
        return transfer
    return replace(transfer, opened_ns=max(opened_at_ns, transfer.commanded_ns))


def proven(transfer: Transfer | None, now_ns: int) -> Transfer | None:
    """Forming has been commanded."""
    if transfer is None or transfer.proven_ns is not None:
        return transfer
    return replace(transfer, proven_ns=now_ns)


def formed(transfer: Transfer | None, formed_at_ns: int) -> Transfer | None:
    """The house is back."""
    if transfer is None or transfer.finished or transfer.proven_ns is None:
        return transfer
    return replace(transfer, formed_ns=max(formed_at_ns, transfer.proven_ns), finished=True)


def said(transfer: Transfer, total_ms: float) -> str:
    """How long the house was dark, beside what its class allows."""
    if total_ms >= WAITED_MS:
        return (
            f"House back after {total_ms / 1000.0:.0f} s in the dark; "
            f"{transfer.budget_ms:.0f} ms are allowed ({transfer.transfer_class})."
        )
    return f"House back after {total_ms:.0f} of {transfer.budget_ms:.0f} ms ({transfer.transfer_class})."
