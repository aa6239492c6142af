"""A scenario for a run in real time: the twin plays the house's part of it, a person's part is played here."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from v2h_console.cli.console import Refusal
from v2h_console.session.orders import OPERATOR_ORDERS, Order, Receipt


@dataclass(frozen=True, slots=True)
class Script:
    """``path``: the file. ``lines``: (second, ``do``, parameters) of what a person does in it."""

    path: Path
    lines: tuple[tuple[float, str, dict[str, float | str | bool]], ...]

    def play(self, order: Callable[[Order], Receipt]) -> None:
        """Give each order when its second comes, in a thread of its own."""
        if self.lines:
            threading.Thread(target=self._play, args=(order,), name="scenario", daemon=True).start()

    def _play(self, order: Callable[[Order], Receipt]) -> None:
        began_s = time.monotonic()
        for at_s, do, params in self.lines:
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            order(Order(secrets.token_hex(8), do, params, by="scenario", confirmed=True))


def read(name_or_path: str) -> Script:
    """A scenario by its name or its file, checked. Raises Refusal with one line."""
    from v2h_console.proving import scenario_files
    from v2h_console.twin.vocabulary import SITE_FAULTS, ScenarioError

    try:
        path = scenario_files.path_of(name_or_path)
        scenario = scenario_files.find(name_or_path)
    except ScenarioError as error:
        raise Refusal(str(error)) from None
    for line in scenario.steps:
        if line.do == "owner.restart" or line.params.get("fault") in SITE_FAULTS:
            raise Refusal(
                f"{name_or_path}: {line.do} at {line.s:g} s needs virtual time: v2h-console simulate plays it"
            )
    lines = tuple(
        (line.s, line.do, dict(line.params)) for line in scenario.steps if line.do in OPERATOR_ORDERS
    )
    return Script(path, lines)
