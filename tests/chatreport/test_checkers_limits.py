"""What checkers do not call a violation, and what they cannot tell."""

from collections.abc import Callable

import pytest

from chatreport.evidence import Evidence
from chatreport.rundir import Channel, Kind, Outcome, What
from chatreport.verify import GUARANTEES, check_all
from chatreport.verify.finding import CannotTell, Finding, Guarantee, Tally
from tests.chatreport.breaks import at_night, bot_dialog, honest, left_waiting, owned_entry, skipped_on_a_screen
from tests.chatreport.ledgers import MS, T0, Record, Row

EVERY = [guarantee.id for guarantee in GUARANTEES]


def test_a_message_refused_at_night_with_a_reason_is_told() -> None:
    """With nobody on duty a refusal with a reason keeps the promise."""
    record = honest().copy()
    record.manifest["scheduled"]["G12"] = True
    record.add(at_night(record), outcome=Outcome.REJECTED, reason="closed_now", done=T0 - 8999 * MS)
    assert record.findings()["G12"] == Finding("held", 1)


def test_without_any_operator_it_is_night_all_the_time() -> None:
    """With nobody ever on duty every customer's message is looked at."""
    record = honest().copy()
    record.manifest["scheduled"]["G12"] = True
    record.rows = [row for row in record.rows if row["what"] != What.PRESENCE]
    customers = {(row["sender"], row["counter"]) for row in record.find(What.SEND) if row["sender"].startswith("c")}
    assert record.findings()["G12"] == Finding("held", len(customers))


def test_a_connection_that_comes_back_ends_lost() -> None:
    """An operator whose socket broke is nobody's until it resumes, and then as free as before."""
    record = honest().copy()
    online = record.one(What.PRESENCE, who="o2", reason="online")
    gone, back = online["done"] + 10 * MS, online["done"] + 30 * MS
    record.add(online, reason="lost", done=gone)
    record.add({"what": What.RESUME, "outcome": Outcome.OK}, who="o2", started=gone, done=back, epoch=2)
    floor = record.floor(record.evidence())
    ledger = floor.evidence.ledger
    told = zip(*(side.tolist() for side in floor.presence), strict=True)
    mine = [(time, slots) for who, time, slots in told if ledger.text(who) == "o2"]
    assert mine[:3] == [(online["done"], 2), (gone, 0), (back, 2)]


def test_a_message_without_an_answer_may_appear_or_not() -> None:
    """An indeterminate message that is in the history is recovered, one that is not is no loss."""
    record = honest().copy()
    told = bot_dialog(record)
    record.one(What.SEND, sender=told["sender"], counter=2)["outcome"] = Outcome.INDETERMINATE
    record.add(at_night(record), outcome=Outcome.INDETERMINATE)
    counts = record.counts()
    assert record.violated() == set()
    assert (counts["messages_indeterminate"], counts["messages_recovered"], counts["messages_lost"]) == (2, 1, 0)


@pytest.mark.parametrize("channel, status", [(Channel.TELEGRAM, "violated"), (Channel.INFOBIP, "held")])
def test_what_webhooks_brought_at_once_has_an_order_only_where_the_chat_has_one(channel: Channel, status: str) -> None:
    """A customer wrote twice before an answer: a messenger that posts in order keeps it, another one may not."""
    record = honest().copy()
    first, second = (record.one(What.SEND, sender="c5", counter=counter) for counter in (3, 4))
    for row in (first, second):
        row["channel"] = channel
    second["started"] = first["started"] - MS
    assert record.findings()["G4"].status == status


@pytest.mark.parametrize("counters, kind", [([1], "prefix"), ([2], "middle"), ([3], "postfix"), ([1, 2, 3], "postfix")])
def test_losses_are_told_apart_by_what_else_was_read(counters: list[int], kind: str) -> None:
    """A loss before, between or after what was read of the same sender; with nothing read it counts as the end."""
    record = honest().copy()
    sender = next(row["sender"] for row in record.find(What.AUDIT, counter=3) if row["sender"].startswith("c"))
    for row in record.find(What.AUDIT, sender=sender):
        if row["counter"] in counters or row["counter"] > 3:
            record.drop(row)
    for row in record.find(What.SEND, sender=sender):
        if row["counter"] > 3:
            record.drop(row)
    counts = record.counts()
    found = {name: counts[f"messages_lost_{name}"] for name in ("prefix", "middle", "postfix")}
    assert found == {**dict.fromkeys(found, 0), kind: len(counters)}


def test_an_entry_shown_twice_on_one_connection_is_counted_apart() -> None:
    """A repeat on a screen is no duplicate and breaks no order; it is counted."""
    record = honest().copy()
    shown = owned_entry(record)
    record.rows.insert(record.rows.index(shown), dict(shown))
    assert record.violated() == set()
    assert record.counts()["repeats_shown"] == 1


def test_a_wire_repeat_is_excused_by_a_fault_before_its_result_was_logged() -> None:
    """A reply sent again is excused if a fault followed the provider's answer within a second and no receipt has it.

    A receipt of another chat may have its number: messengers number each chat's messages by themselves.
    """
    record = honest().copy()
    taken = record.one(What.ATTEMPT, outcome=Outcome.OK)
    attempts = [row for row in record.rows if row["what"] == What.ATTEMPT and "provider_id" in row]
    namesake = next(row for row in attempts if row["contact"] != taken["contact"])
    record.one(What.AUDIT_RECEIPT, provider_id=namesake["provider_id"])["provider_id"] = taken["provider_id"]
    namesake["provider_id"] = taken["provider_id"]
    receipt = record.one(What.AUDIT_RECEIPT, contact=taken["contact"], provider_id=taken["provider_id"])
    record.add(taken, started=taken["done"] + 900 * MS, done=taken["done"] + 900 * MS, provider_id=888_888)
    receipt["provider_id"] = 888_888
    assert record.violated() == {"G11"}
    fault = taken["done"] + 500 * MS
    record.rows.insert(
        0, {"what": What.FAULT, "outcome": 0, "who": "suite", "reason": "kill", "started": fault, "done": fault}
    )
    counts = record.counts()
    assert (counts["wire_repeats"], counts["wire_repeats_excused"]) == (0, 1)
    assert "G11" not in record.violated()


def test_a_stall_of_the_generator_is_not_held_against_the_queue() -> None:
    """What the mirror says the generator was too late to see is left out of the waiting."""
    record = honest().copy()
    left_waiting(record)
    begin = record.one(What.SEND, who="telegram", sender="c2", counter=1)["done"]
    record.add(record.one(What.MIRROR), intended=begin + 100 * MS, done=begin + 900 * MS)
    assert "G9" not in record.violated()


def test_who_waits_for_a_slow_bot_does_not_wait_for_an_operator() -> None:
    """Where no customer saw the entry into the queue, it is as late as the platform's patience with the bot."""
    record = honest().copy()
    left_waiting(record)
    assert "G9" in record.violated()
    for row in record.find(What.AUDIT, kind=Kind.QUEUED, contact="tg/u2"):
        row["sender"] = "bot_slow"
    record.manifest["bot_timeout_s"] = 2.0
    assert "G9" not in record.violated()


@pytest.mark.parametrize(
    "clean, shown, status", [(True, 0, "violated"), (False, 0, "held"), (False, 1, "violated")], ids=str
)
def test_a_hand_over_in_the_last_moment_is_held_against_nobody(clean: bool, shown: int, status: str) -> None:
    """With everything at rest it had its time; and what is shown of the dialog later comes after all before."""
    record = honest().copy()
    record.manifest["drain"]["clean"] = clean
    accept = record.find(What.ACCEPT, outcome=Outcome.OK, channel=Channel.WEB)[-1]
    seen = record.find(What.ENTRY, **{name: accept[name] for name in ("who", "contact", "number")})
    for row in seen[: len(seen) - shown]:
        record.drop(row)
    assert record.findings()["G6"].status == status


def test_an_offer_seen_before_the_lapse_of_the_one_before_is_no_wait() -> None:
    """Desks may be told out of order; the assignment numbers say that the dialog never waited."""
    record = honest().copy()
    lapse = record.one(What.WITHDRAWN)
    place = {"contact": lapse["contact"], "number": lapse["number"]}
    following = next(row for row in record.find(What.OFFER, **place) if row["assignment"] > lapse["assignment"])
    lapse["done"] = following["done"] + 5 * MS
    floor = record.floor(record.evidence())
    line = floor.holdings.assignment.tolist().index(following["assignment"])
    wait = floor.waits.holding.tolist().index(line)
    assert floor.waits.begin[wait] == floor.waits.end[wait] == lapse["done"]


def test_a_lapse_explains_why_a_dialog_waits_beside_a_free_operator() -> None:
    """An operator who let a dialog lapse is not eligible for it, so both may wait."""
    record = honest().copy()
    for row in record.find(What.PRESENCE, who="o1"):
        record.drop(row)
    left_waiting(record)
    offer = record.one(What.OFFER, contact="tg/u2")
    lapsed = {**offer, "who": "o2", "assignment": 0, "place": 0, "done": offer["done"] - 1499 * MS}
    record.rows += [lapsed, {**lapsed, "what": What.WITHDRAWN, "done": offer["done"] - 1498 * MS}]
    assert "G9" not in record.violated()


@pytest.mark.parametrize(
    "offers, wrong",
    [
        ([(1, 1), (1, 2), (1, 3)], 0),
        ([(1, 1), (1, 3), (1, 2)], 1),
        ([(1, 2), (0, 1)], 1),
        ([(1, 1), (0, 2)], 0),
        ([(1, 1), (1, 3), (0, 2)], 1),
        ([(0, 2), (1, 1)], 0),
        ([(1, 3), (0, 1), (0, 2)], 2),
    ],
    ids=[
        "in line", "a later place first", "an urgent one passed over", "an urgent one that may have come after",
        "an urgent one that had come before", "an urgent one first", "two urgent ones passed over",
    ],
)  # fmt: skip
def test_nobody_is_overtaken_by_a_later_place_or_a_lesser_urgency(offers: list[tuple[int, int]], wrong: int) -> None:
    """(priority, place) in the order of the floor's numbers; who came back to the queue is not judged."""
    record = honest().copy()
    like = record.one(What.OFFER)
    record.rows = [row for row in record.rows if row["what"] != What.OFFER]
    for number, (priority, place) in enumerate(offers):
        where = {"contact": f"web/queue{number}", "number": 1, "assignment": number}
        record.add(like, **where, priority=priority, place=place, done=T0 + number * MS)
    assert record.counts()["dialogs_overtaken"] == wrong


# ── what cannot be told ──────────────────────────────────────────────────────────────────────────────────────────────


def finding_of(record: Record, check: Callable[[Tally], None]) -> Finding:
    """What becomes of a guarantee with this checker."""
    evidence = record.evidence()
    return check_all(evidence, record.floor(evidence), [Guarantee("G1", "", "", "", check)])[0]["G1"]


def test_a_crashed_checker_is_unknown() -> None:
    """A checker that raises neither passes nor stops the others."""

    def crash(tally: Tally) -> None:
        raise ZeroDivisionError("no such thing")

    assert finding_of(honest(), crash) == Finding("unknown", 0, why="checker crashed: ZeroDivisionError: no such thing")


def test_a_checker_may_say_that_it_cannot_tell() -> None:
    """What a checker lacks becomes the reason."""

    def lacks(tally: Tally) -> None:
        raise CannotTell("no presence was recorded")

    assert finding_of(honest(), lacks) == Finding("unknown", 0, why="no presence was recorded")


def test_a_checker_that_saw_nothing_is_unknown() -> None:
    """No evidence is not evidence of holding."""
    assert finding_of(honest(), lambda tally: None) == Finding("unknown", 0, why="no work seen")


@pytest.mark.parametrize(
    "change, unknown",
    [
        ({"target": {"observes": []}}, dict.fromkeys(EVERY, "not observable")),
        ({"scheduled": {}}, dict.fromkeys(EVERY, "not exercised")),
        (
            {"audit": {"read": False, "reason": "no saboteur"}},
            dict.fromkeys(set(EVERY) - {"G9", "G12"}, "the final history was not read: no saboteur")
            | {"G12": "not exercised"},
        ),
        (
            {"drain": {"clean": False}},
            dict.fromkeys(["G10", "G11"], "drain deadline passed") | {"G12": "not exercised"},
        ),
    ],
    ids=["undeclared", "unscheduled", "unaudited", "unclean"],
)
def test_what_a_run_could_not_show_is_unknown(change: Row, unknown: dict[str, str]) -> None:
    """What the target does not show, the plan does not play or the run did not reach is unknown, with the reason."""
    record = honest().copy()
    record.manifest |= change
    findings = record.findings()
    assert {name: each.why for name, each in findings.items() if each.status == "unknown"} == unknown
    assert {each.status for each in findings.values()} <= {"held", "unknown"}


def test_evidence_is_made_once() -> None:
    """Checkers share what follows from the record."""
    evidence: Evidence = honest().evidence()
    assert evidence.history is evidence.history


def test_a_desk_that_comes_back_after_a_fault_holds_what_it_held() -> None:
    """An ownership whose end no desk saw lasts until the final history ends it, not until the new connection."""
    record = honest().copy()
    accept = record.one(What.ACCEPT, outcome=Outcome.OK)
    mine = {"who": accept["who"], "contact": accept["contact"], "number": accept["number"]}
    unseen = [*record.find(What.ENTRY, **mine, kind=Kind.CLOSED), *record.find(What.CLOSE, **mine)]
    assert unseen
    record.rows = [row for row in record.rows if row not in unseen]
    back = accept["done"] + MS
    record.add({"what": What.FAULT, "who": "suite", "reason": "kill"}, started=accept["done"], done=accept["done"])
    record.add({"what": What.RESUME, "outcome": Outcome.OK}, who=accept["who"], started=back, done=back, epoch=2)
    closing = {"contact": accept["contact"], "number": accept["number"], "kind": Kind.CLOSED}
    record.one(What.AUDIT, **closing)["done"] = accept["done"] + 500 * MS
    held = record.floor(record.evidence()).holdings
    ended = dict(zip(held.assignment.tolist(), held.ended_at.tolist(), strict=True))[accept["assignment"]]
    assert ended == accept["done"] + 500 * MS


def test_a_gap_is_put_down_to_the_screen_that_has_it() -> None:
    """Also when another screen's connection showed only what lay before its acceptance, which is G6's to judge."""
    record = honest().copy()
    for accept in record.find(What.ACCEPT, outcome=Outcome.OK):
        mine = {"who": accept["who"], "contact": accept["contact"], "number": accept["number"]}
        for row in record.find(What.ENTRY, **mine):
            row["epoch"] = 0 if row["seq"] < accept["seq"] else 1
    before = record.rows
    skipped_on_a_screen(record)
    (row,) = (row for row in before if not any(row is each for each in record.rows))
    where = {"dialog": f"{row['contact']}#{row['number']}", "seq": row["seq"], "who": row["who"]}
    assert record.findings()["G4"].examples == [where | {"note": "skipped on a screen"}]
