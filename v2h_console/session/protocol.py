"""The Session: all that a screen knows of the owner, the same in-process and attached.

``watch`` gives the newest Snapshot and never blocks; ``order`` answers with a Receipt. A screen must not need
anything else of the owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from v2h_console.session.absence import Absence
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves


@dataclass(frozen=True, slots=True)
class OwnerGone:
    """No owner answers since ``since_wall_s``; ``reason`` says why none can be attached to, where that is known."""

    since_wall_s: float
    reason: str = ""


class Session(Protocol):
    """One person's view of an owner."""

    @property
    def name(self) -> str:
        """This console as the owner names it, "" where it does not."""

    @property
    def owns(self) -> bool:
        """Whether the owner runs in this screen's process, and so ends with it."""

    @property
    def run(self) -> str:
        """Another after each start of an owner."""

    @property
    def gone(self) -> OwnerGone | None:
        """Since when no owner answers; ``None`` while one does."""

    @property
    def has_trainer(self) -> bool:
        """Whether the devices are the twin's, so that trainer orders can work at all."""

    def watch(self) -> Snapshot:
        """The newest Snapshot: never blocks, the same object until there is a newer one."""

    async def order(self, order: Order) -> Receipt:
        """Ask; returns within the order's life (2 s) with a Receipt, never raises for a refusal."""

    async def waves(self) -> Waves:
        """A window of waveforms, recorded now. Raises NoWaves."""

    @property
    def absence(self) -> Absence | None:
        """What this person missed before this session began; ``None`` where no earlier screen is known."""

    def here(self, place: str) -> None:
        """The person has pressed a key and stands at ``place``; never blocks."""

    def close(self, how: str = "left") -> None:
        """This screen goes: left by the person, ended from outside, or lost; the owner stays as it is."""
