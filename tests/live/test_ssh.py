"""A real ssh client on a real sshd, killed during an outage."""

from __future__ import annotations

import shutil
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "hangup_campaign"
MISSING = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
if shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
    MISSING.append("sshd")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(MISSING), reason=f"OpenSSH is not installed here: {', '.join(MISSING)}"),
]


@pytest.fixture
def campaign() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("hangup_campaign", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_client_dies_the_house_stays_lit_and_the_next_login_attaches(
    campaign: ModuleType, tmp_path: Path
) -> None:
    sshd = campaign.Sshd(tmp_path)
    try:
        result = campaign.once(sshd)
    finally:
        sshd.stop()
    assert result["lit"] is True
