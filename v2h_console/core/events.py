"""The codes: what can happen, how bad it is, and what a person should know.

Codes are upper case, subject first. Severities: info (normal life), warning (look at it), alarm (a function is
lost), lockout (a person must reset). The explainer's catalogue hangs on these codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """How bad, in the order in which they sort."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"
    LOCKOUT = "lockout"


SEVERITY_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ALARM: 2, Severity.LOCKOUT: 3}


@dataclass(frozen=True, slots=True)
class Event:
    """One happening at ``at_ns``. ``text`` is a sentence for the screen; never markup."""

    at_ns: int
    code: str
    severity: Severity
    text: str
