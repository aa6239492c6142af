"""A real Mosquitto, the house that an outlet watches, and how a test waits for either."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from importlib import resources
from pathlib import Path

import msgspec

from tests.outlets.certificates import Certificate
from tests.outlets.pictures import ISLANDED, WALL_S
from v2h_console.outlets.mqtt import MqttTarget
from v2h_console.session.snapshot import EventView, Snapshot

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
NEEDED = ("mosquitto_sub", "mosquitto_pub", "mosquitto_passwd")
MISSING = [name for name in NEEDED if shutil.which(name) is None] + ([] if MOSQUITTO else ["mosquitto"])

PASSWORD = "a secret of this test"


#: Below those that the kernel gives to connections: one of these could be gone again before somebody listens at it.
_OWN_PORTS = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """One that nobody listens at, and that no connection takes meanwhile; another each time."""
    for port in _OWN_PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Broker:
    """Mosquitto with the shipped example, on ports of its own, started and stopped at will. ``certificate``: with the
    example's TLS listener too."""

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.password_file = folder / "broker.password"
        self.password_file.write_text(PASSWORD + "\n")
        passwords, acl = folder / "v2h.passwd", folder / "v2h.acl"
        for nth, user in enumerate(("v2h", "homeassistant")):
            make = ["mosquitto_passwd", "-b", *(["-c"] if nth == 0 else []), str(passwords), user, PASSWORD]
            subprocess.run(make, check=True, capture_output=True)
        examples = resources.files("v2h_console.site") / "examples"
        acl.write_text((examples / "mosquitto.acl").read_text("utf-8"))
        for file in (passwords, acl):
            file.chmod(0o644)
        folder.chmod(0o755)
        text = (examples / "mosquitto.conf").read_text("utf-8")
        text = text.replace("listener 1883 ", f"listener {self.port} ")
        text = text.replace("/etc/mosquitto/v2h.passwd", str(passwords)).replace(
            "/etc/mosquitto/v2h.acl", str(acl)
        )
        self.config, self._text = folder / "mosquitto.conf", text + "\nuser root\n"
        self.proves_itself_by(certificate)
        self.process: subprocess.Popen[bytes] | None = None

    def proves_itself_by(self, certificate: Certificate | None) -> None:
        """From its next start on."""
        text = self._text
        if certificate is not None:
            # The example's lines as somebody takes the marks off.
            text, listeners = re.subn(
                r"^#   (listener 8883|certfile|keyfile) ", r"\1 ", text, flags=re.MULTILINE
            )
            assert listeners == 3
            text = text.replace("listener 8883 192.0.2.10", f"listener {self.tls_port} 127.0.0.1")
            text = text.replace("/etc/mosquitto/certs/server.crt", str(certificate.file))
            text = text.replace("/etc/mosquitto/certs/server.key", str(certificate.key))
        self.config.write_text(text)
        self._listening = (self.port,) if certificate is None else (self.port, self.tls_port)

    def start(self) -> None:
        """Start and wait until it listens."""
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        ends = time.monotonic() + 10.0
        while time.monotonic() < ends:
            assert self.process.poll() is None, "the broker refused its configuration"
            with suppress(OSError):
                for port in self._listening:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
        raise AssertionError("the broker does not listen")

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def target(self) -> MqttTarget:
        """The console's own account."""
        return MqttTarget("127.0.0.1", self.port, "v2h", self.password_file)

    def subscribed(
        self, topic: str, count: int, *extra: str, wait_s: int = 10, tls: bool = False
    ) -> list[tuple[str, str]]:
        """What a reader sees by mosquitto_sub: topic and payload."""
        command = [
            "mosquitto_sub",
            "-h",
            "localhost" if tls else "127.0.0.1",
            "-p",
            str(self.tls_port if tls else self.port),
            "-u",
            "homeassistant",
            "-P",
            PASSWORD,
        ]
        command += ["-t", topic, "-C", str(count), "-W", str(wait_s), "-F", "%t %p", *extra]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=wait_s + 10)
        lines = done.stdout.splitlines()
        return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


class House:
    """What the outlet watches."""

    def __init__(self) -> None:
        self.now = ISLANDED

    def watch(self) -> Snapshot:
        """The newest picture."""
        return self.now

    def happens(self, sequence: int, code: str) -> None:
        """An event."""
        event = EventView(sequence, WALL_S + sequence, code, "warning", f"{code} happened.")
        self.now = msgspec.structs.replace(self.now, events=(*self.now.events, event))


async def until(condition: object, wait_s: float = 15.0) -> None:
    """Until a callable is true; the broker is another process, so this waits for it."""
    assert callable(condition)
    async with asyncio.timeout(wait_s):
        while not condition():
            await asyncio.sleep(0.02)
