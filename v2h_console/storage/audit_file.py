"""The audit on disk: files of a chain below one folder, the newest written, each named after its first sequence.

A tail that a loss of power has torn is kept aside, named in the chain, and the chain goes on from the last whole line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from v2h_console.storage import audit_chain, whole_file
from v2h_console.storage.audit_chain import Break, Head, Report
from v2h_console.storage.disk import DISK, Disk
from v2h_console.storage.line_file import LineFile

MOST_BYTES = 1_000_000
#: Some 150 000 lines: years of orders.
KEPT = 50
_PREFIX, _SUFFIX = "audit-", ".jsonl"
#: Who has the audit reads who did what: the owner's group at most.
_MODE = 0o640

Entry = Mapping[str, Any]


class AuditFile:
    """Used by one thread."""

    def __init__(
        self, folder: Path, *, disk: Disk = DISK, most_bytes: int = MOST_BYTES, kept: int = KEPT
    ) -> None:
        self._folder, self._disk, self._most_bytes, self._kept = folder, disk, most_bytes, kept
        self._file: LineFile | None = None
        self.head = Head()
        #: Said by the next append, before anything else.
        self._own: list[Entry] = []

    def append(self, entries: Sequence[Entry], own: Entry) -> None:
        """All of them on the disk for good, or none. ``own``: time and author of what the audit says of itself.
        Raises OSError."""
        if self._file is None:
            self._recover()
        assert self._file is not None
        if self._file.size is not None and self._file.size >= self._most_bytes:
            self._rotate()
        head, lines = self.head, bytearray()
        for entry in (*({**own, **said} for said in self._own), *entries):
            line, head = audit_chain.write_line(head, entry)
            lines += line
        self._file.append(bytes(lines), sync=True)
        self.head = head
        self._own.clear()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _recover(self) -> None:
        """Find where the chain stands, whatever the last run left."""
        self._disk.make_folder(self._folder)
        paths = _paths(self._folder, self._disk)
        if not paths:
            self._file = self._numbered(1)
            return
        data = self._disk.read(paths[-1])
        line, size = audit_chain.last_good(data)
        for path in reversed(paths[:-1]):
            if line is not None:
                break
            line, _ = audit_chain.last_good(self._disk.read(path))
        head = Head() if line is None else line.head
        asides = self._keep_aside(head, data[size:])
        found = LineFile(paths[-1], disk=self._disk, mode=_MODE, size=size)
        found.open()
        self._file, self.head = found, head
        if asides:
            self._own.append({"what": "audit.torn", "said": {"file": paths[-1].name, "kept_as": asides}})

    def _keep_aside(self, head: Head, torn: bytes) -> list[str]:
        """Where that tail is kept, with those that a run before kept aside without coming to name them."""
        prefix = f"torn-{head.sequence + 1:012d}-"
        asides = sorted(name for name in self._disk.names(self._folder) if name.startswith(prefix))
        if torn and all(self._disk.read(self._folder / name) != torn for name in asides):
            asides.append(f"{prefix}{len(asides) + 1}.part")
            whole_file.write(self._folder / asides[-1], torn, disk=self._disk, mode=_MODE)
        return asides

    def _rotate(self) -> None:
        assert self._file is not None
        self._file.close()
        before = self._file.path.name
        self._file = self._numbered(self.head.sequence + 1)
        self._own.append({"what": "audit.continued", "said": {"from": before}})
        with suppress(OSError):
            for path in _paths(self._folder, self._disk)[: -self._kept]:
                self._disk.remove(path)

    def _numbered(self, sequence: int) -> LineFile:
        path = self._folder / f"{_PREFIX}{sequence:012d}{_SUFFIX}"
        return LineFile(path, disk=self._disk, mode=_MODE)


def _paths(folder: Path, disk: Disk) -> list[Path]:
    names = sorted(name for name in disk.names(folder) if name.startswith(_PREFIX) and name.endswith(_SUFFIX))
    return [folder / name for name in names]


def verify(folder: Path, *, disk: Disk = DISK) -> Report:
    """Check the chain below the folder. Raises OSError."""
    paths = _paths(folder, disk)
    report = audit_chain.verify([(path.name, disk.read(path)) for path in paths])
    if report.first > 1 and len(paths) <= KEPT:
        # The oldest go only once there are more.
        missing = Break(
            paths[0].name, 1, f"begins with sequence {report.first}: what was before it is missing"
        )
        report = replace(report, breaks=(missing, *report.breaks))
    return report
