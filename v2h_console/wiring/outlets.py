"""What other tools read from the owner: the file, port 8080, MQTT."""

from __future__ import annotations

from pathlib import Path

from v2h_console.outlets.service import Outlet, Outlets
from v2h_console.runtime.owner import Owner
from v2h_console.session.snapshot import OutletView
from v2h_console.site import broker
from v2h_console.site.files import CommStack


def start_outlets(root: Path, comm: CommStack, owner: Owner) -> Outlets:
    """What other tools read, in a thread of its own. Its libraries load there: nothing waits for them."""
    outlets = Outlets(lambda: _outlets(root, comm, owner))
    owner.outlets = lambda: tuple(
        OutletView(one.name, one.address, one.state, one.reason) for one in outlets.health
    )
    outlets.start()
    return outlets


def _outlets(root: Path, comm: CommStack, owner: Owner) -> list[Outlet]:
    from v2h_console.outlets.energy_state import EnergyStateFile
    from v2h_console.outlets.service import FileOutlet

    file = FileOutlet(EnergyStateFile(root), owner.snapshot)
    made = [Outlet(file.health, file.run)]
    if comm.http.enabled:
        from v2h_console.outlets.http import HttpOutlet

        http = HttpOutlet(comm.http.address, comm.http.port, owner.snapshot, owner.age_ms)
        made.append(Outlet(http.health, http.run))
    if comm.mqtt is not None:
        from v2h_console.outlets.mqtt import MqttOutlet, MqttTarget

        mqtt = comm.mqtt
        target = MqttTarget(
            host=mqtt.host,
            port=mqtt.port,
            username=mqtt.username,
            password_file=broker.below(root, mqtt.password_file),
            tls=mqtt.tls,
            ca_file=broker.below(root, mqtt.ca_file),
            topic_prefix=mqtt.topic_prefix,
            discovery_prefix=mqtt.discovery_prefix,
        )
        publisher = MqttOutlet(target, owner.snapshot)
        made.append(Outlet(publisher.health, publisher.run))
    return made
