"""What a long campaign has done so far, in a file: one that is stopped goes on where it was.

JSON lines: the first names the faults and the code that ran (a digest of every module, layout and scenario), each
further one is a finished run or a finished repeat. A line torn by the stop is dropped. Other code starts a new file:
runs of two cores are no campaign.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

import v2h_console
import v2h_drivers
from v2h_console import plain_file
from v2h_console.proving.outcome import Outcome

#: A million runs take less.
MOST_BYTES = 4 * 1024**3
_CODE = (".py", ".dbc", ".toml")


class KeepFailed(Exception):
    """The file cannot be used. ``str()`` is one line: what, where, what to do."""


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    faults: list[str]


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``run`` or ``again`` (seed, whether it left the same trace)."""

    run: Outcome | None = None
    again: tuple[int, bool] | None = None


def code_digest() -> str:
    """Of everything that makes a run what it is."""
    digest = hashlib.blake2b(digest_size=16)
    for package in (v2h_console, v2h_drivers):
        assert package.__file__ is not None
        root = Path(package.__file__).parent
        for path in sorted(one for one in root.rglob("*") if one.suffix in _CODE):
            digest.update(f"{path.relative_to(root.parent)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class CampaignFile:
    """``runs`` and ``again``: what is in it, by seed. Raises KeepFailed."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.runs: dict[int, Outcome] = {}
        self.again: dict[int, bool] = {}
        self._path = path
        head = _Head(code_digest(), list(faults))
        try:
            self._file = self._open(head)
        except OSError as error:
            raise KeepFailed(f"{path}: {error.strerror or error}") from None

    def _open(self, head: _Head) -> IO[bytes]:
        descriptor = plain_file.opened(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, MOST_BYTES)
        file = os.fdopen(descriptor, "a+b")
        try:
            file.seek(0)
            whole = self._read(file.read(), head)
            file.truncate(whole)
            file.seek(0, 2)
            if not whole:
                file.write(msgspec.json.encode(head) + b"\n")
                file.flush()
        except BaseException:
            file.close()
            raise
        return file

    def _read(self, held: bytes, head: _Head) -> int:
        """Take what is there; how many bytes of it are whole lines."""
        whole = held.rfind(b"\n") + 1
        lines = held[:whole].splitlines()
        if not lines:
            if held:
                raise KeepFailed(f"{self._path}: no campaign's file; name another")
            return 0
        try:
            found = msgspec.json.decode(lines[0], type=_Head)
            decoder = msgspec.json.Decoder(_Line)
            kept = [decoder.decode(line) for line in lines[1:]]
        except msgspec.MsgspecError as error:
            raise KeepFailed(f"{self._path}: no campaign's file ({error}); name another") from None
        if found.code != head.code:
            raise KeepFailed(f"{self._path}: made by other code than this; name another file")
        if found.faults != head.faults:
            raise KeepFailed(
                f"{self._path}: its faults are {', '.join(found.faults)[:200] or 'none'}; give the same"
            )
        for line in kept:
            if line.run is not None:
                self.runs[line.run.seed] = line.run
            if line.again is not None:
                self.again[line.again[0]] = line.again[1]
        return whole

    def add_run(self, outcome: Outcome) -> None:
        """A run is done."""
        self.runs[outcome.seed] = outcome
        self._put(_Line(run=outcome))

    def add_again(self, seed: int, same: bool) -> None:
        """A repeat is done."""
        self.again[seed] = same
        self._put(_Line(again=(seed, same)))

    def _put(self, line: _Line) -> None:
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
        except OSError as error:
            raise KeepFailed(
                f"{self._path}: {error.strerror or error}; what is done so far stands in it"
            ) from None

    def __enter__(self) -> CampaignFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
