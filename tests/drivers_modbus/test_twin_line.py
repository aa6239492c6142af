"""The twin's serial line is as strict as a real one."""

from __future__ import annotations

import struct

from v2h_console.twin.faces.modbus_server import RTU_SILENCE_NS, FaceFaults, RtuMachine, UnitFace, crc16


class Coils(UnitFace):
    """Eight, all open."""

    def read_coils(self, address: int, count: int) -> list[bool]:
        """FC 1."""
        return [False] * count


def test_a_request_right_behind_a_reply_is_not_heard() -> None:
    body = struct.pack(">BBHH", 1, 1, 0, 8)
    request = body + struct.pack("<H", crc16(body))
    line = RtuMachine({1: Coils()}, FaceFaults())
    assert line.receive(request, 0)
    assert line.receive(request, RTU_SILENCE_NS - 1) == b""
    assert line.bad_frames == 1
    assert line.receive(request, RTU_SILENCE_NS)
