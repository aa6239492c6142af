"""An owner that ends in order says so to the broker: its last picture is no present one."""

from __future__ import annotations

import asyncio
from typing import Any

import aiomqtt
import pytest

from tests.outlets.brokers import House, until
from tests.outlets.small_broker import SmallBroker
from v2h_console.outlets import mqtt
from v2h_console.outlets.mqtt import MqttOutlet, MqttTarget

AVAILABILITY = "v2h/demo_house/availability"


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(5.0):
        await asyncio.gather(task, return_exceptions=True)


async def test_an_orderly_end_leaves_offline_behind() -> None:
    async with SmallBroker() as broker:
        outlet = MqttOutlet(MqttTarget("127.0.0.1", broker.port), House().watch)
        task = asyncio.create_task(outlet.run())
        await until(lambda: outlet.health.state == "ok")
        assert broker.retained[AVAILABILITY] == b"online"
        await _ended(task)
        await until(lambda: ("", b"DISCONNECT") in broker.heard)
    assert broker.retained[AVAILABILITY] == b"offline"
    assert broker.heard[-2:] == [(AVAILABILITY, b"offline"), ("", b"DISCONNECT")]


async def test_a_broker_that_answers_no_more_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "LEAVE_S", 0.05)
    async with SmallBroker() as broker:
        outlet = MqttOutlet(MqttTarget("127.0.0.1", broker.port), House().watch)
        task = asyncio.create_task(outlet.run())
        await until(lambda: outlet.health.state == "ok")
        broker.deaf = True
        await _ended(task)
        assert task.cancelled()


async def test_a_broker_that_confirms_no_more_is_left_with_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "LEAVE_S", 0.05)
    monkeypatch.setattr(mqtt, "PUBLISH_S", 0.01)
    monkeypatch.setattr(mqtt, "PUBLISH_TIMEOUT_S", 0.05)
    async with SmallBroker() as broker:
        outlet = MqttOutlet(MqttTarget("127.0.0.1", broker.port), House().watch)
        task = asyncio.create_task(outlet.run())
        await until(lambda: outlet.health.state == "ok")
        assert broker.retained[AVAILABILITY] == b"online"
        broker.mute = True
        await until(lambda: outlet.health.state == "failing")
        await until(lambda: ("", b"DISCONNECT") in broker.heard)
        assert broker.retained[AVAILABILITY] == b"offline"
        await _ended(task)


async def test_an_end_that_comes_together_with_the_brokers_answer_is_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish = aiomqtt.Client.publish

    async def answered_as_it_ends(client: aiomqtt.Client, topic: str, *rest: Any, **options: Any) -> None:
        if not topic.endswith("/state"):
            await publish(client, topic, *rest, **options)
            return
        answer = asyncio.Event()

        def both() -> None:
            answer.set()
            task.cancel()

        asyncio.get_running_loop().call_later(0.01, both)
        # What the client itself waits with.
        await asyncio.wait_for(answer.wait(), 5.0)

    monkeypatch.setattr(aiomqtt.Client, "publish", answered_as_it_ends)
    async with SmallBroker() as broker:
        outlet = MqttOutlet(MqttTarget("127.0.0.1", broker.port), House().watch)
        task = asyncio.create_task(outlet.run())
        async with asyncio.timeout(5.0):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert broker.retained[AVAILABILITY] == b"offline"
