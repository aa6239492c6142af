"""The machine that is asked, and what an answer is."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class Verdict(str, Enum):
    """UNKNOWN is not a pass: the technician has to look."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NOTE = "NOTE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. ``found`` against ``wanted``; ``fix`` says what to do, "" when there is nothing to."""

    id: str
    title: str
    found: str
    wanted: str
    verdict: Verdict
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look. ``root``: of the site's own files; ``system``: of /proc, /sys and /etc. ``run`` gives a command's
    output or ``None``; ``connect`` whether a TCP port answers; ``alive`` whether what listens at a port answers as this
    console does (``None`` = nobody listens), ``listen`` why one cannot be had; ``anonymous`` whether a broker takes a client without a
    name (``None`` = could not be tried), over TLS where a context is given; ``handshake`` why a TLS handshake failed; ``free_bytes`` what is left at a path."""

    root: Path
    system: Path
    run: Callable[[tuple[str, ...]], str | None]
    connect: Callable[[str, int], bool]
    alive: Callable[[str, int], bool | None]
    listen: Callable[[str, int], OSError | None]
    anonymous: Callable[[str, int, ssl.SSLContext | None], bool | None]
    handshake: Callable[[str, int, ssl.SSLContext], OSError | None]
    free_bytes: Callable[[Path], int | None]
    rt_priority: int = 0
    uid: int = field(default_factory=os.geteuid)
    python: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)
    which: Callable[[str], str | None] = shutil.which
    environ: Mapping[str, str] = field(default_factory=dict)

    def text(self, *parts: str) -> str | None:
        """A small file of the system's, or ``None``."""
        try:
            return self.system.joinpath(*parts).read_text("utf-8", errors="replace")
        except OSError:
            return None
