"""Which rows of the islanding table a test walks: declared by the test, checked while it runs, counted at the end.

``@takes`` fails a test that did not really take its edge; ``test_every_edge_has_a_test`` fails when a row of the
table is declared by none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec
from unittest.mock import patch

from v2h_console.core import effects
from v2h_console.core.edge_outcome import Outcome
from v2h_console.core.islanding import TABLE, Edge, View
from v2h_console.core.state import Mode

P = ParamSpec("P")

#: Source, event, the guard's words (two rows may share an event), target.
Row = tuple[Mode, str, str, Mode]

COVERED: set[Row] = set()


def rows_of(edge: Edge) -> set[Row]:
    """One row for each source."""
    return {(source, edge.event, edge.words, edge.target) for source in edge.sources}


def all_rows() -> set[Row]:
    """The whole table, a row for each source."""
    return {row for edge in TABLE for row in rows_of(edge)}


def takes(
    source: Mode, event: str, target: Mode, words: str = ""
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """The test takes this row of the table. ``words`` tells rows apart that share source, event and target."""
    matching = {
        row for row in all_rows() if (row[0], row[1], row[3]) == (source, event, target) and words in row[2]
    }
    assert len(matching) == 1, f"{source.value} {event} {target.value}: {len(matching)} rows in the table"
    (row,) = matching
    COVERED.add(row)

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def walked(*args: P.args, **kwargs: P.kwargs) -> None:
            taken: set[Row] = set()
            real = effects.take

            def spy(edge: Edge, view: View) -> Outcome:
                taken.add((view.state.islanding.mode, edge.event, edge.words, edge.target))
                return real(edge, view)

            with patch.object(effects, "take", spy):
                test(*args, **kwargs)
            assert row in taken, f"the test never took {source.value} -> {event} -> {target.value}"

        return walked

    return decorate
