"""What an installed machine has: files, folders and accounts, as paths below a root."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

#: Root's own, not the service's: whoever can write the record can have root's undo write anything.
RECORD_FOLDER = "var/lib/v2h-install"
UNIT = "etc/systemd/system/v2h-manager.service"
ENABLED = "etc/systemd/system/multi-user.target.wants/v2h-manager.service"
#: Where it is looked for below another root, whose own Python this is not.
USUAL_MANAGER = "/opt/v2h/bin/v2h-manager"
#: What the unit's ProtectHome= and PrivateTmp= hide from the service.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")

SERVICE_FOLDERS = ("run/v2h", "var/lib/v2h", "var/log/v2h")
#: Given to the user v2h, not to its group: who may read logs may not change the configuration past the owner's checks.
CONFIGURATION = "etc/energy"
#: All that is the service's to write.
GIVEN_FOLDERS = (*SERVICE_FOLDERS, CONFIGURATION)
FOLDER_MODES = {"run/v2h": 0o755, "var/lib/v2h": 0o750, "var/log/v2h": 0o750, RECORD_FOLDER: 0o700}
#: What an owner that has ended leaves in run/v2h; nothing that is kept.
RUN_LEAVINGS = (
    "run/v2h/owner.lock",
    "run/v2h/owner.pid",
    "run/v2h/heir.lock",
    "run/v2h/records.lock",
    "run/v2h/session.sock",
)

ACCOUNT_FILES = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")
#: What systemd-sysusers writes beside them.
ACCOUNT_LEAVINGS = (*(f"{name}-" for name in ACCOUNT_FILES), "etc/.pwd.lock")
ACCOUNTS = ("v2h", "v2h-watch", "v2h-helm", "v2h-install")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file. ``persons``: a starting point for a person, never written over."""

    path: str
    content: bytes
    persons: bool = False


def wanted(manager: str) -> tuple[Wanted, ...]:
    """Every file, with ``manager`` as the service's program."""
    unit = _text("v2h-manager.service").replace("@manager@", manager.replace("%", "%%"))
    return (
        Wanted("etc/sysusers.d/v2h.conf", _text("sysusers.conf").encode()),
        Wanted("etc/tmpfiles.d/v2h.conf", _text("tmpfiles.conf").encode()),
        *(
            Wanted(f"etc/energy/{name}", _text(name).encode(), persons=True)
            for name in ("comm_stack.conf", "limits.conf", "loads.conf")
        ),
        # Under this name nothing reads it: it needs a time zone, which a person has to choose.
        Wanted("etc/energy/schedule.conf.example", _schedule().encode(), persons=True),
        # Last, so that a service that can be started has all it needs.
        Wanted(UNIT, unit.encode()),
    )


def parents(path: str) -> list[str]:
    """Every folder above it, the outermost first."""
    return [str(folder) for folder in reversed(Path(path).parents) if str(folder) != "."]


def _text(name: str) -> str:
    return (resources.files("v2h_console.installing") / "files" / name).read_text("utf-8")


def _schedule() -> str:
    return (resources.files("v2h_console.site") / "examples" / "schedule.conf").read_text("utf-8")
