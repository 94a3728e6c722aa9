"""What the page shows: the verdict in words and formatted figures, so that the template holds no arithmetic."""

from datetime import UTC, datetime
from typing import Any, Final

from chatreport import isolation
from chatreport.calibration import simulated
from chatreport.kpi import MAIN as USUAL_WINDOW
from chatreport.kpi import RAMP as USUALLY_LEFT_OUT
from chatreport.kpi.published import TOLERANCE
from chatreport.latency import OPERATIONS, STATS
from chatreport.objectives import Judged
from chatreport.report.figures import arrivals, headlines, parts, subjects, unmeasured
from chatreport.report.frame import framed
from chatreport.series import Starts
from chatreport.validity import LITTLE_WITHIN, OFFERED_AT_LEAST, blur_limit_ms
from chatreport.verdict import Verdict
from chatreport.verify import GUARANTEES, NOT_EXERCISED, NOT_OBSERVABLE
from chatreport.wording import (
    LOSSES,
    ceiling,
    conditions,
    heading,
    headline_latency,
    mark,
    milliseconds,
    not_claimed,
    number,
    played,
)  # fmt: skip

SHOWN_STATS: Final = ("p50", "p90", "p99", "p99_9", "max")
LOSS_MEANINGS: Final = {
    "lost": "acknowledged, not in the final history",
    "duplicated": "one message at two places",
    "reordered": "not in one order for all",
    "phantom": "there, and nobody sent it",
}


def render(verdict: Verdict, manifest: dict[str, Any], pictures: dict[str, str], planned: Starts | None) -> str:
    """The page as one HTML document; everything but our own pictures and style is escaped."""
    word, answer = heading(verdict, manifest)
    return framed(
        "simulated" if simulated(manifest) else "report",
        word=word,
        look=word,
        title=str(manifest.get("title") or manifest.get("scenario") or "run"),
        answer=answer,
        sentence=played(verdict, manifest),
        reasons=verdict.reasons,
        warnings=verdict.warnings,
        losses=_losses(verdict),
        ceiling=ceiling(verdict),
        headline=_headline(verdict),
        headlines=headlines(verdict),
        guarantees=_guarantees(verdict),
        not_claimed=not_claimed(verdict, manifest),
        objectives=[_objective(objective) for objective in verdict.objectives],
        conditions=conditions(verdict),
        latencies=_latencies(verdict),
        subjects=subjects(verdict, variants=False) + unmeasured(verdict, manifest),
        variants=subjects(verdict, variants=True),
        withheld=next(iter(verdict.kpi.values())).get("withheld"),
        parts=parts(verdict, by_clock=manifest.get("part") == "day"),
        day="The day" if manifest.get("part") == "day" else "Arrivals",
        arrivals=arrivals(planned),
        tolerance=f"{100 * TOLERANCE:.0f} %",
        published=bool(manifest.get("published")),
        window=USUAL_WINDOW,
        left_out=USUALLY_LEFT_OUT,
        health=_health(verdict),
        little=_little(verdict.generator["little"]),
        isolation=isolation.rows(isolation.of(manifest)),
        books=_books(verdict),
        evidence=_evidence(verdict),
        environment=_environment(verdict, manifest),
        began=_moment(str(manifest.get("started_at") or "")),
        run=str(manifest.get("run") or ""),
        pictures=pictures,
    )


def _moment(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return iso


def _losses(verdict: Verdict) -> list[dict[str, Any]]:
    known = "messages_lost" in verdict.counts
    return [
        {
            "name": name,
            "count": f"{verdict.counts.get(f'messages_{name}', 0):,}" if known else "?",
            "bad": verdict.counts.get(f"messages_{name}", 0) > 0,
            "of": f"{verdict.counts.get('messages_acked', 0):,}",
            "meaning": LOSS_MEANINGS[name],
        }
        for name in LOSSES
    ]


def _headline(verdict: Verdict) -> dict[str, Any] | None:
    found = headline_latency(verdict)
    if found is None:
        return None
    name, figures = found
    floor = verdict.generator["mirror_p99_ms"]
    share = 0.0 if floor is None or not figures["p99"] else min(100.0, 100 * floor / figures["p99"])
    return {
        "what": {"deliver_in": "Delivered to the operator’s screen", "deliver_out": "Delivered to the customer"}[name],
        "meaning": OPERATIONS[name],
        "p99": milliseconds(figures["p99"]),
        "p50": milliseconds(figures["p50"]),
        "n": f"{figures['n']:,}",
        "floor": milliseconds(floor),
        "floor_share": f"{share:.1f}",
        "lag": milliseconds(verdict.generator["lag_p99_ms"]),
    }


def _guarantees(verdict: Verdict) -> list[dict[str, Any]]:
    result = []
    for guarantee in GUARANTEES:
        finding = verdict.guarantees[guarantee.id]
        left_out = finding.why in (NOT_EXERCISED, NOT_OBSERVABLE)
        result.append(
            {
                "id": guarantee.id,
                "name": guarantee.name,
                "promise": guarantee.promise,
                "state": "left-out" if left_out else finding.status,
                "mark": mark(finding.status, finding.why),
                "count": f"{finding.count:,}",
                "evidence": guarantee.evidence,
                "violations": f"{finding.violations:,}",
                "why": finding.why,
                "note": finding.note,
                "examples": finding.examples,
            }
        )
    return result


def _objective(objective: Judged) -> dict[str, str]:
    unit = objective.unit
    value = milliseconds(objective.value) + " ms" if unit == "ms" and objective.value is not None else None
    return {
        "text": objective.objective,
        "status": objective.status,
        "mark": {"met": "✓", "missed": "✕", "inconclusive": "?"}[objective.status],
        "value": value or number(objective.value, unit),
        "why": objective.why,
    }


def _latencies(verdict: Verdict) -> list[dict[str, Any]]:
    result = []
    for name, figures in verdict.latency_ms.items():
        lines = [("all", figures), *figures["channels"].items()]
        if len(lines) == 2:
            lines = [lines[1]]
        result.append({"name": name, "meaning": OPERATIONS[name], "lines": [_latency_line(*line) for line in lines]})
    return result


def _latency_line(channel: str, figures: dict[str, Any]) -> dict[str, Any]:
    n = figures["n"]

    def cells(of: dict[str, Any], stats: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{"text": milliseconds(of[stat]), "few": stat in STATS and n * (1 - STATS[stat]) < 1} for stat in stats]

    return {
        "channel": channel,
        "n": f"{n:,}",
        "response": cells(figures, SHOWN_STATS),
        "service": cells(figures["service"], ("p50", "p99")),
    }


def _health(verdict: Verdict) -> list[tuple[str, str, str]]:
    generator, bent = verdict.generator, verdict.distortion
    limit = blur_limit_ms(verdict.objectives)
    bound = f"a missed latency counts only below {milliseconds(limit)} ms" if limit else "no latency objective is set"
    share = generator["offered_share"]
    probe = generator["probe_ms"]
    return [
        ("Send lag", f"p50 {milliseconds(generator['lag_p50_ms'])} ms, p99 {milliseconds(generator['lag_p99_ms'])} ms, "
         f"max {milliseconds(generator['lag_max_ms'])} ms", f"actual minus intended start; {bound}"),
        ("Late starts", f"{generator['late_starts']:,}", "began over 1 ms after they should have"),
        ("Mirror", f"p50 {milliseconds(generator['mirror_p50_ms'])} ms, p99 {milliseconds(generator['mirror_p99_ms'])} "
         f"ms ({generator['mirror_n']:,} echoes)", "the measurement floor: loopback through the generator’s own loop"),
        ("Stalls", f"{generator['stalled_s']:.2f} s", "while a mirror was over 50 ms late; G9 leaves them out"),
        ("Load started", f"{number(None if share is None else 100 * share, '%')} ({generator['dialogs_started']:,} of "
         f"{generator['dialogs_offered']:,} dialogs)", f"below {100 * OFFERED_AT_LEAST:.0f} % a run is invalid"),
        ("Unsent", f"{generator['unsent']:,}", "steps that were due and never started"),
        ("Little’s law", _little(generator["little"]),
         f"L ÷ λW − 1; over {100 * LITTLE_WITHIN:.0f} % beyond what the run’s edges explain, it was not steady"),
        ("Open-loop probes", f"p50 {milliseconds(probe.get('p50'))} ms, p99 {milliseconds(probe.get('p99'))} ms "
         f"({probe['n']:,} answered, {generator['probes_unanswered']:,} not)",
         "sent by the clock whatever happens; they show a stall in which everybody waits"),
        ("Generator’s CPU", _share(generator["cpu_share"]), "of one core, mean of the main part"),
        ("Platform’s CPU", _share(generator["core_cpu_share"]), "of one core, mean of the main part"),
        ("Distortion", "–" if bent["share"] is None else f"{100 * bent['share']:.2f} %",
         "speed × the platform’s time on critical paths ÷ planned time; over "
         f"{100 * bent['warns_above']:.0f} % warns, over {100 * bent['withholds_above']:.0f} % withholds key figures"),
    ]  # fmt: skip


def _little(found: dict[str, float | None]) -> str:
    if found["deviation"] is None or found["edges"] is None:
        return "no dialog was started in the main part"
    return (
        f"off by {100 * found['deviation']:.1f} %, edges explain {100 * found['edges']:.1f} % "
        f"(L {number(found['open'])}, λ {number(found['per_s'], '/s')}, W {number(found['mean_s'], 's')})"
    )


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.0f} %"


def _books(verdict: Verdict) -> dict[str, Any]:
    books = verdict.generator["conservation"]
    names = ["completed", "abandoned", "failed", "in_flight", *(["never_started"] if books["never_started"] else [])]
    terms = [(name.replace("_", " "), f"{books[name]:,}") for name in names]
    return {
        "offered": f"{books['offered']:,}",
        "terms": terms,
        "balanced": books["balanced"],
        "twice": f"{books['started_twice']:,}",
        "rows": f"{books['rows_recorded']:,}",
        "missing": f"{books['rows_missing']:,}",
        "workers_lost": books["workers_lost"],
    }


def _evidence(verdict: Verdict) -> list[tuple[str, str]]:
    counts = verdict.counts
    shown = {
        "ledger_rows": "rows in the ledger",
        "entries_seen": "entries seen on screens",
        "entries_in_history": "entries in the final history, after kill -9",
        "messages_attempted": "messages attempted",
        "messages_acked": "acknowledged",
        "messages_rejected": "definitely refused",
        "messages_indeterminate": "without an answer",
        "messages_recovered": "of those, stored all the same",
        "messages_repeated": "sent more than once",
        "repeats_shown": "entries shown again on one connection",
        "provider_attempts": "requests to the messenger’s provider",
        "provider_429": "of those, told to wait",
        "wire_repeats": "repeats on the wire without excuse",
        "wire_repeats_excused": "excused: a fault, or no answer",
        "faults": "faults injected",
    }
    return [(label, f"{counts[name]:,}") for name, label in shown.items() if name in counts]


def _environment(verdict: Verdict, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    command = manifest.get("command") or []
    rows: list[tuple[str, Any]] = [
        ("command", " ".join(map(str, command))),
        ("scenario", f"{manifest.get('scenario')}, {manifest.get('part')}"),
        ("seed", manifest.get("seed")),
        ("load, speed", f"{manifest.get('load')}, {manifest.get('speed')}"),
        ("duration", f"{manifest.get('duration_s')} s after {manifest.get('ramp_s')} s of ramp"),
        ("target", (manifest.get("target") or {}).get("name")),
    ]
    for name in ("hardware", "versions", "labels"):
        group = manifest.get(name) or {}
        rows.append((name, ", ".join(f"{key} {value}" for key, value in sorted(group.items()))))
    rows += [("note", note) for note in manifest.get("notes") or []]
    rows.append(("finished", verdict.finished))
    return [(name, str(value)) for name, value in rows if value not in (None, "")]
