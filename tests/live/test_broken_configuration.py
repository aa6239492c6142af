"""A file of the configuration that is broken at the start: the house is lit all the same, and somebody is told where."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_twin import until
from v2h_console.outlets import document
from v2h_console.runtime import audit
from v2h_console.runtime.config_keeper import digest
from v2h_console.session.orders import SAVE_CONFIG, Order
from v2h_console.session.snapshot import Snapshot
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.demo_site import write_demo_site
from v2h_console.wiring.starting import start_site

pytestmark = pytest.mark.live


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A site on a twin whose grid may be closed to after ten minutes."""
    twin = TwinProcess()
    write_demo_site(tmp_path, twin.addresses, 600.0)
    yield tmp_path
    twin.stop()


def alarm(picture: Snapshot, code: str = "CONFIGURATION_NOT_TAKEN") -> str:
    """What it says of the configuration."""
    return next((one.text for one in picture.alarms if one.code == code), "")


def edit(path: Path, text: str) -> Order:
    """An edit of the file as it stands."""
    params: dict[str, float | str | bool] = {
        "file": path.name,
        "text": text,
        "edited_sha256": digest(path.read_bytes()),
    }
    return Order(secrets.token_hex(8), SAVE_CONFIG, params)


async def test_it_starts_on_what_was_good_open_and_says_the_line_until_it_is_corrected(root: Path) -> None:
    limits = root / "etc/energy/limits.conf"
    good = limits.read_text()
    start_site(root).stop()
    limits.write_text(good.replace("= 7.6", "= seven"))
    running = start_site(root)
    try:
        session = running.session()
        assert session.watch().mid.position != "closed"
        until(lambda: alarm(session.watch()), "the alarm")
        said = alarm(session.watch())
        assert f"{limits}, line 2: not valid TOML" in said
        assert "The last good configuration" in said
        until(lambda: session.watch().mode == "islanded", "the house lit from the car")
        refused = await session.order(edit(limits, good.replace("= 7.6", "= 700")))
        assert "limits.conf, line 2" in refused.reason
        saved = await session.order(edit(limits, good.replace("= 7.6", "= 6.1")))
        assert saved.accepted
        assert alarm(session.watch()), "in effect at the next start, and no sooner"
        until(lambda: alarm(session.watch(), "CONFIGURATION_EDITED"), "the notice")
        assert b"limits.conf was edited at " in document.encoded(session.watch())
    finally:
        running.stop()
    running = start_site(root)
    try:
        session = running.session()
        until(lambda: session.watch().mode == "islanded", "the house lit from the car")
        assert not alarm(session.watch())
        assert not alarm(session.watch(), "CONFIGURATION_EDITED")
    finally:
        running.stop()
    (file,) = (root / audit.FOLDER).glob("*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    starts = [line["said"] for line in lines if line["what"] == "start"]
    assert [bool(one["not_taken"]) for one in starts] == [False, True, False]
    hashes = [one["configuration"]["limits.conf"] for one in starts]
    assert hashes[0] == hashes[1] == digest(good.encode())
    assert hashes[2] == digest(limits.read_bytes())
    edits = [line["said"] for line in lines if line["what"] == "order" and line["said"]["do"] == SAVE_CONFIG]
    assert [one["accepted"] for one in edits] == [False, True]
    assert edits[1]["params"]["text"] == f"sha256 {hashes[2]}"
