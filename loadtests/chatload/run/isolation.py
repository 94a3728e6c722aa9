"""How far a run was alone on its CPUs: where its processes ran, what they waited for, what the machine took away.

The kernel counts; a reading before and one after tell what happened in between. Whatever this system does not show
is None. Of each process its main thread is looked at: there its event loop runs.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from chatload.process import own_cpus

PROC: Final = Path("/proc")
CPUS: Final = Path("/sys/devices/system/cpu")
CGROUPS: Final = Path("/sys/fs/cgroup")
POLICIES: Final = ("normal", "fifo", "round robin", "batch", "", "idle", "deadline")  # by their numbers


class Ticks(NamedTuple):
    """Time of some CPUs, in clock ticks: all of it, and what the host gave to others."""

    total: int
    stolen: int


class Throttled(NamedTuple):
    """How often, and how long in all, a CPU quota made us stop."""

    times: int
    seconds: float


class Waited(NamedTuple):
    """A thread since it began: on a CPU, ready and without one, and how often it was taken off its CPU."""

    pid: int
    ran_ns: int
    waited_ns: int
    preempted: int


class Reading(NamedTuple):
    """The counters of a moment."""

    ticks: Ticks | None
    throttled: Throttled | None
    waited: dict[str, Waited]
    load_average: float


def read(processes: Mapping[str, int]) -> Reading:
    """The counters of now, for these process ids."""
    waited = {name: found for name, pid in processes.items() if (found := _waited(pid)) is not None}
    stat = _text(PROC / "stat")
    ticks = cpu_ticks(stat, own_cpus()) if stat else None
    return Reading(ticks, _throttled(), waited, round(os.getloadavg()[0], 2))


def disclosed(before: Reading, after: Reading) -> dict[str, Any]:
    """`isolation` of the manifest: where the processes are now, and what happened between the readings.

    A process that was started in between counts since its start.
    """
    throttled = _between(before.throttled, after.throttled)
    return {
        "processes": {name: _disclosed(before.waited.get(name), found) for name, found in after.waited.items()},
        "siblings": siblings(),
        "governor": governor(),
        "mhz": frequency_mhz(_text(PROC / "cpuinfo")),
        "load_average": before.load_average,
        "steal_share": steal_share(before.ticks, after.ticks),
        "quota_cpus": quota_cpus(),
        "throttled": throttled.times if throttled else None,
        "throttled_s": round(throttled.seconds, 6) if throttled else None,
    }


def siblings() -> list[list[int]]:
    """The groups of CPUs that are threads of one core; empty if each has a core of its own."""
    return sibling_groups(_text(path) for path in CPUS.glob("cpu[0-9]*/topology/thread_siblings_list"))


def governor() -> str | None:
    """What chooses the CPUs' frequency; usually not shown on virtual machines."""
    return _text(CPUS / "cpu0/cpufreq/scaling_governor").strip() or None


def steal_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """The share of CPU time that the host gave to others."""
    if before is None or after is None or after.total <= before.total:
        return None
    return round((after.stolen - before.stolen) / (after.total - before.total), 6)


def quota_cpus() -> float | None:
    """How many CPUs' time the tightest quota above us allows; None without a quota."""
    return min((found for group in _groups() if (found := _quota(group)) is not None), default=None)


# What the kernel's files say


def cpu_ticks(stat: str, cpus: Iterable[int]) -> Ticks:
    """The times of these CPUs in /proc/stat; guests' are in the users' already."""
    names = {f"cpu{cpu}" for cpu in cpus}
    lines = [[int(value) for value in rest] for name, *rest in map(str.split, stat.splitlines()) if name in names]
    return Ticks(sum(sum(line[:8]) for line in lines), sum(line[7] for line in lines))


def frequency_mhz(cpuinfo: str) -> float | None:
    """The CPUs' mean frequency in /proc/cpuinfo; None if it names none."""
    found = [float(line.partition(":")[2]) for line in cpuinfo.splitlines() if line.startswith("cpu MHz")]
    return round(sum(found) / len(found), 1) if found else None


def cpu_list(text: str) -> list[int]:
    """The numbers in a list such as 0-2,7."""
    parts = (part.partition("-") for part in text.strip().split(",") if part)
    return [cpu for first, dash, last in parts for cpu in range(int(first), int(last if dash else first) + 1)]


def sibling_groups(texts: Iterable[str]) -> list[list[int]]:
    """The groups of more than one CPU in every CPU's topology/thread_siblings_list."""
    groups = {tuple(cpu_list(text)) for text in texts}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def quota_of(cpu_max: str) -> float | None:
    """The CPUs in a cgroup's cpu.max, or in version 1's cpu.cfs_quota_us and cpu.cfs_period_us on one line."""
    quota, period = cpu_max.split()
    return None if quota in ("max", "-1") else round(int(quota) / int(period), 3)


def throttled_in(cpu_stat: str) -> Throttled:
    """What a cgroup's cpu.stat counts; version 1 has nanoseconds."""
    found = {name: int(value) for name, value in map(str.split, cpu_stat.splitlines())}
    seconds = found.get("throttled_usec", 0) / 1e6 + found.get("throttled_time", 0) / 1e9
    return Throttled(found.get("nr_throttled", 0), seconds)


def groups_of(cgroup: str) -> list[str]:
    """Our group in /proc/self/cgroup and those above, below /sys/fs/cgroup; version 1's CPU groups where it has any."""
    lines = [line.split(":", 2) for line in cgroup.splitlines()]
    ours = [(names, path) for _, names, path in lines if "cpu" in names.split(",")] or [
        ("", path) for _, names, path in lines if not names
    ]
    if not ours:
        return []
    names, path = ours[0]
    parts = [part for part in path.split("/") if part]
    return ["/".join([*filter(None, [names]), *parts[:depth]]) for depth in range(len(parts), -1, -1)]


def scheduled(schedstat: str) -> tuple[int, int]:
    """Nanoseconds on a CPU and nanoseconds ready and waiting for one, of /proc/PID/schedstat."""
    ran, waited, _ = schedstat.split()
    return int(ran), int(waited)


def preemptions(status: str) -> int:
    """How often the thread of /proc/PID/status was taken off its CPU while it had work."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("nonvoluntary_ctxt_switches:"))


# Reading them


def _text(path: Path) -> str:
    """What the file says; nothing if it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _waited(pid: int) -> Waited | None:
    schedstat, status = _text(PROC / str(pid) / "schedstat"), _text(PROC / str(pid) / "status")
    return Waited(pid, *scheduled(schedstat), preemptions(status)) if schedstat and status else None


def _groups() -> list[Path]:
    return [CGROUPS / group for group in groups_of(_text(PROC / "self/cgroup"))]


def _quota(group: Path) -> float | None:
    text = _text(group / "cpu.max") or f"{_text(group / 'cpu.cfs_quota_us')} {_text(group / 'cpu.cfs_period_us')}"
    return quota_of(text) if text.strip() else None


def _throttled() -> Throttled | None:
    found = [throttled_in(text) for group in _groups() if (text := _text(group / "cpu.stat"))]
    return Throttled(sum(each.times for each in found), sum(each.seconds for each in found)) if found else None


def _between(before: Throttled | None, after: Throttled | None) -> Throttled | None:
    if before is None or after is None:
        return None
    return Throttled(after.times - before.times, after.seconds - before.seconds)


def _disclosed(before: Waited | None, after: Waited) -> dict[str, Any]:
    """One process: where it may run and how it is scheduled, what it used and what it waited for."""
    since = before if before is not None and before.pid == after.pid else Waited(after.pid, 0, 0, 0)
    ran_ns, waited_ns = after.ran_ns - since.ran_ns, after.waited_ns - since.waited_ns
    wanted_ns = ran_ns + waited_ns
    return {
        **_placed(after.pid),
        "ran_s": round(ran_ns / 1e9, 3),
        "waited_s": round(waited_ns / 1e9, 3),
        "wait_share": round(waited_ns / wanted_ns, 4) if wanted_ns else 0.0,
        "preempted": after.preempted - since.preempted,
    }


def _placed(pid: int) -> dict[str, Any]:
    try:
        return {
            "cpus": sorted(os.sched_getaffinity(pid)),
            "policy": POLICIES[os.sched_getscheduler(pid)],
            "niceness": os.getpriority(os.PRIO_PROCESS, pid),
        }
    except ProcessLookupError:  # it ended between the two looks
        return {"cpus": [], "policy": "", "niceness": 0}
