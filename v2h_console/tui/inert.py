"""Text that came from outside, made harmless before it reaches the terminal.

Device names, log lines and refusals are whatever a device or a file says. An escape sequence in one of them could
repaint a voltage; a right-to-left override could turn ``OPEN`` round. Nothing here interprets markup: the screens
never parse any.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Longest text shown from one field. Anything longer is a fault in the device or an attack, and is cut.
CAP = 400

# ECMA-48: CSI and string sequences (OSC, DCS, SOS, PM, APC) up to their terminator or the end, then two-byte escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)

_BLANK = {"Zs", "Zl", "Zp"}
# Cc controls, Cf bidi and zero-width, Cs lone surrogates (they cannot be encoded), Co private use, Cn unassigned,
# Mn and Me marks that pile up on the cell before them.
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"}


def clean(text: str, cap: int = CAP) -> str:
    """``text`` as one printable line of at most ``cap`` characters, without escapes, controls or hidden characters."""
    if text.isascii() and text.isprintable():
        return text[:cap]
    return _clean(text[: cap * 4], cap)


@lru_cache(maxsize=512)
def _clean(text: str, cap: int) -> str:
    kept = []
    for char in unicodedata.normalize("NFC", _ESCAPES.sub("", text)):
        if char in "\t\n\r":
            kept.append(" ")
            continue
        category = unicodedata.category(char)
        if category in _BLANK:
            kept.append(" ")
        elif category not in _DROPPED:
            kept.append(char)
    return "".join(kept)[:cap]
