"""Before whom the owner runs on a busy machine, where the system lets it (CAP_SYS_NICE, or what the service's unit grants).

The fast lane alone is not enough: a thread that holds the interpreter's lock and is put aside for somebody else's work
holds the lane up as long, whatever the lane's own priority. So the whole process goes before what has no deadline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Among real-time threads. The lane blocks on its bus between steps, so that nothing starves.
REAL_TIME_PRIORITY = 10
#: Nice value of everything else in the owner's process; ``Nice=`` of the service's unit is the same.
NICE = -10
#: Where Linux shares the processor between sessions first (sched(7), autogroup), a nice value counts within its session
#: only: a login that compiles would weigh as much as the owner. The session has one of its own.
AUTOGROUP = Path("/proc/self/autogroup")


def before_others() -> None:
    """This thread, and those that it begins from now on, before whatever runs at a lesser nice value; its session before
    other sessions."""
    if os.getpriority(os.PRIO_PROCESS, 0) > NICE:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    # A kernel without it shares by nice values alone; one that refuses leaves the session as it was.
    with suppress(OSError):
        AUTOGROUP.write_text(f"{NICE}")


@contextmanager
def real_time() -> Iterator[None]:
    """This thread before everything that has no deadline; as before afterwards."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
