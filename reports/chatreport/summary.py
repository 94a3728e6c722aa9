"""The summary of a run: at most 25 lines for the terminal, and the same as Markdown."""

from pathlib import Path
from typing import Any, Final

from chatreport import isolation
from chatreport.calibration import simulated
from chatreport.kpi import HEADLINES, is_variant
from chatreport.verdict import Verdict
from chatreport.verify import GUARANTEES
from chatreport.wording import (
    LOSSES,
    ceiling,
    channels,
    conditions,
    heading,
    machine,
    mark,
    milliseconds,
    number,
    played,
    printable,
)  # fmt: skip

LINES: Final = 25
REASONS: Final = 4
SHOWN: Final = 17  # figures of a simulation
WIDEST: Final = 280  # a reason with what to do about it
LATENCIES: Final = ("accept", "deliver_in", "deliver_out", "assign", "bot")


def lines(verdict: Verdict, manifest: dict[str, Any], report: Path | None) -> list[str]:
    """The summary, line by line."""
    counts = verdict.counts
    found = [f"{heading(verdict, manifest)[0].upper()}  {_title(manifest)}"]
    found += [f"  {reason}" for reason in _shortened(verdict.reasons)]
    dialogs = f"dialogs     {counts['dialogs']:,}, {counts['operators']:,} operators, {channels(manifest)}"
    found += [dialogs, *_beside_published(verdict)] if simulated(manifest) else _measured(verdict, manifest, dialogs)
    if verdict.warnings:
        more = f" (and {len(verdict.warnings) - 1} more)" if len(verdict.warnings) > 1 else ""
        found.append(f"note        {verdict.warnings[0]}{more}")
    if report is not None:
        found.append(f"report      {report}")
    return [printable(line).replace("\n", " ") for line in found[:LINES]]


def _beside_published(verdict: Verdict) -> list[str]:
    """The contact centre's figures, those that somebody has published first."""
    found = []
    for name, figure in sorted(verdict.kpi.items(), key=lambda each: "published" not in each[1]):
        if figure["value"] is not None and not is_variant(name, figure):
            unit, published = figure["unit"], figure.get("published")
            beside = "" if published is None else f"published {number(published, unit)}"
            label = str(figure["definition"]["label"])
            found.append(f"            {label:32}{number(figure['value'], unit):>18}  {beside}".rstrip())
    return ["centre      ".rstrip(), *found][:SHOWN]


def _measured(verdict: Verdict, manifest: dict[str, Any], dialogs: str) -> list[str]:
    """What a run on a wire says, of a platform or of the generator alone."""
    generator, alone = verdict.generator, ceiling(verdict)
    found = [*(_calibrated(verdict) if alone else _delivered(verdict)), dialogs]
    found.append(f"latency     ms, from the intended time, {conditions(verdict)}")
    if verdict.latency_ms:
        found.append(f"            {'':12}{'n':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    for name in LATENCIES:
        if name in verdict.latency_ms:
            figures = verdict.latency_ms[name]
            shown = "".join(f"{milliseconds(figures[stat]):>9}" for stat in ("p50", "p90", "p99", "max"))
            found.append(f"            {name:12}{figures['n']:>9,}{shown}")
    if not alone:
        found.append(f"centre      {_figures(verdict)}")
    found.append(f"generator   {_generator(generator)}")
    found.append(f"distortion  {_distortion(verdict)}; on {machine(manifest)}, generator included")
    return found


def _delivered(verdict: Verdict) -> list[str]:
    """The guarantees, and what became of the messages."""
    counts = verdict.counts
    losses = ", ".join(f"{counts.get(f'messages_{name}', 0):,} {name}" for name in LOSSES)
    acked, recovered = counts.get("messages_acked", 0), counts.get("messages_recovered", 0)
    return [f"guarantees  {_marks(verdict)}", f"messages    {acked:,} acknowledged: {losses}; {recovered:,} recovered"]


def _calibrated(verdict: Verdict) -> list[str]:
    """The generator's ceiling and floor."""
    mirror = {stat: milliseconds(verdict.generator[f"mirror_{stat}_ms"]) for stat in ("p50", "p99")}
    labels = ("ceiling", "", "")
    found = [f"{label:12}{value}: {words}" for label, (value, words) in zip(labels, ceiling(verdict), strict=True)]
    return [
        *found,
        f"floor       mirror p50 {mirror['p50']} ms, p99 {mirror['p99']} ms; latencies below are its own, too",
    ]


def markdown(verdict: Verdict, manifest: dict[str, Any]) -> str:
    """The summary as Markdown."""
    word = heading(verdict, manifest)[0].upper()
    rows = [f"## {word}: {_plain(_title(manifest))}", "", _plain(played(verdict, manifest)), ""]
    rows += [f"- {_plain(reason)}" for reason in verdict.reasons]
    if simulated(manifest):
        rows += ["", "```", *_beside_published(verdict), "```"]
    else:
        rows += _measured_rows(verdict, manifest)
    rows += ["", *(f"> {_plain(warning)}" for warning in verdict.warnings)] if verdict.warnings else []
    return printable("\n".join(rows)) + "\n"


def _measured_rows(verdict: Verdict, manifest: dict[str, Any]) -> list[str]:
    rows = _ceiling_rows(verdict) or _delivery_rows(verdict)
    rows += ["", f"Latency in ms from the intended time, {conditions(verdict)}; "
             f"measurement floor p99 {milliseconds(verdict.generator['mirror_p99_ms'])} ms.", "",
             "| operation | n | p50 | p90 | p99 | p99.9 | max |", "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name, figures in verdict.latency_ms.items():
        shown = " | ".join(milliseconds(figures[stat]) for stat in ("p50", "p90", "p99", "p99_9", "max"))
        rows.append(f"| {name} | {figures['n']:,} | {shown} |")
    if not ceiling(verdict):
        rows += ["", f"Contact centre: {_plain(_figures(verdict))}."]
    rows += ["", f"Generator: {_generator(verdict.generator)}."]
    return [
        *rows, f"Distortion: {_distortion(verdict)}.",
        f"Isolation: {_plain(isolation.line(isolation.of(manifest)))}.",
    ]  # fmt: skip


def _delivery_rows(verdict: Verdict) -> list[str]:
    counts = verdict.counts
    rows = ["", "| guarantee | | evidence |", "|---|---|---:|"]
    for guarantee in GUARANTEES:
        finding = verdict.guarantees[guarantee.id]
        status = f"{mark(finding.status, finding.why)} {finding.why or finding.status}"
        rows.append(f"| {guarantee.id} {guarantee.name} | {_plain(status)} | {finding.count:,} |")
    rows += ["", "| messages | n |", "|---|---:|", f"| acknowledged | {counts.get('messages_acked', 0):,} |"]
    return rows + [f"| {name} | {counts.get(f'messages_{name}', 0):,} |" for name in (*LOSSES, "recovered")]


def _ceiling_rows(verdict: Verdict) -> list[str]:
    found = ceiling(verdict)
    head = ["", "| the generator’s ceiling | |", "|---:|---|"]
    return [*head, *(f"| {value} | {_plain(words)} |" for value, words in found)] if found else []


def _title(manifest: dict[str, Any]) -> str:
    title = manifest.get("title") or manifest.get("scenario") or "run"
    parts = [str(title), f"load {number(float(manifest.get('load') or 0))}"]
    parts += [
        f"speed {number(float(manifest.get('speed') or 1))}",
        f"{number(float(manifest.get('duration_s') or 0))} s",
    ]
    return " · ".join([*parts, f"seed {manifest.get('seed')}"])


def _shortened(reasons: list[str]) -> list[str]:
    shown = [reason if len(reason) <= WIDEST else reason[: WIDEST - 1] + "…" for reason in reasons[:REASONS]]
    hidden = len(reasons) - len(shown)
    return [*shown, f"… and {hidden} more reasons"] if hidden else shown


def _marks(verdict: Verdict) -> str:
    found = ((guarantee.id, verdict.guarantees[guarantee.id]) for guarantee in GUARANTEES)
    return "  ".join(f"{name} {mark(each.status, each.why)}" for name, each in found)


def _figures(verdict: Verdict) -> str:
    parts = []
    for name in HEADLINES:
        figure = verdict.kpi[name]
        if figure.get("withheld"):
            return f"withheld: {figure['withheld']}"
        if figure["value"] is not None:
            beside = f" (published {number(figure['published'])})" if "published" in figure else ""
            label = str(figure["definition"]["label"]).lower().replace("average speed of answer", "answered after")
            parts.append(f"{label} {number(figure['value'], figure['unit'])}{beside}")
    return ", ".join(parts) or "no dialog reached the queue"


def _generator(generator: dict[str, Any]) -> str:
    share = generator["offered_share"]
    cpu = generator["cpu_share"]
    parts = [
        f"lag p99 {milliseconds(generator['lag_p99_ms'])} ms",
        f"mirror p99 {milliseconds(generator['mirror_p99_ms'])} ms",
        f"{number(None if share is None else 100 * share)} % of the load started",
        f"{generator['unsent']:,} unsent",
    ]
    return ", ".join(parts + ([f"{100 * cpu:.0f} % of a core"] if cpu is not None else []))


def _distortion(verdict: Verdict) -> str:
    share = verdict.distortion["share"]
    return "not known" if share is None else f"{100 * share:.2f} %"


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    for sign in "\\`*_[]|#":
        text = text.replace(sign, f"\\{sign}")
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return " ".join(text.split())
