"""What the service had is given back by root, while the service's user may still rename in its folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.installing.roots import FILES, machine, no_tools
from v2h_console.installing import accounts, record, tools
from v2h_console.installing.carry_out import install, undo
from v2h_console.installing.record import OwnerRecord


@pytest.fixture(autouse=True)
def with_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has systemd's tools: owners are recorded before they run."""
    monkeypatch.setattr(tools, "to_install", lambda root: [tools.Tool(("systemd-tmpfiles",))])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with accounts, and a file that only root reads."""
    machine(tmp_path)
    (tmp_path / "etc/shadow").write_text("root:secret\n")
    (tmp_path / "etc/shadow").chmod(0o600)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def recorded(root: Path) -> dict[str, OwnerRecord]:
    kept = record.load(root)
    assert kept is not None
    return kept.owners


def test_an_edit_that_replaced_a_link_is_not_left_for_all_to_write(root: Path) -> None:
    limits, kept = root / "etc/energy/limits.conf", root / "srv/limits.conf"
    kept.parent.mkdir()
    limits.rename(kept)
    limits.symlink_to("../../srv/limits.conf")
    install(root, FILES, no_tools)
    assert "etc/energy/limits.conf" not in recorded(root)
    # As a version recorded it that asked a link for its mode.
    before = record.load(root)
    assert before is not None
    before.owners["etc/energy/limits.conf"] = OwnerRecord(0o777, os.getuid(), os.getgid())
    record.save(root, before)
    limits.unlink()
    limits.write_text("floor_soc_pct = 30\n")
    limits.chmod(0o640)
    undo(root, no_tools)
    assert mode(limits) == 0o640
    assert mode(kept) == 0o640


@pytest.mark.parametrize("moment", ["before", "between"])
def test_a_link_that_the_service_puts_in_a_files_place_leads_root_nowhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    limits, shadow = root / "etc/energy/limits.conf", root / "etc/shadow"
    limits.chmod(0o644)
    install(root, FILES, no_tools)
    limits.chmod(0o600)

    def swapped() -> None:
        limits.unlink(missing_ok=True)
        limits.symlink_to("../shadow")

    def racing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            done = real(*arguments, **named)
            swapped()
            return done

        return call

    if moment == "before":
        swapped()
    else:
        for name in ("chown", "fchown"):
            monkeypatch.setattr(os, name, racing(getattr(os, name)))
    accounts.give_back_owners(root, record.load(root) or record.Record())
    assert mode(shadow) == 0o600
    assert limits.is_symlink()


def test_a_folder_that_the_service_replaced_by_a_link_is_left_alone(root: Path) -> None:
    old = root / "var/lib/v2h/old"
    old.mkdir(parents=True)
    (old / "shadow").write_text("theirs")
    (old / "shadow").chmod(0o644)
    install(root, FILES, no_tools)
    old.rename(root / "var/lib/v2h/older")
    old.symlink_to("../../../etc")
    accounts.give_back_owners(root, record.load(root) or record.Record())
    assert mode(root / "etc/shadow") == 0o600


def test_another_name_of_somebody_elses_file_is_left_alone(root: Path) -> None:
    limits = root / "etc/energy/limits.conf"
    limits.chmod(0o644)
    install(root, FILES, no_tools)
    limits.unlink()
    limits.hardlink_to(root / "etc/shadow")
    accounts.give_back_owners(root, record.load(root) or record.Record())
    assert mode(root / "etc/shadow") == 0o600


def test_a_pipe_in_a_files_place_keeps_root_waiting_for_nobody(root: Path) -> None:
    limits = root / "etc/energy/limits.conf"
    install(root, FILES, no_tools)
    limits.unlink()
    os.mkfifo(limits, 0o600)
    accounts.give_back_owners(root, record.load(root) or record.Record())
    assert mode(limits) == 0o600


def test_what_is_still_there_is_given_back_as_it_was(root: Path) -> None:
    limits = root / "etc/energy/limits.conf"
    limits.chmod(0o644)
    install(root, FILES, no_tools)
    limits.chmod(0o600)
    (root / "var/log/v2h").chmod(0o700)
    undo(root, no_tools)
    assert mode(limits) == 0o644
    assert mode(root / "var/log/v2h") == 0o755
