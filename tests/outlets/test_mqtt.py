"""MQTT out, against a real Mosquitto with the configuration that the project ships."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace as _replace
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from tests.outlets.pictures import ISLANDED, WALL_S
from v2h_console.outlets import home_assistant
from v2h_console.outlets.mqtt import EVENTS_KEPT, MqttOutlet, MqttTarget
from v2h_console.session.snapshot import EventView, Snapshot

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
NEEDED = ("mosquitto_sub", "mosquitto_pub", "mosquitto_passwd")
MISSING = [name for name in NEEDED if shutil.which(name) is None] + ([] if MOSQUITTO else ["mosquitto"])

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(MISSING), reason=f"Mosquitto is not installed here: {', '.join(MISSING)}"),
]

PASSWORD = "a secret of this test"


class Broker:
    """Mosquitto with the shipped example, on a port of its own, started and stopped at will."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
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
        self.config = folder / "mosquitto.conf"
        self.config.write_text(text + "\nuser root\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        ends = time.monotonic() + 10.0
        while time.monotonic() < ends:
            assert self.process.poll() is None, "the broker refused its configuration"
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
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

    def subscribed(self, topic: str, count: int, *extra: str, wait_s: int = 10) -> list[tuple[str, str]]:
        """What a reader sees by mosquitto_sub: topic and payload."""
        command = [
            "mosquitto_sub",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-u",
            "homeassistant",
            "-P",
            PASSWORD,
        ]
        command += ["-t", topic, "-C", str(count), "-W", str(wait_s), "-F", "%t %p", *extra]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=wait_s + 10)
        lines = done.stdout.splitlines()
        return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that goes with the test."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


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


async def test_discovery_and_state_are_seen_by_a_reader(broker: Broker) -> None:
    outlet = MqttOutlet(broker.target(), House().watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "ok")
    configs = await asyncio.to_thread(
        broker.subscribed, "homeassistant/sensor/#", len(home_assistant.SENSORS), "--retained-only"
    )
    state = await asyncio.to_thread(broker.subscribed, "v2h/demo_house/state", 1)
    availability = await asyncio.to_thread(broker.subscribed, "v2h/demo_house/availability", 1)
    task.cancel()
    assert len(configs) == len(home_assistant.SENSORS)
    soc = next(json.loads(payload) for topic, payload in configs if topic.endswith("/car_soc/config"))
    assert soc["state_topic"] == "v2h/demo_house/state"
    assert (soc["unit_of_measurement"], soc["device_class"]) == ("%", "battery")
    assert "command_topic" not in json.dumps([payload for _, payload in configs])
    assert json.loads(state[0][1])["mode"] == "islanded"
    assert availability == [("v2h/demo_house/availability", "online")]


def test_an_anonymous_client_is_refused(broker: Broker) -> None:
    for command in (["mosquitto_pub", "-m", "x"], ["mosquitto_sub", "-C", "1", "-W", "3"]):
        done = subprocess.run(
            [*command, "-h", "127.0.0.1", "-p", str(broker.port), "-t", "v2h/demo_house/state"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "not authorised" in (done.stdout + done.stderr).lower()


async def test_a_reader_cannot_write_and_nothing_is_listened_to(broker: Broker) -> None:
    house = House()
    outlet = MqttOutlet(broker.target(), house.watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "ok")
    command = [
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-p",
        str(broker.port),
        "-u",
        "homeassistant",
        "-P",
        PASSWORD,
    ]
    command += ["-t", "v2h/demo_house/state", "-m", '{"mode": "forged"}', "-r", "-q", "1"]
    await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    seen = await asyncio.to_thread(broker.subscribed, "v2h/demo_house/state", 2)
    task.cancel()
    assert all(json.loads(payload)["mode"] == "islanded" for _, payload in seen)


async def test_events_of_the_outage_arrive_and_old_ones_do_not(broker: Broker) -> None:
    house = House()
    outlet = MqttOutlet(broker.target(), house.watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "ok")
    reading = asyncio.create_task(asyncio.to_thread(broker.subscribed, "v2h/demo_house/event", 1))
    # The reader must have subscribed before the event: it is not retained. Its own state read tells when.
    await asyncio.to_thread(broker.subscribed, "v2h/demo_house/state", 2)
    house.happens(2, "MID_OPENED")
    seen = await reading
    task.cancel()
    assert [json.loads(payload)["code"] for _, payload in seen] == ["MID_OPENED"]


async def test_a_broker_that_dies_and_returns_costs_no_event(broker: Broker) -> None:
    house = House()
    outlet = MqttOutlet(broker.target(), house.watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "ok")
    broker.kill()
    await until(lambda: outlet.health.state == "failing")
    assert outlet.health.reason
    for sequence in range(2, 6):
        house.happens(sequence, f"WHILE_AWAY_{sequence}")
    await until(lambda: len(outlet.waiting) == 4)
    broker.start()
    await until(lambda: outlet.health.state == "ok" and not outlet.waiting)
    task.cancel()
    assert outlet.dropped_events == 0


async def test_what_waits_for_a_dead_broker_is_bounded_and_the_oldest_goes(broker: Broker) -> None:
    broker.kill()
    house = House()
    outlet = MqttOutlet(_replace(broker.target()), house.watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "failing")
    events = tuple(EventView(n, WALL_S, f"E{n}", "info", "x") for n in range(2, EVENTS_KEPT + 12))
    house.now = msgspec.structs.replace(house.now, events=events)
    await until(lambda: len(outlet.waiting) == EVENTS_KEPT)
    task.cancel()
    assert outlet.dropped_events == 10
    assert outlet.waiting[0].code == "E12"


async def test_a_wrong_password_is_said(broker: Broker) -> None:
    broker.password_file.write_text("wrong\n")
    outlet = MqttOutlet(broker.target(), House().watch)
    task = asyncio.create_task(outlet.run())
    await until(lambda: outlet.health.state == "failing")
    task.cancel()
    assert "not authorized" in outlet.health.reason.lower()
