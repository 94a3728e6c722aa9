"""The bank's bot, automatic texts and ratings among all else that happens: nobody stays with a bot that is silent."""

from bisect import bisect_right
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.events import State
from tests.chatcore.test_machines_properties import CONTACTS, ORDINARY, Asked, Installation, refused
from tests.chatcore.world import RULES

REPLIES = {"greeting": "g", "waiting": "w", "closing": "c", "feedback": "f", "place": "p"}
RATING = c.Rating(5, 5_000)
OUT_OF_HOURS = REPLIES | {"waiting": "", "out_of_hours": "o"}
KINDS = st.sampled_from(["answer", "miss", "handover"])


class Answering(Installation):
    """The same installation, where the bank's bot is asked, answers late or never, customers rate, and all go home."""

    def __init__(self) -> None:
        super().__init__()
        self.shifts: list[int] = []  # when the departments closed, opened, closed …

    def _closed(self, at: int) -> bool:
        return bisect_right(self.shifts, at) % 2 == 1

    @property
    def replies(self) -> c.Replies:
        return OUT_OF_HOURS if self._closed(self.world.now) else REPLIES

    @rule()
    def business_hours_end_or_begin(self) -> None:
        """For all departments; who waits keeps waiting."""
        self.world.now += 1
        self.shifts.append(self.world.now)

    def _receive(
        self, index: int, contact: str, message_id: str, text: str, choice: c.Choice | None, asked: Asked = ORDINARY
    ) -> None:
        department, priority, wish = asked
        messenger = contact == "web/u3"
        more: dict[str, Any] = {"priority": priority, "wish": wish, "replies": self.replies, "score": len(text) % 6}
        sent = (contact, messenger, department, message_id, hash(text), text, choice)
        self.world.ask(index, c.Receive(*sent, **more))

    @rule(who=CONTACTS, burst=st.integers(1, 3))
    def customer_asks_the_banks_bot(self, who: int, burst: int) -> None:
        """One or several messages at once."""
        for _ in range(burst):
            self.customer_writes(who, "ask", ORDINARY)

    @rule(who=CONTACTS, back=st.integers(0, 3), kind=KINDS, topic=st.sampled_from(["", "loans"]))
    def banks_bot_answers(self, who: int, back: int, kind: str, topic: str) -> None:
        """To the newest question, or late to an older one, or once more."""
        known = self.world.partitions[who % 2].by_key.get(f"web/u{who}")
        if known is None:
            return
        counts = known.state is State.BOT and known.asked and not back
        choice = c.Choice(kind, f"bot:{kind}", "…", topic=topic)
        asked = known.asked - back if known.asked else back
        answered = c.Answered(known.id, known.number, asked, choice, "general", self.replies)
        assert bool(self.world.ask(who % 2, answered)) == bool(counts), "only the newest question is answered, once"

    @rule(who=CONTACTS)
    def operator_closes(self, who: int) -> None:
        """With the texts at closing, and a window for ratings."""
        known = self.world.partitions[who % 2].by_key.get(f"web/u{who}")
        if known and known.state is State.ASSIGNED:
            shown = (known.key, known.number, known.assignment, known.operator)
            self.world.ask(who % 2, c.Close(*shown, self.replies, RATING))

    @rule(who=CONTACTS, score=st.integers(-1, 6))
    def customer_rates(self, who: int, score: int) -> None:
        """By the button of an app."""
        known = self.world.partitions[who % 2].by_key.get(f"web/u{who}")
        may = known and known.state is State.CLOSED and self.world.now <= known.rate_until and 1 <= score <= 5
        outcome = refused(lambda: self.world.ask(who % 2, c.Rate(f"web/u{who}", score)))
        assert (outcome is None) == bool(may)

    @invariant()
    def nobody_is_stuck_with_the_bot(self) -> None:
        """G10: a dialog with the bot ends by a deadline of the state, and a question's comes in the stated time."""
        for partition in self.world.partitions:
            for contact in partition.contacts.active.values():
                if contact.state is State.BOT:
                    assert contact.deadline > 0
                    assert not contact.asked or contact.deadline <= self.world.now + RULES.bot_ms
                else:
                    assert not contact.asked or contact.state in (State.CLOSED, State.RATED)

    @invariant()
    def automatic_texts_have_one_cause(self) -> None:
        """G2: at most one text of a rule a cause, which is an earlier entry of the dialog."""
        for name, log in self.world.logs.items():
            texts = [
                event
                for record in log.records
                for event in record.events
                if isinstance(event, e.Said) and event.author in ("bot", "system")
            ]
            assert all(1 <= event.cause_seq < event.seq for event in texts), name
            causes = Counter((event.contact, event.number, event.cause_seq, event.rule) for event in texts)
            assert set(causes.values()) <= {1}, name

    @invariant()
    def who_is_queued_is_told_whether_anybody_is_there(self) -> None:
        """Once, by the hours of that moment; callers and the reminder of a slow bot come without texts here."""
        for record in (record for log in self.world.logs.values() for record in log.records):
            if any(isinstance(event, e.Called) for event in record.events):
                continue
            told = [
                (event.contact, event.cause_seq, event.rule)
                for event in record.events
                if isinstance(event, e.Said) and event.rule in ("auto:waiting", "auto:out_of_hours")
            ]
            hours = "auto:out_of_hours" if self._closed(record.now) else "auto:waiting"
            queued = [event for event in record.events if isinstance(event, e.Queued) and event.reason != "bot_slow"]
            assert told == [(event.contact, event.seq, hours) for event in queued]

    @invariant()
    def one_rating_a_dialog_in_its_window(self) -> None:
        """G7: a dialog is rated at most once, after an operator closed it and before its window ends."""
        for log in self.world.logs.values():
            ended: dict[tuple[int, int], int] = {}
            for event in (event for record in log.records for event in record.events):
                if isinstance(event, e.Closed):
                    ended[event.contact, event.number] = event.rate_until
                elif isinstance(event, e.Rated):
                    assert event.at <= ended.pop((event.contact, event.number))


Answering.TestCase.settings = settings(max_examples=100, stateful_step_count=60)
TestAnswering = Answering.TestCase
