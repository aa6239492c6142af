"""The trip tables and the enter-service count against another model of IEEE 1547-2018 (EPRI's opender)."""

from __future__ import annotations

import logging
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from v2h_console.core.grid_code import Category

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "opender_differential"


@pytest.fixture(scope="module")
def differential() -> ModuleType:
    """The script as a module; it needs opender."""
    pytest.importorskip("opender", reason="opender is not installed here")
    loader = SourceFileLoader("opender_differential", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    logging.getLogger().setLevel(logging.ERROR)
    return module


@pytest.mark.parametrize("category", list(Category))
def test_no_step_of_a_random_profile_is_judged_differently(
    differential: ModuleType, category: Category
) -> None:
    steps, changes, differences = differential.compare(category, 7, 14_000)
    assert steps == 14_000
    assert changes >= 4, "nothing tripped or returned: the comparison proves nothing"
    assert differences == []
