"""A judge that lets a broken core pass is no judge: each way of breaking it must be seen."""

from __future__ import annotations

import pytest

from v2h_console.proving.mutants import MUTANTS, Mutant, run_one


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant: Mutant) -> None:
    found = run_one(mutant, seeds=6)
    assert found["caught"], found
