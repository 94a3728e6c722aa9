"""From a run directory to its verdict: load, check, measure, decide, write."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from chatreport.calibration import ceiling, generator_alone, simulated
from chatreport.distortion import WITHHOLDS_ABOVE, distortion, judged
from chatreport.episodes import Contacts
from chatreport.errors import UnreadableRun
from chatreport.evidence import SECOND_NS, Evidence
from chatreport.floor import Floor
from chatreport.generator import health
from chatreport.grouping import unique
from chatreport.kpi import key_figures, withhold
from chatreport.latency import Samples, measure, nothing, summarise
from chatreport.ledger import Ledger
from chatreport.objectives import judge as judge_objective
from chatreport.objectives import parse_all
from chatreport.rundir import SCHEMA, What, read_manifest
from chatreport.validity import LESS_COMPRESSION, Seen, warned
from chatreport.verdict import Verdict, decide
from chatreport.verify import check_all


class Run:
    """A run directory with everything that follows from its record, each made once, when it is asked for.

    Raises:
        UnreadableRun: the manifest or the ledger is missing, broken or of another schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        self.evidence = Evidence(Ledger.read(path, self.manifest), self.manifest)
        self.floor = Floor(self.evidence)

    @cached_property
    def samples(self) -> dict[str, Samples]:
        """The latencies of the main part; none of a simulation, in which a platform takes no time."""
        return nothing() if simulated(self.manifest) else measure(self.evidence, self.floor)

    @cached_property
    def contacts(self) -> Contacts:
        """The dialogs of the main part."""
        return Contacts(self.evidence, self.floor)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict.

        Raises:
            BadObjective: the manifest has an objective that cannot be understood.
        """
        manifest = self.manifest
        objectives = parse_all(manifest.get("objectives") or [])
        findings, counts = check_all(self.evidence, self.floor)
        bent = distortion(self.evidence, self.samples, self.contacts.episodes)
        asked = [objective.metric for objective in objectives]
        kpi, kpi_by = key_figures(self.evidence, self.floor, self.contacts, asked)
        if bent is not None and bent > WITHHOLDS_ABOVE:
            over = f"distortion is {100 * bent:.1f} %, over {100 * WITHHOLDS_ABOVE:.0f} %"
            kpi, kpi_by = withhold(kpi, f"{over}; {LESS_COMPRESSION}"), {}
        generator = health(self.evidence, self.path)
        reading = self._reading(generator["little"]["open"])
        if generator_alone(manifest):
            generator["ceiling"] = ceiling(self.path, manifest, reading["messages_per_s"])
        facts: dict[str, Any] = {
            "counts": self._counts() | counts,
            "latency_ms": summarise(self.samples),
            "reading": reading,
            "kpi": kpi,
            "kpi_by": kpi_by,
            "generator": generator,
            "distortion": judged(bent),
        }
        results = [judge_objective(objective, facts) for objective in objectives]
        word, reasons = decide(findings, results, generator, manifest)
        return Verdict(
            schema=SCHEMA, verdict=word, reasons=reasons, warnings=warnings(facts, manifest), guarantees=findings,
            objectives=results, machine=manifest.get("hardware") or {}, labels=manifest.get("labels") or {},
            finished=str(manifest.get("finished")), **facts,
        )  # fmt: skip

    def _counts(self) -> dict[str, int]:
        ledger = self.evidence.ledger
        return {
            "dialogs": int((ledger.of(What.DIALOG)["started"] >= 0).sum()),
            "dialogs_in_history": len(unique(self.evidence.history["dialog"])),
            "operators": len(self.evidence.operators),
            "entries_in_history": len(self.evidence.history),
            "entries_seen": len(self.evidence.entries),
            "ledger_rows": len(ledger),
            "faults": len(self.evidence.faults),
        }

    def _reading(self, open_dialogs: float | None) -> dict[str, float | None]:
        """The main part's traffic: messages acknowledged a second, and dialogs open on average."""
        manifest, messages = self.manifest, self.evidence.messages
        begin, end = int(manifest.get("t0_ns") or 0), int(manifest.get("end_ns") or 0)
        if end <= begin:
            return {"messages_per_s": None, "open_dialogs": None}
        acked = int(((messages.acked_at >= begin) & (messages.acked_at < end)).sum())
        per_s = acked * SECOND_NS / (end - begin)
        return {"messages_per_s": round(per_s, 3), "open_dialogs": open_dialogs}


def warnings(facts: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """What does not decide, and should be known."""
    counts, generator = facts["counts"], facts["generator"]
    found = warned(Seen(generator, manifest, facts["distortion"]["share"]))
    if generator["clocks"] > 1:
        found.append(f"workers had {generator['clocks']} clocks: latencies are of pairs that one clock stamped")
    for name, what in (
        ("probes_unanswered", "open-loop probes got no answer"),
        ("messages_recovered", "messages without an answer had been stored all the same"),
        ("repeats_shown", "entries were shown again on one connection"),
        ("wire_repeats_excused", "messages reached the messenger's provider again after a fault or without an answer"),
    ):
        count = counts.get(name, generator.get(name)) or 0
        if count:
            found.append(f"{count:,} {what}")
    return found


def judge(path: Path) -> Verdict:
    """Judge a run and write its `verdict.json`.

    Raises:
        ReportError: the run cannot be read, or an objective cannot be understood.
    """
    run = Run(path)
    write_verdict(path, run.verdict)
    return run.verdict


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write `verdict.json`, the same bytes for the same record."""
    text = json.dumps(msgspec.to_builtins(verdict), indent=2, sort_keys=True, ensure_ascii=False)
    (path / "verdict.json").write_text(text + "\n", encoding="utf-8")


def read_verdict(path: Path) -> Verdict:
    """The verdict that was written.

    Raises:
        UnreadableRun: the run was not judged yet, or by another version.
    """
    file = path / "verdict.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Verdict)
    except FileNotFoundError as error:
        raise UnreadableRun(path, "it has no verdict.json", f"run `chatload verify {path}` first") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRun(file, f"not a verdict of this version ({error})", "judge the run again") from error
