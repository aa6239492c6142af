"""What ``demo --headless`` and ``attach`` print says the same of the unknown as every other way out."""

from __future__ import annotations

import msgspec
import pytest

from tests.outlets.pictures import ISLANDED, UNKNOWN
from v2h_console.cli import demo
from v2h_console.outlets import document
from v2h_console.session.snapshot import GridView


@pytest.mark.parametrize("condition", ["unknown", "dead", "out_of_window", "in_window"])
def test_the_grid_s_window_is_the_document_s(condition: str) -> None:
    picture = msgspec.structs.replace(ISLANDED, grid=GridView(condition=condition))
    readings: dict[str, dict[str, object]] = demo.summary(picture)["readings"]  # type: ignore[assignment]
    said = readings["grid"]["in_window"]
    assert said is document.document(picture)["grid"]["in_window"]
    assert said is {"unknown": None, "in_window": True}.get(condition, False)


def test_a_limit_that_nobody_has_told_is_null() -> None:
    readings: dict[str, dict[str, object]] = demo.summary(UNKNOWN)["readings"]  # type: ignore[assignment]
    assert (readings["inverter"]["set_w"], readings["inverter"]["rated_w"]) == (None, None)
