"""What several live tests stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site that goes with the test."""
    made = Site(tmp_path)
    made.forget()
    yield made
    made.close()
