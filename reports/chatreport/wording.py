"""How numbers and runs are put into words, the same in the terminal, in Markdown and in the report."""

import math
import re
from typing import Any, Final

from chatreport.calibration import USABLE, generator_alone, simulated
from chatreport.latency import OPERATIONS
from chatreport.rundir import MESSENGERS
from chatreport.verdict import Verdict
from chatreport.verify import NOT_EXERCISED, NOT_OBSERVABLE

MARKS: Final = {"held": "✓", "violated": "✕", "unknown": "?", "left out": "–"}
ANSWERS: Final = {
    "pass": "It held.",
    "fail": "It did not hold.",
    "inconclusive": "This run cannot tell.",
    "invalid": "This run cannot be trusted.",
}
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
LOSSES: Final = ("lost", "duplicated", "reordered", "phantom")


def heading(verdict: Verdict, manifest: dict[str, Any]) -> tuple[str, str]:
    """The word that heads a run, and its answer: a generator that did well alone is no platform's pass."""
    if verdict.verdict == "pass" and generator_alone(manifest):
        return "generator", "No platform was tested."
    if simulated(manifest):
        word = "simulated" if verdict.verdict == "pass" else verdict.verdict
        return word, "No platform was tested."
    return verdict.verdict, ANSWERS[verdict.verdict]


def ceiling(verdict: Verdict) -> list[tuple[str, str]]:
    """The generator's ceiling in figures and words; empty where a platform was tested."""
    found = verdict.generator.get("ceiling")
    if found is None:
        return []
    share, stand_in = (None if found[name] is None else 100 * found[name] for name in ("cpu_share", "target_cpu_share"))
    return [
        (number(found["messages_per_s"], "messages/s"), f"sent at {number(share, '%')} of a core, with send lag p99"
         f" {milliseconds(verdict.generator['lag_p99_ms'])} ms; the stand-in used {number(stand_in, '%')}"),
        (number(found["estimate_messages_per_s"], "messages/s"), "an estimate of what a whole core would send"),
        (number(found["usable_messages_per_s"], "messages/s"), f"the most at which latencies are the platform’s:"
         f" {100 * USABLE:.0f} % of the estimate"),
    ]  # fmt: skip


def printable(text: str) -> str:
    """Text without the characters that move a terminal's cursor or end a file early."""
    return _CONTROLS.sub("\ufffd", text)


def number(value: float | None, unit: str = "") -> str:
    """A figure with as many digits as one reads: 3 012, 91.2 %, 0.42 ms; a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    size = abs(value)
    digits = 0 if float(value).is_integer() or size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}" + (f" {unit}" if unit else "")


def milliseconds(value: float | None) -> str:
    """A time in ms, without the unit: two digits below 10, one below 100, none above."""
    if value is None:
        return "–"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def mark(status: str, why: str = "") -> str:
    """The sign of a guarantee's status."""
    return MARKS["left out" if why in (NOT_EXERCISED, NOT_OBSERVABLE) else status]


def channels(manifest: dict[str, Any]) -> str:
    """Which of the published channels were played."""
    found = manifest.get("channels") or {}
    played, published = found.get("played") or [], found.get("published") or []
    names = ", ".join(played) or "no channel"
    return f"{len(played)} of {len(published)} published channels ({names})" if published else names


def machine(manifest: dict[str, Any]) -> str:
    """The machine in a few words."""
    hardware = manifest.get("hardware") or {}
    parts = []
    if hardware.get("cores"):
        parts.append(f"{hardware['cores']} cores" + (f" of {hardware['cpu']}" if hardware.get("cpu") else ""))
    if hardware.get("memory_gb"):
        parts.append(f"{number(hardware['memory_gb'])} GB")
    return ", ".join(parts) or "an undescribed machine"


def played(verdict: Verdict, manifest: dict[str, Any]) -> str:
    """One sentence: what was played."""
    title = ", ".join(str(manifest[key]) for key in ("scenario", "part") if manifest.get(key)) or "a scenario"
    seconds = number(float(manifest.get("duration_s") or 0), "s")
    speed = float(manifest.get("speed") or 1)
    compressed = f" at {number(speed)}× speed" if speed != 1 else ""
    against = f"against {(manifest.get('target') or {}).get('name', 'a target')} on {machine(manifest)}"
    return (
        f"{title}: {verdict.counts['dialogs']:,} dialogs and {verdict.counts['operators']:,} operators over "
        f"{channels(manifest)}, load {number(float(manifest.get('load') or 0))}{compressed} for {seconds}, "
        f"{'under a virtual clock' if simulated(manifest) else against}."
    )


def conditions(verdict: Verdict) -> str:
    """Under which traffic the latencies were read."""
    reading = verdict.reading
    return f"at {number(reading['messages_per_s'])} messages/s, {number(reading['open_dialogs'])} dialogs open"


def not_claimed(verdict: Verdict, manifest: dict[str, Any]) -> list[str]:
    """What a reader might take from the run and must not."""
    if simulated(manifest):
        alone = (
            "Anything about a platform, its guarantees, its latencies or its capacity: there was none, nor any wire."
        )
        return [alone, *_not_played(manifest)]
    speed = float(manifest.get("speed") or 1)
    found: list[str] = []
    if generator_alone(manifest):
        found.append("Anything about a platform: a stand-in answered, which stores nothing and checks nothing.")
    if speed != 1:
        found.append(
            f"Production latency, idle connections, polling, expiry or recovery in business time: time ran "
            f"{number(speed)}× faster. Latencies read “{conditions(verdict)}”."
        )
    left = [f"{name} ({each.why})" for name, each in verdict.guarantees.items() if each.status == "unknown"]
    if left:
        found.append(f"Guarantees not judged: {', '.join(left)}.")
    found += _not_played(manifest)
    found.append(
        "A larger installation: figures are of these machines, load generator included, and the way between them."
    )
    found.append("Power loss or media failure: durable means through kill -9 of the process.")
    if {channel.name.lower() for channel in MESSENGERS} & set((manifest.get("channels") or {}).get("played") or []):
        found.append("Exactly once inside a messenger: without an idempotency key nobody can promise that.")
    return found


def _not_played(manifest: dict[str, Any]) -> list[str]:
    offered = manifest.get("channels") or {}
    missing = [name for name in offered.get("published") or [] if name not in (offered.get("played") or [])]
    return [f"Channels not played: {', '.join(missing)}."] if missing else []


def headline_latency(verdict: Verdict) -> tuple[str, dict[str, Any]] | None:
    """The delivery that stands for the run: to the operator, else to the customer; None without either."""
    for name in ("deliver_in", "deliver_out"):
        if name in verdict.latency_ms:
            return name, verdict.latency_ms[name]
    return None


def meaning(operation: str) -> str:
    """From where to where an operation is timed."""
    return OPERATIONS[operation]
