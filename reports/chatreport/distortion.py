"""How much a compressed run is bent: business time shrinks with `speed`, the platform's own time does not."""

from typing import Any, Final

from chatreport.episodes import Episodes
from chatreport.evidence import SECOND_NS, Evidence
from chatreport.grouping import contains
from chatreport.latency import Samples
from chatreport.rundir import Outcome, Phase, What

WARNS_ABOVE: Final = 0.02
WITHHOLDS_ABOVE: Final = 0.05
CRITICAL_PATH: Final = ("assign", "bot", "deliver_in", "deliver_out")


def distortion(evidence: Evidence, samples: dict[str, Samples], dialogs: Episodes) -> float | None:
    """Speed × the platform's time on the dialogs' critical paths ÷ their planned time; None without dialogs.

    The critical path is what a customer or operator waits for: assignment, acceptance on the desk, the bot's answer,
    delivery either way. Planned time is the plan's mean; where the manifest has none, what the scripts took.
    """
    platform_ms = sum(float(samples[name].service.sum()) for name in CRITICAL_PATH) + _accepting_ms(evidence, dialogs)
    speed = float(evidence.manifest.get("speed") or 1.0)
    mean_s = (evidence.manifest.get("planned") or {}).get("mean_dialog_s")
    planned_ms = float(mean_s) * 1000 * len(dialogs) if mean_s else _scripts_ms(evidence) * speed - platform_ms * speed
    return speed * platform_ms / planned_ms if planned_ms > 0 else None


def judged(value: float | None) -> dict[str, Any]:
    """`distortion` of the verdict: the share, and whether it warns or withholds the key figures."""
    shown = None if value is None else round(value, 6)
    level = "none" if value is None or value <= WARNS_ABOVE else "warns" if value <= WITHHOLDS_ABOVE else "withholds"
    return {"share": shown, "level": level, "warns_above": WARNS_ABOVE, "withholds_above": WITHHOLDS_ABOVE}


def _accepting_ms(evidence: Evidence, dialogs: Episodes) -> float:
    accepts = evidence.ledger.of(What.ACCEPT).is_("outcome", Outcome.OK)
    accepts = accepts.where(contains(dialogs.dialog, accepts["dialog"]))
    return float((accepts["done"] - accepts["started"]).sum()) / SECOND_NS * 1000


def _scripts_ms(evidence: Evidence) -> float:
    scripts = evidence.ledger.of(What.DIALOG)
    scripts = scripts.where((scripts["phase"] == Phase.MAIN) & (scripts["started"] >= 0))
    return float((scripts["done"] - scripts["started"]).sum()) / SECOND_NS * 1000
