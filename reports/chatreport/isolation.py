"""How far the run was alone on its CPUs, from what the suite recorded in the manifest, in words and for the verdict."""

from collections.abc import Mapping
from typing import Any, Final

TARGET: Final = "core"
STEERING: Final = "locust"  # every other process is a fleet's
UNKNOWN: Final = "not shown by this system"

Isolation = Mapping[str, Any]


def of(manifest: Mapping[str, Any]) -> Isolation:
    """What was recorded; empty if nothing was."""
    return manifest.get("isolation") or {}


def sharing(isolation: Isolation) -> list[str]:
    """Which fleets may run on the target's CPUs, or on their sibling threads; for each the nearest neighbourhood."""
    processes = isolation.get("processes") or {}
    target = set((processes.get(TARGET) or {}).get("cpus") or ())
    near = {cpu for group in isolation.get("siblings") or [] if target & set(group) for cpu in group}
    found = []
    for name, process in sorted(processes.items()):
        if name in (TARGET, STEERING):
            continue
        cpus = set(process["cpus"])
        if target & cpus:
            found.append(f"{name} and the platform share CPU {_numbers(target & cpus)}")
        elif near & cpus:
            theirs = f"CPU {_numbers(near & cpus)} and {_numbers(target)}"
            found.append(f"{name} and the platform share a core, whose threads are {theirs}")
    return found


def waiting(isolation: Isolation) -> dict[str, float]:
    """Of the time in which the platform and each fleet had work, the share in which they waited for a CPU."""
    processes = isolation.get("processes") or {}
    return {name: float(process["wait_share"]) for name, process in processes.items() if name != STEERING}


def line(isolation: Isolation) -> str:
    """One line for the summary."""
    if not isolation:
        return "not recorded"
    shared = sharing(isolation)
    waits = [f"{name} {_percent(share)}" for name, share in waiting(isolation).items()]
    return "; ".join([
        shared[0] if shared else "platform and load on CPUs of their own",
        f"waited for a CPU, of the time with work: {', '.join(waits) or UNKNOWN}",
        f"stolen by the host: {_percent(isolation.get('steal_share'))}",
        f"throttled {_count(isolation.get('throttled'))} times",
    ])  # fmt: skip


def rows(isolation: Isolation) -> list[tuple[str, str, str]]:
    """(what, value, meaning) for the report; empty if nothing was recorded."""
    if not isolation:
        return []
    found = [(_title(name), _process(process), _placed(process)) for name, process in _ordered(isolation)]
    siblings = ", ".join(_numbers(set(group)) for group in isolation.get("siblings") or [])
    quota = isolation.get("quota_cpus")
    return [
        *found,
        ("Sharing", "; ".join(sharing(isolation)) or "none",
         f"sibling threads: {siblings}" if siblings else "each CPU is a core of its own, as far as the system tells"),
        ("Stolen by the host", _percent(isolation.get("steal_share")), "of our CPUs’ time, from ramp to last start"),
        ("CPU quota", "none" if quota is None else f"{quota:g} CPUs",
         f"throttled {_count(isolation.get('throttled'))} times, {_seconds(isolation.get('throttled_s'))} in all"),
        ("Frequency", isolation.get("governor") or UNKNOWN, f"governor; {_mhz(isolation.get('mhz'))} at the end"),
        ("Load average", f"{isolation.get('load_average', 0):g}", "over the minute before the ramp, with ourselves"),
    ]  # fmt: skip


def _ordered(isolation: Isolation) -> list[tuple[str, dict[str, Any]]]:
    """The target first, Locust last."""
    processes = isolation.get("processes") or {}
    return sorted(processes.items(), key=lambda each: (each[0] == STEERING, each[0] != TARGET, each[0]))


def _title(name: str) -> str:
    return {TARGET: "Platform", STEERING: "Locust"}.get(name, f"Fleet {name}")


def _placed(process: Mapping[str, Any]) -> str:
    return f"CPU {_numbers(set(process['cpus']))}, {process['policy']} scheduling, niceness {process['niceness']}"


def _process(process: Mapping[str, Any]) -> str:
    return (
        f"waited for a CPU in {_percent(process['wait_share'])} of the time it had work ({process['waited_s']:.2f} s "
        f"beside {process['ran_s']:.2f} s on one); taken off it {process['preempted']:,} times"
    )


def _numbers(cpus: set[int]) -> str:
    return ", ".join(map(str, sorted(cpus))) or "unknown"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def _count(times: int | None) -> str:
    return "an unknown number of" if times is None else f"{times:,}"


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f} s"


def _mhz(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f} MHz"
