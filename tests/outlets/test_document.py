"""The picture as other tools read it."""

from __future__ import annotations

import json
from datetime import datetime

import msgspec

from tests.outlets.pictures import ISLANDED, UNKNOWN, WALL_S, v
from v2h_console.outlets import document, home_assistant, metrics
from v2h_console.session.snapshot import TariffView


def test_the_document_carries_the_contracts_keys_and_the_house() -> None:
    read = json.loads(document.encoded(ISLANDED))
    assert {"at", "age_ms", "mode", "mid", "grid", "house", "inverter", "car", "loads", "alarms"} <= set(read)
    assert (read["mode"], read["mid"]) == ("islanded", "open")
    assert read["grid"]["l1_v"] == 0.2
    assert read["grid"]["in_window"] is False
    assert read["house"]["l1_v"] == 119.8
    assert read["inverter"]["temperature_c"] == 38.6
    assert read["car"]["soc_pct"] == 64.0
    assert read["loads"][0]["state"] == "held"
    assert read["alarms"][0]["code"] == "SOC_LOW"
    assert read["age_ms"] == 9.0


def test_peak_shaving_says_what_it_gives_or_why_it_does_not() -> None:
    shaving = TariffView(True, "17:00-21:00", 1_499.6, confirmed=True, reserve_pct=55.0)
    assert document.document(msgspec.structs.replace(ISLANDED, tariff=shaving))["peak_shaving"] == {
        "configured": True,
        "window": "17:00-21:00",
        "power_w": 1_500.0,
        "confirmed": True,
        "reason": "",
        "reserve_pct": 55.0,
    }
    refused = TariffView(True, "", None, reason="the clock\x1b[2J is not believed")
    read = document.document(msgspec.structs.replace(ISLANDED, tariff=refused))["peak_shaving"]
    assert (read["window"], read["power_w"]) == (None, None)
    assert "\x1b" not in read["reason"]


def test_the_time_has_its_zone() -> None:
    at = datetime.fromisoformat(document.document(ISLANDED)["at"])
    assert at.tzinfo is not None
    assert at.timestamp() == WALL_S


def test_what_the_inverter_is_asked_for_and_what_it_says_itself_stand_side_by_side() -> None:
    ignoring = msgspec.structs.replace(ISLANDED.inverter, holds_w=v(10_000.0))
    picture = msgspec.structs.replace(ISLANDED, inverter=ignoring)
    told = document.document(picture)["inverter"]
    assert (told["set_w"], told["held_w"]) == (7_600.0, 10_000.0)
    text = metrics.exposition(picture).decode()
    assert "# HELP v2h_inverter_limit_watts Discharge limit that is asked for" in text
    assert "v2h_inverter_limit_watts 7600.0" in text
    assert "v2h_inverter_held_limit_watts 10000.0" in text


def test_what_is_unknown_is_null_and_never_zero() -> None:
    read = document.document(UNKNOWN)
    assert read["age_ms"] is None
    assert read["grid"]["in_window"] is None
    for side in ("grid", "house"):
        assert [read[side][key] for key in ("l1_v", "l2_v", "l1l2_v", "frequency_hz")] == [None] * 4
    assert read["car"]["soc_pct"] is None
    assert read["house_dark"] is None
    assert [read["inverter"][key] for key in ("set_w", "held_w", "rated_w")] == [None] * 3
    assert document.document(ISLANDED)["house"]["l2_a"] is None


def test_one_line_of_json_without_a_raw_control_character() -> None:
    encoded = document.encoded(ISLANDED)
    assert b"\n" not in encoded
    assert b"\x1b" not in encoded
    assert "\x1b" not in json.loads(encoded)["loads"][0]["name"]


def test_metrics_leave_out_what_is_unknown() -> None:
    text = metrics.exposition(ISLANDED).decode()
    assert 'v2h_voltage_volts{leg="l1",side="house"} 119.84' in text
    assert 'v2h_current_amperes{leg="l1"} 21.4' in text
    assert 'v2h_current_amperes{leg="l2"}' not in text
    assert 'v2h_frequency_hertz{side="grid"}' not in text
    assert 'v2h_mode{mode="islanded"} 1.0' in text
    assert 'v2h_alarm{code="SOC_LOW",severity="warning"} 1.0' in text
    unknown = metrics.exposition(UNKNOWN).decode()
    assert "v2h_car_soc_percent" not in unknown
    assert "v2h_inverter_limit_watts" not in unknown
    assert "v2h_inverter_held_limit_watts" not in unknown


def test_prometheus_own_parser_reads_the_metrics() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    families = {
        family.name for family in text_string_to_metric_families(metrics.exposition(ISLANDED).decode())
    }
    assert {"v2h_mode", "v2h_transfers", "v2h_voltage_volts", "v2h_alarm"} <= families


def test_sites_whose_names_no_topic_can_write_are_told_apart() -> None:
    names = ("東京", "大阪", "Дом", "Élm Street", "Ölm Street", "site", "elm street")
    nodes = [home_assistant.node_id(name) for name in names]
    assert len(set(nodes)) == len(names)
    assert all(node.isascii() and node.replace("_", "").isalnum() for node in nodes)
    assert home_assistant.node_id("Demo House") == "demo_house", "what is plain stays as it was"
    assert home_assistant.node_id("E\u0301lm") == home_assistant.node_id("\u00c9lm"), (
        "one name, typed in two ways"
    )
    assert home_assistant.node_id("東京") == "site_130016"


def test_what_comes_no_more_is_unavailable_to_home_assistant_after_half_a_minute() -> None:
    made = home_assistant.configurations("homeassistant", "demo_house", "Demo House", "s", "a")
    assert len(made) == len(home_assistant.SENSORS)
    assert {json.loads(config)["expire_after"] for config in made.values()} == {30}


def test_a_sensor_is_named_in_home_assistants_words_of_before_and_of_now() -> None:
    made = home_assistant.configurations("homeassistant", "demo_house", "Demo House", "s", "a")
    soc = json.loads(made["homeassistant/sensor/v2h_demo_house/car_soc/config"])
    assert soc["object_id"] == "v2h_demo_house_car_soc"
    assert soc["default_entity_id"] == "sensor.v2h_demo_house_car_soc"
