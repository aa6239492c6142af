"""MQTT over TLS, against a real Mosquitto with the shipped example's TLS listener and an authority of the test's own."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from tests.outlets.brokers import MISSING, PASSWORD, Broker, House, free_port, until
from tests.outlets.certificates import HAS_OPENSSL, Authority, Certificate
from v2h_console.cli.check import this_machine
from v2h_console.commissioning.gateway import check
from v2h_console.commissioning.machine import Verdict
from v2h_console.outlets import home_assistant
from v2h_console.outlets.mqtt import MqttOutlet, MqttTarget
from v2h_console.site import reader
from v2h_console.site.files import CommStack

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(MISSING), reason=f"Mosquitto is not installed here: {', '.join(MISSING)}"),
    pytest.mark.skipif(not HAS_OPENSSL, reason="openssl is not installed here"),
]


@dataclass(frozen=True)
class Papers:
    """What the site's authority has signed, and one that it has nothing to do with."""

    authority: Authority
    stranger: Authority
    good: Certificate
    elsewhere: Certificate
    expired: Certificate


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Made once."""
    folder = tmp_path_factory.mktemp("papers")
    folder.chmod(0o755)
    ours = Authority(folder, "ours")
    return Papers(
        ours,
        Authority(folder, "stranger"),
        ours.signs("good", "DNS:localhost,IP:127.0.0.1"),
        ours.signs("elsewhere", "DNS:broker.example"),
        ours.signs("expired", "DNS:localhost", days=-1),
    )


@pytest.fixture
def broker(tmp_path: Path, papers: Papers) -> Iterator[Broker]:
    """With a good certificate, until a test says otherwise."""
    made = Broker(tmp_path, papers.good)
    made.start()
    yield made
    made.kill()


class Wire:
    """Between outlet and broker: all that the outlet has sent. In the outlet's own loop, so that an outlet which blocks its
    loop gets no answer here either."""

    def __init__(self, broker_port: int) -> None:
        self.port, self.sent, self._to = free_port(), b"", broker_port

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                self.sent += piece if note else b""
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._carry(reader, to_broker, note=True), self._carry(from_broker, writer, note=False)
        )

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """While it is connected."""
        async with await asyncio.start_server(self._accept, "127.0.0.1", self.port):
            yield


@asynccontextmanager
async def running(outlet: MqttOutlet) -> AsyncIterator[None]:
    """While it runs."""
    task = asyncio.create_task(outlet.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def outlet_to(broker: Broker, port: int, ca_file: Path | None, host: str = "localhost") -> MqttOutlet:
    """As a site with that in its [mqtt] has it."""
    target = MqttTarget(host, port, "v2h", broker.password_file, tls=True, ca_file=ca_file)
    return MqttOutlet(target, House().watch)


async def test_state_and_discovery_arrive_through_tls_and_nothing_is_in_clear(
    broker: Broker, papers: Papers
) -> None:
    wire = Wire(broker.tls_port)
    outlet = outlet_to(broker, wire.port, papers.authority.file)
    ca = ("--cafile", str(papers.authority.file))
    async with wire.up(), running(outlet):
        await until(lambda: outlet.health.state == "ok")
        state = await asyncio.to_thread(broker.subscribed, "v2h/demo_house/state", 1, *ca, tls=True)
        configs = await asyncio.to_thread(
            broker.subscribed,
            "homeassistant/sensor/#",
            len(home_assistant.SENSORS),
            "--retained-only",
            *ca,
            tls=True,
        )
    assert json.loads(state[0][1])["mode"] == "islanded"
    assert len(configs) == len(home_assistant.SENSORS)
    assert outlet.health.address.endswith(" TLS")
    # A TLS record of a handshake, and no word of what was said.
    assert wire.sent[:2] == b"\x16\x03"
    assert len(wire.sent) > 1000
    for word in (PASSWORD.encode(), b"MQTT", b"v2h/demo_house", b"islanded"):
        assert word not in wire.sent


@pytest.mark.parametrize(
    ("certificate", "authority", "said"),
    [
        (
            "good",
            "stranger",
            r"signed by no authority of .*/ca\.pem: ca_file must hold its authority's",
        ),
        ("good", None, "signed by no authority of this machine: ca_file must hold its authority's"),
        (
            "elsewhere",
            "authority",
            "is not for localhost: host must be a name in it, or it needs one for localhost",
        ),
        ("expired", "authority", "has expired: renew it there, or set this machine's clock"),
        (None, "authority", r"localhost:\d+ does not answer in TLS: port must be that of a TLS listener"),
    ],
)
async def test_a_broker_that_does_not_prove_itself_gets_no_password_and_a_good_one_is_taken_up_again(
    broker: Broker, papers: Papers, certificate: str | None, authority: str | None, said: str
) -> None:
    broker.kill()
    broker.proves_itself_by(None if certificate is None else getattr(papers, certificate))
    broker.start()
    wire = Wire(broker.port if certificate is None else broker.tls_port)
    given = None if authority is None else broker.password_file.with_name("ca.pem")
    if given is not None:
        given.write_bytes(getattr(papers, str(authority)).file.read_bytes())
    outlet = outlet_to(broker, wire.port, given)
    async with running(outlet):
        async with wire.up():
            # The first try may have come before the wire was up.
            await until(lambda: re.search(said, outlet.health.reason))
            assert outlet.health.state == "failing"
            assert "\n" not in outlet.health.reason
            assert len(outlet.health.reason) < 200
            # It goes on trying, and at no try says who it is.
            tried = len(wire.sent)
            await until(lambda: len(wire.sent) > tried)
            assert outlet.health.state == "failing"
            assert PASSWORD.encode() not in wire.sent
            assert b"MQTT" not in wire.sent
        if given is None:
            return
        broker.kill()
        broker.proves_itself_by(papers.good)
        given.write_bytes(papers.authority.file.read_bytes())
        broker.start()
        wire._to = broker.tls_port
        async with wire.up():
            await until(lambda: outlet.health.state == "ok")
    assert PASSWORD.encode() not in wire.sent


async def test_a_broker_by_its_address_needs_the_address_in_its_certificate(
    broker: Broker, papers: Papers
) -> None:
    outlet = outlet_to(broker, broker.tls_port, papers.authority.file, host="127.0.0.1")
    async with running(outlet):
        await until(lambda: outlet.health.state == "ok")


async def test_a_port_that_takes_connections_and_says_nothing_blocks_nothing(
    broker: Broker, papers: Papers
) -> None:
    heard = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.set()
        await reader.read()

    port = free_port()
    outlet = outlet_to(broker, port, papers.authority.file)
    async with await asyncio.start_server(silent, "127.0.0.1", port), running(outlet):
        await heard.wait()
        longest_s, last = 0.0, time.monotonic()
        while outlet.health.state == "starting":
            await asyncio.sleep(0.01)
            longest_s, last = max(longest_s, time.monotonic() - last), time.monotonic()
    assert "does not answer in TLS" in outlet.health.reason
    assert longest_s < 2.0  # of the five that the handshake is given


async def test_a_ca_file_that_is_missing_is_said_and_counts_once_it_is_there(
    broker: Broker, papers: Papers, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    wire = Wire(broker.tls_port)
    outlet = outlet_to(broker, wire.port, ca_file)
    async with wire.up(), running(outlet):
        await until(lambda: outlet.health.state == "failing")
        assert outlet.health.reason.startswith(f"ca_file {ca_file}: No such file or directory; allowed is")
        assert not wire.sent
        ca_file.write_bytes(papers.authority.file.read_bytes())
        await until(lambda: outlet.health.state == "ok")


async def test_a_plain_console_at_a_tls_listener_is_told_what_to_set(broker: Broker) -> None:
    target = MqttTarget("localhost", broker.tls_port, "v2h", broker.password_file)
    outlet = MqttOutlet(target, House().watch)
    async with running(outlet):
        await until(lambda: outlet.health.state == "failing")
    assert outlet.health.reason.endswith("if it is a TLS listener, set tls = true")


def test_the_gateways_check_tries_the_same(broker: Broker, papers: Papers, tmp_path: Path) -> None:
    example = resources.files("v2h_console.installing") / "files/comm_stack.conf"
    _, mark, mqtt = example.read_text("utf-8").partition("# [mqtt]")
    assert mark
    mqtt = re.sub(r"^# ", "", mark + mqtt, flags=re.MULTILINE)
    mqtt = mqtt.replace("port = 1883", f"port = {broker.tls_port}").replace("tls = false", "tls = true")
    mqtt = mqtt.replace('ca_file = ""', 'ca_file = "/etc/energy/mqtt-ca.pem"')
    folder = tmp_path / "root/etc/energy"
    folder.mkdir(parents=True)
    text = f'site = "Elm Street 4"\n[controller]\n[inverter]\nhost = "192.0.2.10"\n{mqtt}'
    (folder / "comm_stack.conf").write_text(text)
    (folder / "mqtt.password").write_text(PASSWORD)
    assert reader.parse("comm_stack.conf", text, CommStack).mqtt is not None

    def found(authority: Authority) -> dict[str, tuple[Verdict, str]]:
        (folder / "mqtt-ca.pem").write_bytes(authority.file.read_bytes())
        findings = check(this_machine(tmp_path / "root"))
        return {one.id: (one.verdict, one.found) for one in findings if one.id.startswith("mqtt.")}

    good = found(papers.authority)
    assert {name: verdict for name, (verdict, _) in good.items()} == {
        "mqtt.files": Verdict.PASS,
        "mqtt.tls": Verdict.PASS,
        "mqtt.anonymous": Verdict.PASS,
    }
    distrusted = found(papers.stranger)
    assert distrusted["mqtt.tls"][0] is Verdict.FAIL
    assert "signed by no authority of" in distrusted["mqtt.tls"][1]
    assert "mqtt.anonymous" not in distrusted


def test_the_example_of_the_documentation_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs/mqtt.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    comm = f'[controller]\n[inverter]\nhost = "192.0.2.10"\n{example}'
    mqtt = reader.parse("docs/mqtt.md", comm, CommStack).mqtt
    assert mqtt is not None
    assert (mqtt.tls, mqtt.port, mqtt.ca_file) == (True, 8883, "/etc/energy/mqtt-ca.pem")
