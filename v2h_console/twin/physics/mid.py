"""The microgrid interconnection device: a spring-open two-pole relay with two auxiliary contacts.

Pole 1 carries the NC mirror contact (force-guided: it cannot close while pole 1 is made), pole 2 the NO contact.
Opening: coil off, latency, the contacts part, each pole's arc burns to its next current zero. Closing: coil on,
travel, both poles touch within half a millisecond, bounce.
"""

from __future__ import annotations

from collections.abc import Callable

from v2h_console.twin.house import MidData
from v2h_console.twin.physics.agenda import Agenda
from v2h_console.twin.physics.streams import central, uniform

_MS = 1_000_000
#: How long fluttering contacts stay apart.
_FLUTTER_MS = (2.0, 6.0)
#: Parts of the bounce time at which a bouncing contact leaves and touches again.
_BOUNCE = ((0.25, False), (0.45, True), (0.70, False), (1.0, True))


class Mid:
    """The truth of the MID.

    ``nc_closed`` and ``no_closed`` are the auxiliary contacts as the controller's inputs see them, faults included;
    ``main_closed(pole)`` whether pole 1 or 2 conducts (touching, or an arc still burning). ``operations`` counts
    openings of the contacts. ``last_edge_ns`` is the latest change of an auxiliary contact.
    """

    def __init__(
        self,
        data: MidData,
        seed: int,
        agenda: Agenda,
        now: Callable[[], int],
        on_pole: Callable[[int, bool], None],
        on_contact: Callable[[str, bool], None],
        zero_ns: Callable[[int], int],
        closed: bool,
    ) -> None:
        self._data = data
        self._seed = seed
        self._agenda = agenda
        self._now = now
        self._on_pole = on_pole
        self._on_contact = on_contact
        self._zero_ns = zero_ns
        self.coil_on = closed
        self.bond_closed = False
        self.operations = 0
        self.last_edge_ns = now()
        self._touching = [closed, closed]
        self._conducting = [closed, closed]
        self._nc = not closed
        self._no = closed
        self._moves = 0
        self._travelling_closed = closed
        # Faults, set by the world.
        self.welded_pole = 0
        self.slow_ms: float | None = None
        self.fails_to_close = False
        self.forced_closed = False
        self._chatter_ms: float | None = None
        self._aux_lie: tuple[str, str] | None = None

    @property
    def nc_closed(self) -> bool:
        """The NC mirror contact as wired: closed says that pole 1 is open."""
        if self._aux_lie is not None and self._aux_lie[0] in ("nc", "both"):
            return self._aux_lie[1] == "open"
        return self._nc

    @property
    def no_closed(self) -> bool:
        """The NO contact as wired: open says that pole 2 is open."""
        if self._aux_lie is not None and self._aux_lie[0] in ("no", "both"):
            return self._aux_lie[1] == "closed"
        return self._no

    @property
    def aux_lie(self) -> tuple[str, str] | None:
        """(contact "nc" | "no" | "both", the position "open" | "closed" that it reports), or None."""
        return self._aux_lie

    @aux_lie.setter
    def aux_lie(self, lie: tuple[str, str] | None) -> None:
        before = (self.nc_closed, self.no_closed)
        self._aux_lie = lie
        if before != (self.nc_closed, self.no_closed):
            self.last_edge_ns = self._now()

    @property
    def chatter_ms(self) -> float | None:
        """Mean time between two flutters of the held contacts, as a weak coil or a loose wire makes them; or None."""
        return self._chatter_ms

    @chatter_ms.setter
    def chatter_ms(self, mean_ms: float | None) -> None:
        self._chatter_ms = mean_ms
        if mean_ms is not None and all(self._touching):
            self._flutter_after(self._now())

    def _flutter_after(self, at_ns: int) -> None:
        if self._chatter_ms is None:
            return
        self._moves += 1
        apart = self._draw("chatter", (0.5 * self._chatter_ms, 1.5 * self._chatter_ms))
        self._agenda.put("mid/chatter", at_ns + apart, self._flutter)

    def _flutter(self) -> None:
        gap = self._draw("flutter", _FLUTTER_MS)
        self._bounce(False)()
        self._agenda.put("mid/flutter", self._now() + gap, self._bounce(True))
        self._flutter_after(self._now() + gap)

    @property
    def bouncing(self) -> bool:
        """Whether the contacts have not come to rest after closing."""
        return self._agenda.has("mid/bounce3")

    def main_closed(self, pole: int) -> bool:
        """Whether pole 1 or 2 conducts."""
        return self._conducting[pole - 1]

    def touching(self, pole: int) -> bool:
        """Whether the contacts of pole 1 or 2 touch (an arc does not count)."""
        return self._touching[pole - 1]

    def set_coil(self, on: bool) -> None:
        """Energise or release the coil."""
        if on == self.coil_on:
            return
        self.coil_on = on
        self.follow()

    def follow(self) -> None:
        """Move to where coil, spring and faults pull; called at each change of one of them."""
        # A relay that fails to close holds well enough once it has closed.
        closed = self.forced_closed or (self.coil_on and (self._travelling_closed or not self.fails_to_close))
        if closed == self._travelling_closed and (closed or not self._stuck_made()):
            return
        self._travelling_closed = closed
        self._agenda.cancel_all("mid/")
        self._moves += 1
        if closed:
            self._close()
        else:
            self._open()

    def _stuck_made(self) -> bool:
        """Whether a contact still touches although nothing moves it: a weld that has just been broken."""
        return (self._touching[0] or self._touching[1]) and not self._agenda.has("mid/part")

    def _draw(self, what: str, bounds: tuple[float, float]) -> int:
        return round(uniform(self._seed, f"mid.{what}", self._moves, bounds) * _MS)

    def _open(self) -> None:
        now = self._now()
        latency = round(central(self._seed, "mid.opening", self._moves, self._data.opening_ms) * _MS)
        if not any(self._touching):
            # The coil was released before the contacts met: the armature falls back a short way.
            latency = 5 * _MS
        elif self.slow_ms is not None:
            latency = round(self.slow_ms * _MS)
        part = now + latency
        spread = self._draw("spread", self._data.contact_spread_ms)
        offset = self._draw("offset", self._data.pole_offset_ms)
        self._agenda.put("mid/part", part, lambda: self._part(0))
        self._agenda.put("mid/part2", part + offset, lambda: self._part(1))
        self._agenda.put("mid/no", part, lambda: self._set_no(False))
        self._agenda.put("mid/nc", part + max(spread, offset), lambda: self._set_nc(True))

    def _close(self) -> None:
        now = self._now()
        if all(self._touching):
            # The coil came back before the contacts had parted.
            self._set_nc(False)
            self._set_no(True)
            self._flutter_after(now)
            return
        travel = round(central(self._seed, "mid.closing", self._moves, self._data.closing_ms) * _MS)
        if self.forced_closed:
            # A blow or a stuck armature closes the contacts without the coil: no travel worth the name.
            travel = 2 * _MS
        touch = now + travel
        offset = self._draw("offset", self._data.pole_offset_ms)
        bounce = self._draw("bounce", self._data.bounce_ms)
        spread = min(self._draw("spread", self._data.contact_spread_ms), travel)
        self._agenda.put("mid/nc", touch - spread, lambda: self._set_nc(False))
        self._agenda.put("mid/touch1", touch, lambda: self._touch(0, True))
        self._agenda.put("mid/touch2", touch + offset, lambda: self._touch(1, True))
        self._agenda.put("mid/no", touch + offset, lambda: self._set_no(True))
        for step, (share, made) in enumerate(_BOUNCE):
            at = touch + offset + round(share * bounce)
            self._agenda.put(f"mid/bounce{step}", at, self._bounce(made))
        self._flutter_after(touch + offset + bounce)

    def _bounce(self, made: bool) -> Callable[[], None]:
        def act() -> None:
            for pole in (0, 1):
                if pole + 1 != self.welded_pole:
                    self._touch(pole, made)
            self._set_no(made)

        return act

    def _touch(self, pole: int, made: bool) -> None:
        """A contact touches or, in a bounce, leaves: too short a gap for an arc to matter."""
        if self._touching[pole] == made:
            return
        self._touching[pole] = made
        self._conduct(pole, made)

    def _part(self, pole: int) -> None:
        if not self._touching[pole]:
            self._on_pole(pole + 1, self._conducting[pole])
            return
        if pole + 1 == self.welded_pole:
            return
        self._touching[pole] = False
        if not any(self._touching) or (self.welded_pole and not self._touching[2 - self.welded_pole]):
            self.operations += 1
        now = self._now()
        zero = self._zero_ns(pole + 1)
        if zero <= now:
            self._conduct(pole, False)
        else:
            self._agenda.put(f"arc/{pole}", zero, lambda: self._conduct(pole, False))

    def _conduct(self, pole: int, conducts: bool) -> None:
        if conducts:
            self._agenda.cancel(f"arc/{pole}")
        elif self._touching[pole]:
            return
        if self._conducting[pole] != conducts:
            self._conducting[pole] = conducts
            self._on_pole(pole + 1, conducts)

    def _held(self) -> bool:
        """Whether a weld holds the bridge: force-guided contacts then cannot fall back."""
        return bool(self.welded_pole) and self._touching[self.welded_pole - 1]

    def _set_nc(self, closed: bool) -> None:
        if self._nc == closed or (closed and self._held()):
            return
        before = self.nc_closed
        self._nc = closed
        self._on_contact("nc", closed)
        if self.nc_closed != before:
            self.last_edge_ns = self._now()

    def _set_no(self, closed: bool) -> None:
        if self._no == closed or (not closed and self._held()):
            return
        before = self.no_closed
        self._no = closed
        self._on_contact("no", closed)
        if self.no_closed != before:
            self.last_edge_ns = self._now()
