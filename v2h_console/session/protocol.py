"""The Session: all that a screen knows of the owner, the same in-process and attached.

``watch`` gives the newest Snapshot and never blocks; ``order`` answers with a Receipt. A screen must not need
anything else of the owner.
"""

from __future__ import annotations

from typing import Protocol

from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.waves import Waves


class Session(Protocol):
    """One person's view of an owner."""

    @property
    def has_trainer(self) -> bool:
        """Whether the devices are the twin's, so that trainer orders can work at all."""

    def watch(self) -> Snapshot:
        """The newest Snapshot: never blocks, the same object until there is a newer one."""

    async def order(self, order: Order) -> Receipt:
        """Ask; returns within the order's life (2 s) with a Receipt, never raises for a refusal."""

    async def waves(self) -> Waves:
        """A window of waveforms, recorded now. Raises NoWaves."""

    def close(self) -> None:
        """This screen goes; the owner stays as it is."""
