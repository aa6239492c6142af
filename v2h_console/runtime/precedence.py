"""Before whom the owner runs on a busy machine, where the system lets it (CAP_SYS_NICE, or what the service's unit grants).

The fast lane alone is not enough: a thread that holds the interpreter's lock and is put aside for somebody else's work
holds the lane up as long, whatever the lane's own priority. So the whole process goes before what has no deadline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: Among real-time threads. The lane blocks on its bus between steps, so that nothing starves.
REAL_TIME_PRIORITY = 10
#: Nice value of everything else in the owner's process; ``Nice=`` of the service's unit is the same.
NICE = -10


def before_others() -> None:
    """This thread, and those that it begins from now on, before whatever runs at a lesser nice value."""
    if os.getpriority(os.PRIO_PROCESS, 0) > NICE:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)


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
