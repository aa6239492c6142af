"""MQTT out, against a real Mosquitto with the configuration that the project ships."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace as _replace
from pathlib import Path

import msgspec
import pytest

from tests.outlets.brokers import MISSING, PASSWORD, Broker, House, until
from tests.outlets.pictures import WALL_S
from v2h_console.outlets import home_assistant
from v2h_console.outlets.mqtt import EVENTS_KEPT, MqttOutlet
from v2h_console.session.snapshot import EventView

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(MISSING), reason=f"Mosquitto is not installed here: {', '.join(MISSING)}"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that goes with the test."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


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
