"""The broker that telemetry goes to: whether it is there, is who it says it is, and takes nobody without a name."""

from __future__ import annotations

from collections.abc import Iterator

from v2h_console.commissioning.machine import Finding, Machine, Verdict
from v2h_console.site import broker
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack, Mqtt
from v2h_console.site.reader import config_path


def check(machine: Machine, comm: CommStack) -> Iterator[Finding]:
    """In the order in which one thing needs the other."""
    mqtt = comm.mqtt
    if mqtt is None:
        installed = machine.which("mosquitto") is not None
        found = "installed, not used" if installed else "not installed, not used"
        yield Finding("mosquitto", "Mosquitto", found, "[mqtt] in comm_stack.conf", Verdict.NOTE)
        return
    files = _files(machine, mqtt)
    yield files
    yield from _in_clear(mqtt)
    host, port = mqtt.host, mqtt.port
    if not machine.connect(host, port):
        fix = "start the broker, or correct [mqtt]; control works without it"
        yield Finding(
            "mosquitto", "MQTT broker", f"{host}:{port} does not answer", "answers", Verdict.FAIL, fix
        )
        return
    yield Finding("mosquitto", "MQTT broker", f"{host}:{port} answers", "answers", Verdict.PASS)
    if files.verdict is Verdict.PASS:
        yield from _line(machine, mqtt)


def _files(machine: Machine, mqtt: Mqtt) -> Finding:
    path = config_path(machine.root, "comm_stack.conf")
    try:
        text = path.read_text("utf-8")
    except OSError:
        text = ""
    wrong = broker.complaint(machine.root, path, text, mqtt)
    title, wanted = "MQTT files", "files that the owner can use"
    if wrong:
        fix = "correct the line or the file; until then nothing is published, and control works without it"
        return Finding("mqtt.files", title, wrong, wanted, Verdict.FAIL, fix)
    named = ", ".join(name for name in (mqtt.password_file, mqtt.ca_file) if name) or "none is named"
    return Finding("mqtt.files", title, named, wanted, Verdict.PASS)


def _in_clear(mqtt: Mqtt) -> Iterator[Finding]:
    if mqtt.tls or mqtt.host in broker.LOOPBACK:
        return
    fix = "tls = true and the port of a TLS listener"
    found = f"no TLS to {mqtt.host}: {'password and ' if mqtt.password_file else ''}telemetry go in clear"
    yield Finding("mqtt.clear", "MQTT in clear", found, "TLS beyond this machine", Verdict.FAIL, fix)


def _line(machine: Machine, mqtt: Mqtt) -> Iterator[Finding]:
    host, port = mqtt.host, mqtt.port
    ca_file = broker.below(machine.root, mqtt.ca_file)
    try:
        context = broker.trust(tls=mqtt.tls, ca_file=ca_file)
    except ConfigError as error:
        # It was taken away since it was looked at.
        yield Finding("mqtt.tls", "MQTT over TLS", str(error), "trusted", Verdict.UNKNOWN, "check again")
        return
    if context is not None:
        refused = machine.handshake(host, port, context)
        if refused is not None:
            found = broker.why_not(refused, f"{host}:{port}", host, ca_file, tls=True)
            yield Finding("mqtt.tls", "MQTT over TLS", found, "trusted", Verdict.FAIL, "as the finding says")
            return
        yield Finding("mqtt.tls", "MQTT over TLS", "the broker proves its name", "trusted", Verdict.PASS)
    open_to_all = machine.anonymous(host, port, context)
    if open_to_all is None:
        yield Finding(
            "mqtt.anonymous",
            "MQTT without a name",
            "could not be tried",
            "refused",
            Verdict.UNKNOWN,
            "try mosquitto_sub without a user",
        )
        return
    fix = "allow_anonymous false; an example configuration comes with the program" if open_to_all else ""
    found = "a real connect without a name WORKED" if open_to_all else "refused"
    verdict = Verdict.FAIL if open_to_all else Verdict.PASS
    yield Finding("mqtt.anonymous", "MQTT without a name", found, "refused", verdict, fix)
