"""What systemd is told: ready, alive, ending. The watchdog is fed from the control tick's own progress and from nothing
else: a process whose lane stands still is not alive, however busy its other threads are.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

#: The lane makes some 200 steps a second; one that made none for so long is stuck (fault class 39).
STUCK_MS = 150.0
#: A service manager that reads nothing for a while holds nobody up: what it is told next tells it all.
SEND_S = 0.2


class ServiceNotifier:
    """sd_notify(3) over its datagram socket; silent where no service manager listens."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environ.get("WATCHDOG_USEC", "")
        pid = environ.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        #: Feed at least this often; ``None`` = no watchdog is set.
        self.watchdog_s = int(usec) / 2_000_000 if usec.isdigit() and ours else None

    def ready(self, status: str) -> None:
        """The owner runs."""
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={text}")

    def stopping(self) -> None:
        """An orderly end has begun."""
        self._say("STOPPING=1")

    def feed(self, age_ms: Callable[[], float]) -> bool:
        """Feed the watchdog if the control tick moved within STUCK_MS; whether it was fed."""
        if age_ms() > STUCK_MS:
            return False
        self._say("WATCHDOG=1")
        return True

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, suppress(OSError):
            # Nobody hears now: a watchdog that is not fed says so by itself, and the next word may be heard.
            line.settimeout(SEND_S)
            line.connect(self._address)
            line.send(text.encode("utf-8"))
