"""A serial adapter that is pulled out: the line is given up with a reason, costs nothing, and is found again."""

from __future__ import annotations

import asyncio
import os
import pty
import time
from pathlib import Path

import pytest

from v2h_drivers.modbus.connection import ModbusFailure, serial_connection


async def ask(tty: str, master: int, hold_s: float) -> tuple[str, float]:
    """Ask a device that never answers; the adapter goes while we wait. The reason, and the processor time it took."""
    line = serial_connection(tty, 9600, timeout_s=5.0)
    waiting = asyncio.create_task(line.read_holding(1, 0, 1))
    await asyncio.sleep(0.05)
    os.close(master)
    with pytest.raises(ModbusFailure) as failed:
        await asyncio.wait_for(waiting, 2.0)
    began_s = time.process_time()
    with pytest.raises(ModbusFailure):
        await line.read_holding(1, 0, 1)
    await asyncio.sleep(hold_s)
    used_s = time.process_time() - began_s
    line.close()
    return str(failed.value), used_s


def test_an_adapter_that_is_pulled_out_fails_what_waits_and_is_not_listened_to(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    link = tmp_path / "ttyUSB0"
    link.symlink_to(os.ttyname(slave))
    os.close(slave)
    said, used_s = asyncio.run(ask(str(link), master, 0.5))
    assert "serial line failed" in said
    # Half a second of listening to a dead line took 0.2 s of processor; a tenth of that is another's.
    assert used_s < 0.1


def test_writing_to_a_line_that_is_gone_is_a_failure_not_a_defect() -> None:
    async def story() -> str:
        master, slave = pty.openpty()
        line = serial_connection(os.ttyname(slave), 9600, timeout_s=0.2)
        os.close(slave)
        with pytest.raises(ModbusFailure):
            await line.read_holding(1, 0, 1)  # nobody answers
        port = line._port
        assert port is not None
        asyncio.get_running_loop().remove_reader(port._fd)  # type: ignore[attr-defined]  # a serial port
        os.close(master)
        with pytest.raises(ModbusFailure) as failed:
            await asyncio.wait_for(line.read_holding(1, 0, 1), 2.0)
        return str(failed.value)

    assert "serial line failed" in asyncio.run(story())
