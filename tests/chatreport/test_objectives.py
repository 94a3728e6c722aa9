"""Objectives: what can be written, what it means, and what a run has for it."""

import re
from typing import Any

import pytest

from chatreport.errors import BadObjective
from chatreport.objectives import Objective, judge, parse, parse_all

FIGURES = {"n": 1000, "p50": 1.0, "p90": 2.0, "p99": 3.0, "p99_9": 4.0, "mean": 1.2, "max": 9.0}
RUN: dict[str, Any] = {
    "latency_ms": {
        "deliver_in": {
            **FIGURES,
            "service": {**FIGURES, "p99": 2.5},
            "channels": {"web": {**FIGURES, "n": 50, "p99": 7.0, "service": FIGURES}},
        }
    },
    "kpi": {
        "service_level_20s": {"value": 82.0}, "asa_s": {"value": None},
        "occupancy": {"value": None, "withheld": "distortion is 9.0 %"},
    },
    "kpi_by": {"channel": {"web": {"service_level_20s": 75.0}}, "department": {"cards": {"asa_s": 12.0}}},
    "counts": {"messages_acked": 41_000},
    "generator": {"unsent": 0, "cpu_share": None},
    "distortion": {"share": 0.012},
}  # fmt: skip


@pytest.mark.parametrize(
    "text, objective",
    [
        ("deliver_in p99 < 200 ms", Objective("deliver_in p99 < 200 ms", "deliver_in", "p99", "<", 200.0, "ms")),
        ("accept max <= 1.5 s", Objective("accept max <= 1.5 s", "accept", "max", "<=", 1500.0, "ms")),
        (
            "deliver_in p99_9<2ms{channel=telegram, timing=service}",
            Objective(
                "deliver_in p99_9<2ms{channel=telegram, timing=service}", "deliver_in", "p99_9", "<", 2.0, "ms",
                (("channel", "telegram"), ("timing", "service")),
            ),
        ),
        ("service_level_20s >= 80 %", Objective("service_level_20s >= 80 %", "service_level_20s", "", ">=", 80.0, "%")),
        ("asa_s < 500 ms", Objective("asa_s < 500 ms", "asa_s", "", "<", 0.5, "s")),
        ("messages_acked >= 40_000", Objective("messages_acked >= 40_000", "messages_acked", "", ">=", 40_000.0, "")),
        ("distortion <= 2 %", Objective("distortion <= 2 %", "distortion", "", "<=", 0.02, "")),
        ("concurrency > 1.5", Objective("concurrency > 1.5", "concurrency", "", ">", 1.5, "")),
        (
            "service_level_60s >= 80 % {department=cards}",
            Objective(
                "service_level_60s >= 80 % {department=cards}", "service_level_60s", "", ">=", 80.0, "%",
                (("department", "cards"),),
            ),
        ),
    ],
)  # fmt: skip
def test_an_objective_is_understood(text: str, objective: Objective) -> None:
    """Metric, statistic, threshold in the metric's own unit, and filters."""
    assert parse(text) == objective


@pytest.mark.parametrize(
    "text, message",
    [
        ("deliver_inn p99 < 200 ms", 'there is no metric "deliver_inn"; did you mean "deliver_in"'),
        ("service_level >= 80 %", 'there is no metric "service_level"; did you mean "service_level_20s"'),
        ("deliver_in < 200 ms", "deliver_in needs a statistic (p50, p90, p99, p99_9, mean, max)"),
        ("deliver_in p95 < 200 ms", '"p95" is no statistic of deliver_in (p50, p90, p99, p99_9, mean, max)'),
        ("deliver_in p99 < 200", 'the threshold must be given in "ms"'),
        ("deliver_in p99 < 20 %", 'the threshold must be given in "ms", not in "%"'),
        ("messages_acked p99 > 3", 'messages_acked is one number and has no statistic "p99"'),
        ("messages_acked > 3 ms", 'the threshold must be given without a unit, not in "ms"'),
        ("deliver_in p99 < 2 ms {canal=web}", '"canal" is no filter of deliver_in; latencies have channel and timing'),
        (
            "asa_s < 2 s {timing=service}",
            '"timing" is no filter of asa_s; latencies have channel and timing, key figures',
        ),
        ("asa_s < 2 s {channel=desk}", 'there is no channel "desk"; did you mean "vk"'),
        ("asa_s < 2 s {channel=web, department=cards}", "a key figure is told by channel or by department"),
        ("deliver_in p99 < 2 ms {channel=telegramm}", 'there is no channel "telegramm"; did you mean "telegram"'),
        ("messages_acked > 3 {channel=web}", '"channel" is no filter of messages_acked'),
        ("deliver_in p99 = 2 ms", "not of the form METRIC [STAT] < NUMBER [UNIT] [{filter=value}]"),
        ("", "not of the form"),
    ],
)
def test_a_bad_objective_says_what_is_wrong(text: str, message: str) -> None:
    """One line: the objective, what is wrong with it, the nearest valid name, how to write it."""
    with pytest.raises(BadObjective, match=re.escape(message)) as caught:
        parse(text)
    assert str(caught.value).startswith(f'objective "{text}": ')
    assert "\n" not in str(caught.value)


def test_a_later_objective_replaces_an_earlier_one_of_the_same_key() -> None:
    """Metric, statistic and filters are the key; the threshold is not."""
    found = parse_all(
        ["deliver_in p99 < 9 ms", "deliver_in p50 < 9 ms", "deliver_in p99 < 7 ms", "bot p99 < 9 ms {channel=web}"]
    )
    assert [objective.text for objective in found] == [
        "deliver_in p99 < 7 ms", "deliver_in p50 < 9 ms", "bot p99 < 9 ms {channel=web}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, status, value, why",
    [
        ("deliver_in p99 < 200 ms", "met", 3.0, ""),
        ("deliver_in p99 < 3 ms", "missed", 3.0, ""),
        ("deliver_in p99 <= 3 ms", "met", 3.0, ""),
        ("deliver_in p99 < 3 ms {timing=service}", "met", 2.5, ""),
        ("deliver_in p99 < 9 ms {channel=web}", "inconclusive", 7.0, "50 samples are too few for p99, which needs 100"),
        ("deliver_in mean < 9 ms {channel=web}", "met", 1.2, ""),
        ("deliver_in p99 < 9 ms {channel=app}", "inconclusive", None, "no data"),
        ("bot p99 < 9 ms", "inconclusive", None, "no data"),
        ("service_level_20s >= 80 %", "met", 82.0, ""),
        ("asa_s < 3 s", "inconclusive", None, "no data"),
        ("service_level_20s >= 80 % {channel=web}", "missed", 75.0, ""),
        ("service_level_20s >= 80 % {channel=app}", "inconclusive", None, "no data"),
        ("asa_s < 20 s {department=cards}", "met", 12.0, ""),
        ("occupancy < 90 % {channel=web}", "inconclusive", None, "distortion is 9.0 %"),
        ("occupancy < 90 %", "inconclusive", None, "distortion is 9.0 %"),
        ("messages_acked >= 40000", "met", 41_000, ""),
        ("messages_lost <= 0", "inconclusive", None, "no data"),
        ("unsent <= 0", "met", 0, ""),
        ("cpu_share < 80 %", "inconclusive", None, "no data"),
        ("distortion <= 1 %", "missed", 0.012, ""),
    ],
)
def test_an_objective_is_judged_by_what_the_run_has(text: str, status: str, value: float | None, why: str) -> None:
    """Met or missed with data, inconclusive without, with too little, or on a withheld figure; never a pass."""
    judged = judge(parse(text), RUN)
    assert (judged.status, judged.value, judged.why) == (status, value, why)
