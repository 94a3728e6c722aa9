"""Latencies, key figures, generator health and distortion of a run small enough to be reckoned by hand."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chatreport.distortion import distortion, judged
from chatreport.episodes import Contacts
from chatreport.floor import Floor
from chatreport.generator import conservation, health, littles_law
from chatreport.kpi import FIGURES, key_figures, named, withhold
from chatreport.kpi.published import beside
from chatreport.latency import figures, measure, summarise
from chatreport.rundir import Channel, Kind, Outcome, Phase, What
from tests.chatreport.ledgers import MS, T0, Record, Row
from tests.chatreport.worlds import play

SPEED = 10.0
MAIN: Row = {"phase": Phase.MAIN}
WEB: Row = {**MAIN, "contact": "web/u0", "number": 1, "channel": Channel.WEB}
READ: Row = {"provider_id": 70, "reason": "read"}
TELEGRAM: Row = {**MAIN, "contact": "tg/u1", "number": 1, "channel": Channel.TELEGRAM}


def at(**times_ms: float) -> Row:
    """Times in ms after t0."""
    return {name: T0 + int(time_ms * MS) for name, time_ms in times_ms.items()}


def row(what: What, *parts: Row, outcome: Outcome = Outcome.OK, **values: Any) -> Row:
    """A row from its parts."""
    merged: Row = {"what": what, "outcome": outcome}
    for part in parts:
        merged |= part
    return merged | values


def said(who: str, counter: int) -> Row:
    """A message's identity."""
    return {"sender": who, "counter": counter, "kind": Kind.MESSAGE}


BOT: Row = {"kind": Kind.MESSAGE, "author": "bot", "cause_seq": 1, "rule": "bot:balance"}


@cache
def tiny() -> Record:
    """One web dialog with bot and operator, one Telegram dialog that is still open, one operator with two slots."""
    rows = [
        row(What.PRESENCE, at(done=-1000), who="o1", reason="online", size=2),
        # web: bot, hand-over, operator
        row(What.CONNECT, WEB, at(intended=0, started=0.5, done=2), who="c0", epoch=1, plan=0),
        row(What.SEND, WEB, said("c0", 1), at(intended=10, started=11, done=13), who="c0", seq=1, epoch=1, plan=0),
        row(What.ENTRY, WEB, BOT, at(done=16), who="c0", seq=2, epoch=1),
        row(What.SEND, WEB, said("c0", 2), at(intended=30, started=30, done=32), who="c0", seq=3, epoch=1, plan=0),
        row(What.ENTRY, WEB, at(done=33), who="c0", seq=4, epoch=1, kind=Kind.QUEUED),
        row(What.OFFER, WEB, at(done=36), who="o1", assignment=1, place=1, priority=1),
        row(What.ACCEPT, WEB, at(started=40, done=43), who="o1", assignment=1, seq=5),
        row(What.ENTRY, WEB, said("c0", 1), at(done=43), who="o1", seq=1, epoch=1),
        row(What.ENTRY, WEB, said("c0", 2), at(done=43), who="o1", seq=3, epoch=1),
        row(What.SEND, WEB, said("o1", 1), at(intended=60, started=61, done=63), who="o1", seq=6, epoch=1),
        row(What.ENTRY, WEB, said("o1", 1), at(done=66), who="c0", seq=6, epoch=1),
        row(What.SEND, WEB, said("c0", 3), at(intended=80, started=82, done=83), who="c0", seq=7, epoch=1, plan=0),
        row(What.ENTRY, WEB, said("c0", 3), at(done=87), who="o1", seq=7, epoch=1),
        row(What.ENTRY, WEB, at(done=143), who="o1", seq=8, epoch=1, kind=Kind.CLOSED),
        row(What.ENTRY, WEB, at(done=143), who="c0", seq=8, epoch=1, kind=Kind.CLOSED),
        row(What.HISTORY, WEB, at(started=150, done=154), who="c0", seq=8, size=8),
        row(What.DIALOG, WEB, at(intended=0, started=0, done=143), outcome=Outcome.COMPLETED, who="c0", plan=0),
        # Telegram: queued at once, accepted, answered late
        row(What.SEND, TELEGRAM, said("c1", 1), at(intended=100, started=100, done=105), who="telegram", plan=1),
        row(What.OFFER, TELEGRAM, at(done=108), who="o1", assignment=2, place=2, priority=1),
        row(What.ACCEPT, TELEGRAM, at(started=5100, done=5105), who="o1", assignment=2, seq=3),
        row(What.SEND, TELEGRAM, said("o1", 2), at(intended=5200, started=5200, done=5203), who="o1", seq=4, epoch=1),
        row(What.ATTEMPT, TELEGRAM, said("o1", 2), at(started=5210, done=5212), who="telegram", provider_id=70),
        row(What.RECEIPT, TELEGRAM, at(done=5219), who="o1", seq=4, provider_id=70, reason="sent"),
        row(What.CALLBACK, TELEGRAM, at(intended=5240, started=5241, done=5243), who="telegram", provider_id=70,
            reason="sent"),  # the echo of what the answer had told
        row(What.CALLBACK, TELEGRAM, READ, at(intended=5300, started=5302, done=5305), who="telegram"),
        row(What.RECEIPT, TELEGRAM, READ, at(done=5310), who="o1", seq=4),
        row(What.DIALOG, TELEGRAM, at(intended=100, started=100), outcome=Outcome.IN_FLIGHT, who="c1", plan=1),
        # the generator
        *(row(What.MIRROR, at(started=n, done=n + 0.25)) for n in range(4)),
        row(What.PROBE, said("p1", 1), at(intended=0, started=1, done=5), contact="web/probe", who="p1"),
        row(What.PROBE, said("p1", 2), at(intended=50, started=50), outcome=Outcome.INDETERMINATE, who="p1"),
        row(What.UNSENT, TELEGRAM, who="c1", plan=1, reason="step"),
    ]  # fmt: skip
    history: list[tuple[Row, int, Row]] = [
        (WEB, 1, said("c0", 1)), (WEB, 2, BOT), (WEB, 3, said("c0", 2)), (WEB, 4, {"kind": Kind.QUEUED}),
        (WEB, 5, {"kind": Kind.ASSIGNED, "author": "o1", "assignment": 1}), (WEB, 6, said("o1", 1)),
        (WEB, 7, said("c0", 3)), (WEB, 8, {"kind": Kind.CLOSED}),
        (TELEGRAM, 1, said("c1", 1)), (TELEGRAM, 2, {"kind": Kind.QUEUED}),
        (TELEGRAM, 3, {"kind": Kind.ASSIGNED, "author": "o1", "assignment": 2}), (TELEGRAM, 4, said("o1", 2)),
    ]  # fmt: skip
    rows += [row(What.AUDIT, where, content, seq=seq) for where, seq, content in history]
    rows += [row(What.AUDIT_RATING, WEB, who="auditor", size=4, place=5)]
    manifest = play(dialogs=0).manifest | {
        "speed": SPEED, "t0_ns": T0, "end_ns": T0 + 10_000 * MS, "drained_ns": T0 + 11_000 * MS,
        "planned": {"dialogs": 2, "ramp_dialogs": 0, "mean_dialog_s": 20.0}, "published": {"asa_s": 50.0},
    }  # fmt: skip
    return Record(rows, manifest)


def summary() -> dict[str, dict[str, Any]]:
    """The latencies of the tiny run."""
    evidence = tiny().evidence()
    return summarise(measure(evidence, Floor(evidence)))


@pytest.mark.parametrize(
    "operation, response, service",
    [
        ("connect", [2.0], [1.5]),
        ("accept", [2.0, 3.0, 3.0, 3.0, 3.0, 5.0], [1.0, 2.0, 2.0, 2.0, 3.0, 5.0]),
        ("deliver_in", [7.0], [5.0]),
        ("deliver_out", [6.0, 10.0], [5.0, 10.0]),
        ("assign", [3.0, 3.0], [3.0, 3.0]),
        ("bot", [6.0], [5.0]),
        ("receipt", [7.0, 10.0], [7.0, 8.0]),
        ("history", [4.0], [4.0]),
        ("resume", [], []),
    ],
)
def test_each_operation_is_timed_from_its_own_begin_to_its_own_end(
    operation: str, response: list[float], service: list[float]
) -> None:
    """From the intended time and from the actual one; what was sent before anybody owned the dialog is left out."""
    evidence = tiny().evidence()
    found = measure(evidence, Floor(evidence))[operation]
    assert (sorted(found.response.tolist()), sorted(found.service.tolist())) == (response, service)


def test_latencies_are_told_apart_by_channel() -> None:
    """Each channel beside the whole."""
    found = summary()["deliver_out"]
    assert {name: part["p50"] for name, part in found["channels"].items()} == {"web": 6.0, "telegram": 10.0}
    assert "resume" not in summary()


def test_percentiles_are_samples() -> None:
    """The smallest sample that the given share does not exceed: no interpolation, no rounding to buckets."""
    assert figures(np.arange(1.0, 1001.0)) == {
        "n": 1000, "p50": 500.0, "p90": 900.0, "p99": 990.0, "p99_9": 999.0, "mean": 500.5, "max": 1000.0,
    }  # fmt: skip
    assert figures(np.zeros(0)) == {"n": 0}


def test_a_reply_that_came_by_resuming_is_no_delivery() -> None:
    """A customer whose connection was up only after the sending is not counted in deliver_out."""
    record = tiny().copy()
    record.one(What.CONNECT)["done"] = T0 + 62 * MS
    evidence = record.evidence()
    assert measure(evidence, Floor(evidence))["deliver_out"].response.tolist() == [10.0]


def test_the_key_figures_are_in_business_time() -> None:
    """Every figure of the tiny run, ten times as fast as business: waits of 0.1 s and 50 s, one dialog ended."""
    evidence = tiny().evidence()
    floor = Floor(evidence)
    found = key_figures(evidence, floor, Contacts(evidence, floor))[0]
    held_ms, busy_ms = (143 - 43) + (10_000 - 5105), (143 - 43) + (10_000 - 5105)
    assert {name: figure["value"] for name, figure in found.items()} == {
        "dialogs_opened": 2, "dialogs_offered": 2, "dialogs_answered": 2, "dialogs_abandoned": 0,
        "service_level_20s": 50.0, "service_level_20s_of_ended": 50.0, "service_level_20s_without_short": 50.0,
        "service_level_20s_with_abandoned": 50.0, "service_level_20s_of_answered": 50.0,
        "accepted_share": 100.0, "abandonment": 0.0, "abandonment_spoken": 0.0, "abandonment_silent": 0.0,
        "abandonment_short": 0.0, "abandonment_without_short": 0.0, "abandoned_after_s": None,
            "left_unanswered": 0.0,
        "asa_s": round((0.1 + 50.0) / 2, 4), "time_to_connect_s": round((0.13 + 50.05) / 2, 4),
        "first_response_s": round((0.33 + 51.05) / 2, 4),
        "first_response_from_start_s": round((0.55 + 51.1) / 2, 4), "next_response_s": None,
        "handling_time_s": 1.0, "agent_time_s": 0.18, "duration_s": 1.43,
        "transfers_share": 0.0, "hold_share": 0.0, "hold_s": None,
        "concurrency": held_ms / busy_ms, "occupancy": 100 * busy_ms / 10_000, "slot_use": 100 * held_ms / 20_000,
        "contacts_per_operator_day": 2 / (10 * SPEED / 3600 / 8),
        "bot_containment": 0.0, "bot_containment_content": 0.0, "bot_share": 0.0, "messages_per_dialog": 5.0,
        "dialogs_rated": 1, "rated_share": 100.0, "satisfaction": 100.0, "ratings_good_to_bad": None,
    }  # fmt: skip
    assert found["asa_s"]["percentiles"] == {"p50": 0.1, "p90": 50.0, "p95": 50.0, "p99": 50.0}
    assert (found["asa_s"]["published"], found["asa_s"]["unit"], found["asa_s"]["n"]) == (50.0, "s", 2)
    assert (found["asa_s"]["deviation"], found["asa_s"]["within"]) == (round(25.05 / 50 - 1, 4), False)
    assert (found["service_level_20s"]["part"], found["service_level_20s"]["whole"]) == (1, 2)


def kpi_of(record: Record) -> dict[str, dict[str, Any]]:
    """The key figures of a whole run."""
    evidence = record.evidence()
    floor = Floor(evidence)
    return key_figures(evidence, floor, Contacts(evidence, floor))[0]


def test_time_on_hold_is_from_the_desks_putting_on_hold_to_its_taking_back() -> None:
    """30 ms at ten times life's speed; the dialog counts once, however often it was put on hold."""
    record = tiny().copy()
    for seq, kind, begin in (
        (5, Kind.HELD, 5400),
        (6, Kind.RESUMED, 5420),
        (7, Kind.HELD, 5500),
        (8, Kind.RESUMED, 5510),
    ):
        record.rows.append(row(What.AUDIT, TELEGRAM, seq=seq, kind=kind))
        record.rows.append(row(What.ENTRY, TELEGRAM, at(done=begin), who="o1", seq=seq, kind=kind))
    found = kpi_of(record)
    assert (found["hold_s"]["value"], found["hold_s"]["n"], found["hold_share"]["value"]) == (0.3, 1, 50.0)


def test_what_tells_a_customer_on_hold_to_wait_is_no_answer_of_the_bots() -> None:
    """Containment counts what the bot answered before the queue, as the core's own analytics do."""
    record = tiny().copy()
    record.drop(record.one(What.AUDIT, contact="web/u0", seq=2))
    record.rows.append(row(What.AUDIT, WEB, BOT, seq=9, rule="hold"))
    found = kpi_of(record)
    assert (found["bot_containment"]["whole"], found["bot_containment"]["value"]) == (0, None)
    assert (found["bot_share"]["part"], found["bot_share"]["whole"]) == (0, 1)


def test_a_scenario_may_name_another_target_of_the_service_level() -> None:
    """A published service level of 60 s is computed, and so is its variant; the usual target stays."""
    record = tiny().copy()
    record.manifest["published"] = {"service_level_60s": 80.0, "service_level_51s_of_answered": 75.0}
    found = kpi_of(record)
    assert {name: found[name]["value"] for name in ("service_level_20s", *record.manifest["published"])} == {
        "service_level_20s": 50.0, "service_level_60s": 100.0, "service_level_51s_of_answered": 100.0,
    }  # fmt: skip
    assert (found["service_level_60s"]["deviation"], found["service_level_60s"]["within"]) == (0.25, False)
    assert [named(name) for name in ("service_level_0s", "service_level_60s_of_nobody", "asa")] == [None] * 3


@pytest.mark.parametrize(
    "measured, published, found",
    [
        (55.0, 50.0, {"published": 50.0, "deviation": 0.1, "within": True}),
        (44.9, 50.0, {"published": 50.0, "deviation": -0.102, "within": False}),
        (None, 50.0, {"published": 50.0}),
        (3.0, 0.0, {"published": 0.0}),
    ],
    ids=["at the tolerance", "beyond it", "nothing measured", "published as none"],
)
def test_what_was_published_is_compared(measured: float | None, published: float, found: dict[str, Any]) -> None:
    """Deviation as a share of the published value, and whether it is within a tenth."""
    assert beside(published, measured) == found


def test_every_key_figure_is_defined() -> None:
    """Label, unit, numerator, window and what is left out are stated; shares and means have a denominator."""
    for name, (definition, _) in FIGURES.items():
        assert all((definition.label, definition.unit, definition.numerator, definition.window, definition.left_out))
        assert bool(definition.denominator) == (not name.startswith("dialogs_"))


def test_withheld_figures_have_a_reason_and_no_value() -> None:
    """What the page shows instead of a bent figure."""
    evidence = tiny().evidence()
    floor = Floor(evidence)
    kept = withhold(key_figures(evidence, floor, Contacts(evidence, floor))[0], "too bent")
    assert {(figure["value"], figure["withheld"]) for figure in kept.values()} == {(None, "too bent")}
    assert not any("percentiles" in figure for figure in kept.values())


def test_distortion_is_the_platforms_share_of_the_planned_time() -> None:
    """Speed × (offer 6 + accepting 8 + bot 5 + in 5 + out 15 ms) over two dialogs of 20 s."""
    evidence = tiny().evidence()
    floor = Floor(evidence)
    share = distortion(evidence, measure(evidence, floor), Contacts(evidence, floor).episodes)
    assert share == pytest.approx(SPEED * 0.039 / 40.0)


@pytest.mark.parametrize(
    "share, level", [(None, "none"), (0.02, "none"), (0.021, "warns"), (0.05, "warns"), (0.051, "withholds")]
)
def test_distortion_warns_and_then_withholds(share: float | None, level: str) -> None:
    """Over 2 % warns, over 5 % withholds."""
    assert judged(share)["level"] == level


def test_the_generators_health(tmp_path: Path) -> None:
    """Lag of sends, dials and probes; mirror; offered and started; probes; unsent."""
    found = health(tiny().evidence(), tmp_path)
    assert {name: found[name] for name in found if name not in ("conservation", "probe_ms", "little")} == {
        "lag_p50_ms": 0.5, "lag_p99_ms": 2.0, "lag_max_ms": 2.0, "late_starts": 1,
        "mirror_p50_ms": 0.25, "mirror_p99_ms": 0.25, "mirror_n": 4, "stalled_s": 0.0, "probes_unanswered": 1,
        "dialogs_offered": 2, "dialogs_started": 2, "offered_share": 1.0, "unsent": 1,
        "cpu_share": None, "core_cpu_share": None, "clocks": 1,
    }  # fmt: skip
    assert (found["probe_ms"]["n"], found["probe_ms"]["p50"]) == (1, 5.0)


def test_the_books() -> None:
    """Offered = completed + abandoned + failed + in flight, and every row that a worker told of is there."""
    record = tiny().copy()
    books = conservation(record.evidence())
    assert (books["balanced"], books["offered"], books["completed"], books["in_flight"]) == (True, 2, 1, 1)
    record.manifest["workers"] = [{"name": "w0", "rows": 1000, "lost": False}, {"name": "w1", "rows": 0, "lost": True}]
    record.drop(record.one(What.DIALOG))
    books = conservation(record.evidence())
    assert (books["balanced"], books["workers_lost"], books["rows_missing"]) == (False, ["w1"], 1000 - len(record.rows))


def test_a_dialog_started_twice_does_not_stand_for_one_that_never_was() -> None:
    """Two rows for two planned dialogs are not enough: they must be two dialogs."""
    record = tiny().copy()
    first, second = record.find(What.DIALOG)
    record.drop(second)
    record.add(first)
    books = conservation(record.evidence())
    assert (books["offered"], books["completed"], books["started_twice"], books["balanced"]) == (2, 2, 1, False)


def test_the_generators_share_of_a_core_is_that_of_the_main_part(tmp_path: Path) -> None:
    """The busiest worker's; seconds before t0 and after the end, in which it does little, do not dilute it."""
    record = tiny().copy()
    record.manifest["end_ns"] = T0 + 2_000 * MS
    run = record.write(tmp_path)
    seconds = [(-1, "w0", 0.1), (0, "w0", 0.8), (1, "w0", 0.9), (1, "w1", 0.2), (2, "w1", 0.4), (3, "w0", 0.1)]
    columns: dict[str, list[Any]] = {"t_ns": [], "worker": [], "fleet_cpu": [], "core_cpu": []}
    for second, worker, share in seconds:
        for name, value in (("t_ns", T0 + second * 1000 * MS), ("worker", worker), ("fleet_cpu", share)):
            columns[name].append(value)
        columns["core_cpu"].append(0.0)
    pq.write_table(pa.table(columns), run / "timeseries.parquet")
    found = health(record.evidence(), run)
    assert (found["cpu_share"], found["core_cpu_share"]) == (0.85, None)


def test_littles_law_by_hand() -> None:
    """Ten seconds; one dialog from before, two of this window, one of them outlasting it by four seconds."""
    second = 1000 * MS
    started = np.array([-2, 1, 8]) * second
    done = np.array([3, 4, 14]) * second
    assert littles_law(started, done, 0, 10 * second) == {
        "open": 0.8, "per_s": 0.2, "mean_s": 4.5, "deviation": round(8 / 9 - 1, 4),
        "edges": round(2 * (2 / 3 * (3**3 + 6**3) / 10) ** 0.5 / 9, 4),
    }  # fmt: skip
    assert set(littles_law(started, done, 20 * second, 30 * second).values()) == {None}


@pytest.mark.parametrize("growth, most, least", [(0.0, 0.1, 0.0), (3.0, 1.0, 0.9)], ids=["steady", "growing"])
def test_the_edges_explain_a_steady_run_and_not_a_growing_one(growth: float, most: float, least: float) -> None:
    """Of a hundred short runs: where arrivals are steady few go beyond the edges, where they treble nearly all do."""
    beyond, random, second = 0, np.random.default_rng(7), 1000 * MS
    for _ in range(100):
        at_s = random.uniform(-60, 60, random.poisson(1200 * (1 + growth / 2)))
        at_s = at_s[random.uniform(0, 1 + growth, len(at_s)) < 1 + growth * (at_s + 60) / 120] if growth else at_s
        done_s = at_s + random.exponential(10, len(at_s))
        started, done = ((time * second).astype(np.int64) for time in (at_s, done_s))
        found = littles_law(started, done, 0, 60 * second)
        assert found["deviation"] is not None
        assert found["edges"] is not None
        beyond += abs(found["deviation"]) > found["edges"]
    assert least * 100 <= beyond <= most * 100


def test_a_dialog_that_never_started_is_in_the_books() -> None:
    """Offered and not sent: the books balance, and say so; a step that was not sent is no dialog."""
    record = tiny().copy()
    record.manifest["planned"]["dialogs"] = 3
    assert not conservation(record.evidence())["balanced"]
    record.add(record.one(What.UNSENT), who="c2", plan=2, reason="dialog")
    books = conservation(record.evidence())
    assert (books["offered"], books["never_started"], books["balanced"]) == (3, 1, True)
