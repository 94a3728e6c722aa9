"""`chatload scenarios fit`: a scenario from an export, and what was made of it."""

from pathlib import Path
from typing import Final

from chatload.console import say, tell
from chatload.errors import BadOption
from chatload.fit import LEFT_OUT, BadExport, Estimates, Export, drafted, estimate, read
from chatload.scenario.template import write_new

SAYS: Final = {  # what a figure is called, its factor and unit
    "dialogs_per_day": ("dialogs a day", 1, ""),
    "peak_hour_share": ("peak hour's share", 100, "%"),
    "busyness_cv": ("busyness: how days differ beyond chance", 100, "%"),
    "messages": ("messages a dialog", 1, ""),
    "duration_s": ("duration without the wait", 1, "s"),
    "lasted_s": ("duration with it", 1, "s"),
    "contained": ("kept by the bot", 100, "%"),
    "turns_contained": ("questions to the bot that keeps it", 1, ""),
    "turns_before": ("questions to the bot that hands over", 1, ""),
    "patience_s": ("patience", 1, "s"),
    "bursts": ("asked of operators in several messages", 100, "%"),
    "burst_messages": ("and in how many", 1, ""),
    "returning": ("begun by who was here within a day", 100, "%"),
    "returning_after_s": ("and after how long", 1, "s"),
    "silent": ("leaving without a word", 100, "%"),
    "talk_s": ("talk", 1, "s"),
    "call_patience_s": ("callers' patience", 1, "s"),
    "operators": ("operators in the busiest hour", 1, ""),
    "slots": ("dialogs at once", 1, ""),
    "transfer_share": ("sent on", 100, "%"),
    "rated_share": ("rated", 100, "%"),
    "satisfaction": ("of these content", 100, "%"),
    "asa_s": ("wait of those served", 1, "s"),
    "handling_time_s": ("handling time", 1, "s"),
    "accepted_share": ("accepted", 100, "%"),
    "service_level_20s": ("accepted within 20 s", 100, "%"),
}


def fit(file: Path, out: Path | None) -> None:
    """Read, estimate, write, and tell; bad rows go to stderr.

    Raises:
        BadExport: nothing can be used.
        BadScenario: what was estimated contradicts itself.
        BadOption: the scenario's file exists.
    """
    out = out or Path(f"{file.stem}.toml")
    if out.suffix != ".toml":
        raise BadOption("--out", out, "a scenario's file ends in .toml")
    export = read(file, lambda rows: tell(f"{file}: {rows:,} rows read"))
    for row in export.bad:
        tell(f"{file}: {row}; left out")
    if not export.rows:
        raise BadExport(file, f"no row can be used: it holds {_lost(export):,}{', all bad' if export.bad else ''}")
    found = estimate(export)
    write_new(out, drafted(out.stem, found, file), "--out")
    say("\n".join([*_read(export), *_table(found), *_next(out)]))


def _lost(export: Export) -> int:
    return sum(row.lines for row in export.bad)


def _read(export: Export) -> list[str]:
    used, bad = len(export.rows), _lost(export)
    unused = [f"Columns that are not read: {', '.join(export.unused)}."] if export.unused else []
    return [f"{export.path}: {used + bad:,} rows, {used:,} used, {bad:,} bad and left out.", *unused, ""]


def _table(found: Estimates) -> list[str]:
    lines = [f"{'':42}{'estimate':>12}   rows"]
    for name, (label, factor, unit) in SAYS.items():
        if estimate := found.figures.get(name):
            lines.append(f"{label:42}{factor * estimate.value:>12,.4g} {unit:2}{estimate.rows:,}")
    for channel, share in found.shares.items():
        lines.append(f"{'through ' + channel:42}{100 * share:>12,.4g} % {found.rows:,}")
    for channel, sent in (found.departments.channels if found.departments else {}).items():
        lines.append(f"{f'of {channel} to {sent.department}'[:42]:42}{100 * sent.share:>12,.4g} % {sent.rows:,}")
    missing = {name: label for name, (label, _, _) in SAYS.items() if name not in found.figures}
    assumed = [label for name, label in missing.items() if name not in LEFT_OUT]
    left_out = [label for name, label in missing.items() if name in LEFT_OUT]
    lines += [f"Not told by the file, and left as assumed: {', '.join(assumed)}."] if assumed else []
    return [*lines, *([f"Not told by the file, and left out: {', '.join(left_out)}."] if left_out else [])]


def _next(out: Path) -> list[str]:
    return ["", f"{out} is written. See what it says: chatload scenarios explain {out}; play it: chatload run {out}"]
