"""Every checker: an honest record holds, and each way of breaking it is found by exactly the guarantee it breaks."""

from collections.abc import Callable

import pytest

from chatreport.rundir import Kind, Outcome, What
from chatreport.verify import GUARANTEES
from tests.chatreport.besides import kept_back, rating_lost, rating_of_nobody, rating_twice
from tests.chatreport.breaks import (
    acknowledged_elsewhere,
    after_closing,
    answer_without_cause,
    attachment_damaged,
    beside_a_call,
    claimed_delivered,
    closed_and_open,
    dropped_at_night,
    edit_lost,
    edit_of_nobody,
    edit_twice,
    edited_in_place,
    gap,
    handed_over_in_part,
    honest,
    leak_after_release,
    leak_after_transfer,
    leak_before_acceptance,
    leak_to_customer,
    leak_to_operator,
    left_waiting,
    lost,
    lost_reply,
    nameless_text_at_the_provider,
    never_settled,
    nowhere,
    orphan,
    out_of_nothing,
    outside_the_department,
    overtaken,
    overtaken_by_another_kind,
    overtook_itself,
    past_the_slots,
    phantom,
    provider_took_them_backwards,
    read_shrank,
    read_with_a_hole,
    read_without_owning,
    refused_and_there,
    second_answer,
    sent_again,
    sent_to_another_chat,
    shown_and_gone,
    shown_backwards,
    skipped_on_a_screen,
    stored_twice,
    swapped,
    two_at_once,
    two_open_in_the_end,
    two_owners,
    without_the_language,
    without_the_skill,
)
from tests.chatreport.ledgers import Record

EVERY = [guarantee.id for guarantee in GUARANTEES]


def test_an_honest_record_holds() -> None:
    """Every guarantee that is scheduled holds with evidence, and nothing is counted against the platform."""
    record = honest()
    findings = record.findings()
    assert {name: finding.status for name, finding in findings.items()} == {
        **dict.fromkeys(EVERY, "held"),
        "G12": "unknown",
    }
    assert all(finding.count > 0 for name, finding in findings.items() if name != "G12")
    counts = record.counts()
    wrong = ("lost", "duplicated", "reordered", "phantom")
    assert [counts[f"messages_{name}"] for name in wrong] == [0, 0, 0, 0]


def test_the_honest_record_contains_what_it_is_meant_to_judge() -> None:
    """The honest run has each thing that a checker looks at: releases, lapses, repeats, transfers, holds, edits."""
    record = honest()
    seen = {
        "release": record.find(What.AUDIT, kind=Kind.RELEASED),
        "lapse": record.find(What.WITHDRAWN),
        "abandonment": record.find(What.DIALOG, outcome=Outcome.ABANDONED),
        "repeat": record.find(What.SEND, attempt=2),
        "resume": record.find(What.RESUME),
        "429": record.find(What.ATTEMPT, outcome=Outcome.REJECTED),
        "second dialog": record.find(What.AUDIT, number=2),
        "transfer": record.find(What.AUDIT, kind=Kind.TRANSFERRED),
        "transfer that somebody took": record.find(What.OFFER, reason="cards"),
        "hold": record.find(What.AUDIT, kind=Kind.HELD),
        "edit": record.find(What.ENTRY, kind=Kind.EDITED),
    }
    assert {name for name, rows in seen.items() if not rows} == set()


BROKEN: list[tuple[Callable[[Record], None], set[str]]] = [
    (lost, {"G1"}), (lost_reply, {"G1"}), (edit_lost, {"G1"}), (edit_of_nobody, {"G2"}), (edit_twice, {"G3"}),
    (edited_in_place, {"G6"}), (leak_after_transfer, {"G5"}), (read_without_owning, {"G5"}), (beside_a_call, {"G8"}),
    (without_the_skill, {"G9"}), (without_the_language, {"G9"}), (outside_the_department, {"G9"}),
    (overtaken_by_another_kind, {"G9"}),
    (phantom, {"G2"}), (refused_and_there, {"G2"}), (second_answer, {"G2"}), (answer_without_cause, {"G2"}),
    (nameless_text_at_the_provider, {"G2"}),
    (stored_twice, {"G3"}), (acknowledged_elsewhere, {"G3"}),
    (swapped, {"G4"}), (gap, {"G4"}), (shown_backwards, {"G4"}), (skipped_on_a_screen, {"G4"}),
    (overtook_itself, {"G4"}), (provider_took_them_backwards, {"G4"}),
    (leak_to_operator, {"G5"}), (leak_after_release, {"G5"}), (leak_before_acceptance, {"G5"}),
    (leak_to_customer, {"G5"}), (sent_to_another_chat, {"G5", "G11"}),
    (read_shrank, {"G6"}), (read_with_a_hole, {"G6"}), (handed_over_in_part, {"G6"}), (shown_and_gone, {"G6"}),
    (two_at_once, {"G7"}), (after_closing, {"G7"}), (two_open_in_the_end, {"G7"}),
    (two_owners, {"G8"}), (past_the_slots, {"G8"}),
    (overtaken, {"G9"}), (left_waiting, {"G9"}),
    (nowhere, {"G10"}), (orphan, {"G10"}), (closed_and_open, {"G10"}),
    (never_settled, {"G11"}), (claimed_delivered, {"G11"}), (sent_again, {"G11"}), (out_of_nothing, {"G11"}),
    (dropped_at_night, {"G12"}),
    (rating_lost, {"G1"}), (rating_of_nobody, {"G2"}), (rating_twice, {"G3"}), (attachment_damaged, {"G11"}),
    (kept_back, {"G10"}),
]  # fmt: skip


@pytest.mark.parametrize("break_it, wrong", BROKEN, ids=[broken[0].__name__ for broken in BROKEN])
def test_a_broken_record_is_found_by_exactly_its_guarantee(break_it: Callable[[Record], None], wrong: set[str]) -> None:
    """A defect violates the guarantee that forbids it, with an example, and no other."""
    record = honest().copy()
    break_it(record)
    findings = record.findings()
    assert {name for name, finding in findings.items() if finding.status == "violated"} == wrong
    assert all(findings[name].violations >= len(findings[name].examples) >= 1 for name in wrong)


def test_every_guarantee_has_a_record_on_which_it_fails() -> None:
    """No checker is left that has never been seen to fail."""
    assert sorted(set().union(*(wrong for _, wrong in BROKEN))) == sorted(EVERY)
