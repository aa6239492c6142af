"""What Home Assistant needs to see the site by MQTT discovery: sensors only, nothing that can be switched.

One retained configuration a sensor under ``<prefix>/<component>/<node>/<object>/config``; all read the one retained
state document by a template.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import msgspec

DIGEST_DIGITS = 6
MANUFACTURER = "v2h-console"
#: The state comes every second: without it for so long a value is no present one, whatever the broker still says of the owner.
EXPIRE_AFTER_S = 30


@dataclass(frozen=True, slots=True)
class Sensor:
    """One value of the state document. ``path`` is dotted; ``device_class`` and ``unit`` are Home Assistant's."""

    id: str
    name: str
    path: str
    unit: str = ""
    device_class: str = ""
    measured: bool = True


SENSORS: tuple[Sensor, ...] = (
    Sensor("mode", "Mode", "mode", measured=False),
    Sensor("mid", "MID", "mid", measured=False),
    Sensor("sentence", "Status", "sentence", measured=False),
    Sensor("grid_l1_v", "Grid L1", "grid.l1_v", "V", "voltage"),
    Sensor("grid_l2_v", "Grid L2", "grid.l2_v", "V", "voltage"),
    Sensor("grid_frequency", "Grid frequency", "grid.frequency_hz", "Hz", "frequency"),
    Sensor("house_l1_v", "House L1", "house.l1_v", "V", "voltage"),
    Sensor("house_l2_v", "House L2", "house.l2_v", "V", "voltage"),
    Sensor("house_frequency", "House frequency", "house.frequency_hz", "Hz", "frequency"),
    Sensor("house_l1_a", "House current L1", "house.l1_a", "A", "current"),
    Sensor("house_l2_a", "House current L2", "house.l2_a", "A", "current"),
    Sensor("inverter_power", "Inverter power", "inverter.power_w", "W", "power"),
    Sensor("inverter_temperature", "Inverter temperature", "inverter.temperature_c", "°C", "temperature"),
    Sensor("car_soc", "Car charge", "car.soc_pct", "%", "battery"),
    Sensor("car_power", "Car power", "car.power_w", "W", "power"),
    Sensor("car_runtime", "Runtime", "car.runtime_s", "s", "duration"),
    Sensor("solar_power", "Solar power", "solar.power_w", "W", "power"),
)


def node_id(site: str) -> str:
    """A topic-safe name of the site. What the topic's letters cannot write is told apart by a digest of it."""
    written = unicodedata.normalize("NFC", site)
    plain = re.sub(r"[^a-z0-9]+", "_", written.lower()).strip("_") or "site"
    if written.isascii():
        return plain
    digest = hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()
    return f"{plain}_{digest[:DIGEST_DIGITS]}"


def configurations(
    prefix: str, node: str, site: str, state_topic: str, availability: str
) -> dict[str, bytes]:
    """Topic → retained payload."""
    device = {"identifiers": [f"v2h_{node}"], "name": site, "manufacturer": MANUFACTURER}
    made: dict[str, bytes] = {}
    for sensor in SENSORS:
        # An unknown value is null in the document; "None" is Home Assistant's word for unknown.
        config: dict[str, Any] = {
            "name": sensor.name,
            "unique_id": f"v2h_{node}_{sensor.id}",
            # Home Assistant's word for it before 2025.10, and since.
            "object_id": f"v2h_{node}_{sensor.id}",
            "default_entity_id": f"sensor.v2h_{node}_{sensor.id}",
            "state_topic": state_topic,
            "value_template": f"{{{{ value_json.{sensor.path} }}}}",
            "availability_topic": availability,
            "expire_after": EXPIRE_AFTER_S,
            "device": device,
        }
        if sensor.unit:
            config["unit_of_measurement"] = sensor.unit
        if sensor.device_class:
            config["device_class"] = sensor.device_class
        if sensor.measured:
            config["state_class"] = "measurement"
        made[f"{prefix}/sensor/v2h_{node}/{sensor.id}/config"] = msgspec.json.encode(config)
    return made
