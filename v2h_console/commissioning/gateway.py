"""Whether this machine can carry the controller: what is asked of the gateway before anything is installed on it.

Each question is one small function of a ``Machine``, which reads files below its root and runs nothing but what it is
given: a test can be any machine. What cannot be found out is said so and is never a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from v2h_console.commissioning import broker
from v2h_console.commissioning.machine import Finding, Machine, Verdict
from v2h_console.core import load_admission, load_limits
from v2h_console.core.settings import Settings
from v2h_console.site import last_good, reader
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack
from v2h_console.storage import audit_file

CORES = 4
MEGAHERTZ = 1_200.0
#: "2 GB" as machines are sold: what the kernel leaves of it.
MEMORY_BYTES = 1_800_000_000
PYTHON = (3, 11)
FREE_BYTES = 500_000_000
RT_PRIORITY = 20
#: Ports below are root's, where the kernel does not say otherwise.
EVERYBODY_FROM = 1024


def check(machine: Machine) -> list[Finding]:
    """Every question in order."""
    findings, comm = _configuration(machine)
    for question in _QUESTIONS:
        findings.extend(question(machine))
    if comm is not None:
        findings.extend(_can(machine, comm))
        findings.extend(_serial(machine, comm))
        findings.extend(_network_data(machine, comm))
        findings.extend(broker.check(machine, comm))
    return findings


def _loads(settings: Settings, units: int) -> Iterator[Finding]:
    """A circuit that stays off in every outage, whatever else rests, may be one that was written down wrongly."""
    bounds = load_limits.limits(settings, settings.inverter.max_discharge_w, units=units)
    for circuit in settings.loads.circuits:
        # Tier 4 is off on an island by what it is.
        why = load_admission.refusal(circuit, load_admission.base(None, ()), (), bounds)
        if why and circuit.tier < 4:
            found = f"{circuit.name}: never on while islanded: {why}"
            fix = "correct loads.conf or limits.conf, unless it is meant so"
            yield Finding(f"load.{circuit.id}", "Circuit", found, "room for it alone", Verdict.NOTE, fix)


def _configuration(machine: Machine) -> tuple[list[Finding], CommStack | None]:
    wanted = "readable, every value in its range"
    try:
        texts = reader.read_texts(machine.root)
        last_good.check_missing(machine.root, texts)
        site = reader.site_of(machine.root, texts)
    except ConfigError as error:
        fix = "correct the file; the line and the allowed values stand in the message"
        return [Finding("config", "Configuration", str(error), wanted, Verdict.FAIL, fix)], None
    found = f"{site.comm.site}: {len(site.settings.loads.circuits)} circuits"
    findings = [Finding("config", "Configuration", found, wanted, Verdict.PASS)]
    return [*findings, *_loads(site.settings, len(site.comm.inverters()))], site.comm


def _python(machine: Machine) -> Iterator[Finding]:
    found = ".".join(map(str, machine.python))
    verdict = Verdict.PASS if machine.python >= PYTHON else Verdict.FAIL
    fix = "" if verdict is Verdict.PASS else "install Python 3.11 or newer"
    yield Finding("python", "Python", found, "3.11 or newer", verdict, fix)


def _processor(machine: Machine) -> Iterator[Finding]:
    text = machine.text("proc", "cpuinfo")
    cores = len(re.findall(r"^processor\s*:", text or "", re.MULTILINE))
    wanted = f"{CORES} cores of {MEGAHERTZ / 1000:.1f} GHz"
    if not cores:
        yield Finding("cpu", "Processor", "not readable", wanted, Verdict.UNKNOWN, "look at the data sheet")
        return
    top = machine.text("sys", "devices", "system", "cpu", "cpu0", "cpufreq", "cpuinfo_max_freq")
    speeds = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text or "", re.MULTILINE)]
    megahertz = int(top) / 1000 if top and top.strip().isdigit() else max(speeds, default=0.0)
    found = f"{cores} cores" + (f" of {megahertz / 1000:.1f} GHz" if megahertz else ", speed not said")
    slow = megahertz and megahertz < MEGAHERTZ
    verdict = Verdict.FAIL if cores < CORES or slow else Verdict.PASS if megahertz else Verdict.UNKNOWN
    fix = (
        ""
        if verdict is Verdict.PASS
        else "use a quad core; measure with `v2h-console bench transfer` before you go on"
    )
    yield Finding("cpu", "Processor", found, wanted, verdict, fix)


def _memory(machine: Machine) -> Iterator[Finding]:
    match = re.search(r"^MemTotal:\s+(\d+) kB", machine.text("proc", "meminfo") or "", re.MULTILINE)
    if match is None:
        yield Finding("memory", "Memory", "not readable", "2 GB", Verdict.UNKNOWN, "look at the data sheet")
        return
    total = int(match.group(1)) * 1024
    verdict = Verdict.PASS if total >= MEMORY_BYTES else Verdict.FAIL
    yield Finding(
        "memory",
        "Memory",
        f"{total / 1e9:.1f} GB",
        "2 GB",
        verdict,
        "" if verdict is Verdict.PASS else "use a larger gateway",
    )


def _disk(machine: Machine) -> Iterator[Finding]:
    folder = machine.root / "var/lib/v2h"
    place = next((path for path in (folder, *folder.parents) if path.exists()), machine.root)
    free = machine.free_bytes(place)
    wanted = f"{FREE_BYTES // 1_000_000} MB free"
    if free is None:
        yield Finding("disk", "Disk", f"{place}: cannot be asked", wanted, Verdict.UNKNOWN, "look with df")
        return
    verdict = Verdict.PASS if free >= FREE_BYTES else Verdict.FAIL
    fix = (
        ""
        if verdict is Verdict.PASS
        else f"make room at {place}: without it nothing can be recorded and nothing closes"
    )
    yield Finding("disk", "Disk", f"{free / 1e6:.0f} MB free at {place}", wanted, verdict, fix)


def _audit(machine: Machine) -> Iterator[Finding]:
    """Whether the chain of who did what is as it was written, and where not."""
    folder = machine.root / "var/lib/v2h/audit"
    wanted = "a chain without a break"
    try:
        report = audit_file.verify(folder)
    except FileNotFoundError:
        yield Finding("audit", "Audit", "nothing recorded yet", wanted, Verdict.NOTE)
        return
    except OSError as error:
        found = f"{folder}: {error.strerror or error}"
        yield Finding("audit", "Audit", found, wanted, Verdict.UNKNOWN, "check as a user who may read it")
        return
    if not (report.lines or report.breaks or report.torn_bytes):
        found = f"{folder} is there and holds no line"
        fix = (
            "a full disk may have refused the first: make room and start the owner; where it has recorded before, its files "
            "were taken away or emptied: find a copy from before, and who could write there"
        )
        yield Finding("audit", "Audit", found, wanted, Verdict.FAIL, fix)
        return
    if report.breaks:
        more = f" (and {len(report.breaks) - 1} more)" if len(report.breaks) > 1 else ""
        fix = "keep the files as they are; compare with a copy from before"
        yield Finding("audit", "Audit", f"{report.breaks[0]}{more}", wanted, Verdict.FAIL, fix)
        return
    found = f"{report.lines} lines, the last is {report.head.sequence}, hash {report.head.digest}"
    if report.first > 1:
        began = report.first_at or "a time that it does not say"
        found += f"; it begins with {report.first} of {began}: what was before has made room"
    if report.torn_bytes:
        found += f"; {report.torn_bytes} bytes of a torn line follow: the next start keeps them aside"
    fix = "note the last sequence and hash elsewhere: a chain alone does not show that its end is missing"
    yield Finding("audit", "Audit", found, wanted, Verdict.PASS, fix)


def _clock(machine: Machine) -> Iterator[Finding]:
    said = machine.run(("timedatectl", "show", "--property=NTPSynchronized", "--value"))
    words = {"yes": ("kept by NTP", Verdict.PASS), "no": ("not kept by NTP", Verdict.FAIL)}
    found, verdict = words.get((said or "").strip(), ("cannot be asked here", Verdict.UNKNOWN))
    fix = (
        ""
        if verdict is Verdict.PASS
        else "turn on time synchronisation, or compare the clock with a phone: tariffs and records need it, control does not"
    )
    yield Finding("clock", "Clock", found, "within 2 s of true time", verdict, fix)


def _zone(machine: Machine) -> Iterator[Finding]:
    link = machine.system / "etc" / "localtime"
    try:
        zone = "/".join(link.readlink().parts[-2:]) if link.is_symlink() else ""
    except OSError:
        zone = ""
    if not zone:
        fix = "set it with timedatectl set-timezone: tariff hours are local"
        yield Finding("zone", "Time zone", "not set", "the site's own", Verdict.UNKNOWN, fix)
        return
    yield Finding("zone", "Time zone", zone, "the site's own", Verdict.NOTE, "compare with the site")


def _shared_memory(machine: Machine) -> Iterator[Finding]:
    path = machine.root / "dev/shm/energy_state"
    wanted = "ours to replace"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        yield Finding("shm", "energy_state", f"{path} is no plain file", wanted, Verdict.FAIL, "remove it")
        return
    owners = {machine.uid, *_service_uids(machine), _owner_uid(machine)}
    if path.exists() and (uid := path.stat().st_uid) not in owners:
        found = f"{path} belongs to user {uid}: the owner does not write over it"
        yield Finding("shm", "energy_state", found, wanted, Verdict.FAIL, "remove it")
        return
    yield Finding(
        "shm", "energy_state", "a plain file" if path.exists() else "not there yet", wanted, Verdict.PASS
    )


def _service_uids(machine: Machine) -> list[int]:
    lines = [line.split(":") for line in (machine.text("etc", "passwd") or "").splitlines()]
    return [int(line[2]) for line in lines if line[0] == "v2h" and len(line) > 2 and line[2].isdecimal()]


def _owner_uid(machine: Machine) -> int | None:
    """Whose the state folder is; ``None`` where there is none. Whatever the service is called, only that user owns the house."""
    try:
        return (machine.root / "var/lib/v2h").stat().st_uid
    except OSError:
        return None


def _priority(machine: Machine) -> Iterator[Finding]:
    allowed = machine.rt_priority >= RT_PRIORITY
    found = f"priority {machine.rt_priority} allowed" if machine.rt_priority else "not allowed"
    fix = "" if allowed else "run as the service, or give the user rtprio in /etc/security/limits.d"
    verdict = Verdict.PASS if allowed else Verdict.FAIL
    yield Finding("rtprio", "Real-time priority", found, f"{RT_PRIORITY}", verdict, fix)


def _login(machine: Machine) -> Iterator[Finding]:
    """KillUserProcesses=yes ends everything that a login has started with the login itself."""
    texts = [machine.text("etc", "systemd", "logind.conf") or ""]
    folder = machine.system / "etc" / "systemd" / "logind.conf.d"
    texts += [path.read_text("utf-8", errors="replace") for path in sorted(folder.glob("*.conf"))]
    values = re.findall(r"^\s*KillUserProcesses\s*=\s*(\S+)", "\n".join(texts), re.MULTILINE | re.IGNORECASE)
    last = values[-1].lower() if values else "no (the default)"
    kills = last in ("yes", "true", "1", "on")
    fix = "`v2h-console install`: a console started from a login dies with it here" if kills else ""
    verdict = Verdict.FAIL if kills else Verdict.PASS
    yield Finding("logind", "KillUserProcesses", last, "no", verdict, fix)


def _can(machine: Machine, comm: CommStack) -> Iterator[Finding]:
    controller = comm.controller
    if controller.interface != "socketcan":
        found = f"{controller.interface}: no kernel module is asked for"
        yield Finding("can", "CAN", found, "socketcan on a real site", Verdict.NOTE)
        return
    loaded = machine.text("proc", "modules") or ""
    built_in = (
        machine.text("lib", "modules", (machine.run(("uname", "-r")) or "").strip(), "modules.builtin") or ""
    )
    for module in ("can", "can_raw"):
        there = bool(re.search(rf"^{module} ", loaded, re.MULTILINE)) or f"/{module}.ko" in built_in
        fix = "" if there else f"modprobe {module}, and add it to /etc/modules-load.d/v2h.conf"
        verdict = Verdict.PASS if there else Verdict.FAIL
        yield Finding(
            f"module.{module}",
            f"Kernel module {module}",
            "loaded" if there else "not loaded",
            "loaded",
            verdict,
            fix,
        )
    state = (machine.text("sys", "class", "net", controller.channel, "operstate") or "").strip()
    up = state in ("up", "unknown")
    fix = "" if up else f"ip link set {controller.channel} up type can bitrate 500000"
    found = f"{controller.channel} {state or 'does not exist'}"
    yield Finding(
        "can", "CAN interface", found, f"{controller.channel} up", Verdict.PASS if up else Verdict.FAIL, fix
    )


def _serial(_machine: Machine, comm: CommStack) -> Iterator[Finding]:
    if comm.load_centre is None:
        return
    tty = Path(comm.load_centre.tty)
    there = tty.is_char_device()
    fix = "" if there else "plug the RS-485 adapter in, or correct load_centre.tty"
    verdict = Verdict.PASS if there else Verdict.FAIL
    yield Finding(
        "serial",
        "Load centre's line",
        f"{tty} {'is there' if there else 'is not there'}",
        "a serial line",
        verdict,
        fix,
    )


def _network_data(machine: Machine, comm: CommStack) -> Iterator[Finding]:
    """A port that another program has taken shows nobody this house, and what is read there is not this house."""
    http = comm.http
    if not http.enabled or not http.port:
        return
    where, wanted = f"{http.address}:{http.port}", "free, or this console"
    said = machine.text("proc", "sys", "net", "ipv4", "ip_unprivileged_port_start") or ""
    everybody_from = int(said) if said.strip().isdecimal() else EVERYBODY_FROM
    ours = machine.alive(http.address, http.port)
    if ours is None:
        failed = machine.listen(http.address, http.port)
        for_root_alone = http.port < everybody_from and _owner_uid(machine) != 0
        if for_root_alone and (failed is None or isinstance(failed, PermissionError)):
            found = (
                f"{where} is for root alone, and the owner is not root: nobody would be shown anything there"
            )
            fix = f"give http.port a number from {everybody_from} on"
            yield Finding("http", "Network data", found, wanted, Verdict.FAIL, fix)
            return
        if isinstance(failed, PermissionError):
            found = f"{where} is for root alone"
            yield Finding(
                "http", "Network data", found, wanted, Verdict.UNKNOWN, "check as root, as the owner is"
            )
            return
        if failed is None:
            yield Finding("http", "Network data", f"{where} is free", wanted, Verdict.PASS)
            return
        found = f"{where} cannot be had: {failed.strerror or failed}"
        fix = "correct http.address: one of this machine's own, 127.0.0.1 where nobody else shall read"
        yield Finding("http", "Network data", found, wanted, Verdict.FAIL, fix)
    elif ours:
        yield Finding("http", "Network data", f"{where} answers for this house", wanted, Verdict.PASS)
    else:
        found = f"another program listens at {where}"
        fix = f"see which with `ss -ltnp sport = :{http.port}`; stop it, or give http.port another number"
        yield Finding("http", "Network data", found, wanted, Verdict.FAIL, fix)


_QUESTIONS = (
    _python,
    _processor,
    _memory,
    _disk,
    _audit,
    _clock,
    _zone,
    _shared_memory,
    _priority,
    _login,
)
