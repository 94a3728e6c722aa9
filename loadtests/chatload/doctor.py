"""What this machine can do, and what to change before measuring on it. Figures, not promises."""

import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from chatload.errors import ChatloadError
from chatload.process import cpu_shares, free_port, own_cpus
from chatload.run import isolation
from chatload.run.directory import cpu_model, filesystem, versions
from chatload.run.settings import files_needed
from chatreport.validity import STOLEN_AT_MOST

State = Literal["ok", "note", "change"]

FSYNCS: Final = 50
SLOW_FSYNC_MS: Final = 20.0
TBANK: Final = (543, 700)  # operators, and dialogs at once in the peak hour, with some to spare
MEMORY_FOR_TBANK_GB: Final = 2.0
FREE_DISK_GB: Final = 2.0


class Finding(NamedTuple):
    """One thing looked at; `advice` says what to change, empty if nothing."""

    name: str
    value: str
    state: State = "ok"
    advice: str = ""


def examine() -> int:
    """Print every finding; 3 if something must change, else 0."""
    findings = [check() for check in CHECKS]
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found", "what to change"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "change": "[red]change[/red]"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.name, finding.value, finding.advice)
    Console().print(table)
    return 3 if any(finding.state == "change" for finding in findings) else 0


def cores() -> Finding:
    """CPUs that we may use."""
    count = len(own_cpus()) or os.cpu_count() or 1
    few = count < 2
    advice = "give it two, so that core and fleet do not share one" if few else ""
    return Finding("cores", f"{count} × {cpu_model()}", "change" if few else "ok", advice)


def threads() -> Finding:
    """Whether core and fleet, pinned to a half of the CPUs each, would still meet on one core."""
    groups = isolation.siblings()
    target, fleet = cpu_shares()
    meet = [group for group in groups if set(group) & set(target) and set(group) & set(fleet)]
    value = "; ".join(" and ".join(map(str, group)) for group in groups) or "none: each CPU is a core of its own"
    advice = "switch SMT off, or start with taskset on CPUs of which no two are siblings" if meet else ""
    return Finding("sibling threads", value, "note" if meet else "ok", advice)


def quota() -> Finding:
    """The CPU time that our cgroups allow."""
    allowed, count = isolation.quota_cpus(), len(own_cpus())
    tight = allowed is not None and allowed < count
    value = "none" if allowed is None else f"{allowed:g} CPUs' time, of {count}"
    advice = "raise cpu.max: whoever exceeds it stands still for the rest of the period" if tight else ""
    return Finding("CPU quota", value, "note" if tight else "ok", advice)


def memory() -> Finding:
    """Memory that is free for a run."""
    free_gb = psutil.virtual_memory().available / 2**30
    short = free_gb < MEMORY_FOR_TBANK_GB
    advice = f"free {MEMORY_FOR_TBANK_GB:g} GB" if short else ""
    return Finding("memory", f"{free_gb:.1f} GB free", "change" if short else "ok", advice)


def disk() -> Finding:
    """Room below the working directory, where runs are recorded."""
    free_gb = psutil.disk_usage(str(Path.cwd())).free / 2**30
    short = free_gb < FREE_DISK_GB
    where = f"{free_gb:.1f} GB free, {filesystem(Path.cwd())}"
    return Finding("disk", where, "change" if short else "ok", "free some, or run elsewhere" if short else "")


def fsync() -> Finding:
    """Median time of a 4 KB write with fsync in the directory of temporary files, where the core keeps its journal."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    median = statistics.median(times)
    value = f"{median:.2f} ms median, {max(times):.2f} ms worst of {FSYNCS}, {filesystem(Path(tempfile.gettempdir()))}"
    slow = median > SLOW_FSYNC_MS
    return Finding("fsync", value, "note" if slow else "ok", "set TMPDIR to a faster disk" if slow else "")


def files() -> Finding:
    """The limit of open files a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = files_needed(*TBANK)
    few = hard != resource.RLIM_INFINITY and hard < needed
    hard_text = "unlimited" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    advice = f"ulimit -Hn {needed}, or LimitNOFILE=, for {TBANK[0]} operators and {TBANK[1]} dialogs" if few else ""
    return Finding("open files", f"{soft:,}, may be raised to {hard_text}", "change" if few else "ok", advice)


def ports() -> Finding:
    """Local ports for loopback connections."""
    try:
        free_port()
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except ChatloadError:
        return Finding("loopback", "no port can be opened", "change", "allow listening on 127.0.0.1")
    except (OSError, ValueError):
        return Finding("loopback", "a port can be opened")
    few = high - low < 10_000
    advice = "sysctl net.ipv4.ip_local_port_range='1024 65000'" if few else ""
    return Finding("loopback ports", f"{high - low:,} for outgoing connections", "note" if few else "ok", advice)


def interpreter() -> Finding:
    """Python and the libraries that make the load."""
    found = versions()
    absent = sorted(name for name, number in found.items() if number == "absent")
    value = ", ".join(f"{name} {number}" for name, number in found.items())
    old = sys.version_info < (3, 11)
    advice = f"install {', '.join(absent)}" if absent else "Python 3.11 or later" if old else ""
    return Finding("versions", value, "change" if advice else "ok", advice)


def clock() -> Finding:
    """The monotonic clock's smallest step, and whether the two clocks drift apart."""
    steps = []
    for _ in range(2000):
        first = time.monotonic_ns()
        while (second := time.monotonic_ns()) == first:
            pass
        steps.append(second - first)
    value = f"monotonic, steps of {statistics.median(steps) / 1000:.2f} µs"
    source = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    name = source.read_text().strip() if source.exists() else "unknown"
    slow = name in ("hpet", "acpi_pm", "jiffies")
    advice = "a slow clock source: every stamp costs a system call" if slow else ""
    return Finding("clock", f"{value}, source {name}", "note" if slow else "ok", advice)


def governor() -> Finding:
    """Whether the CPUs change their frequency."""
    name = isolation.governor()
    if name is None:
        return Finding("CPU governor", "not readable here (usual on virtual machines)")
    saving = name != "performance"
    advice = "cpupower frequency-set -g performance" if saving else ""
    return Finding("CPU governor", name, "note" if saving else "ok", advice)


def neighbours() -> Finding:
    """CPU time that the host gave to others, and what else runs, over a quarter of a second."""
    before = isolation.read({})
    busy = psutil.cpu_percent(0.25) / 100
    stolen = isolation.steal_share(before.ticks, isolation.read({}).ticks) or 0.0
    value = f"{100 * stolen:.1f} % stolen by the host, {100 * busy:.0f} % busy before we start"
    crowded = stolen > STOLEN_AT_MOST or busy > 0.5
    return Finding("neighbours", value, "note" if crowded else "ok", "measure on a quiet machine" if crowded else "")


def system() -> Finding:
    """The kernel; everything is tried on Linux."""
    linux = platform.system() == "Linux"
    advice = "not tried here: processes may outlive a killed parent" if not linux else ""
    return Finding("system", f"{platform.system()} {platform.release()}", "ok" if linux else "note", advice)


CHECKS: Final[tuple[Callable[[], Finding], ...]] = (
    system, cores, threads, quota, memory, disk, fsync, files, ports, interpreter, clock, governor, neighbours,
)  # fmt: skip
