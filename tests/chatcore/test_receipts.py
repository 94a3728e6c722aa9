"""What became of a reply after its provider took it: receipts of one or many, late, early, repeated, out of order."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.outbound import RANK, TRACKED_MOST
from tests.chatcore.world import Partition

CONTACT = "fb/u1"
RULES = c.Rules()


class Talk(Partition):
    """A contact of a messenger that tells of receipts, and replies to them."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.replies = 0
        self.ask(c.Receive(CONTACT, True, "general", "m1", 1, "hello", None, (), True))
        self.ask(c.OfferTo(e.Ref(0, 1, 1), 7, "o1", "general", 0, 1))
        self.ask(c.Accept(CONTACT, 1, 7, "o1"))

    def reply(self) -> int:
        """An operator's message; its seq."""
        self.replies += 1
        (said,) = self.ask(c.Reply(CONTACT, 1, 7, "o1", f"r{self.replies}", self.replies, "text"))
        return int(said.seq)

    def send(self, seq: int, provider_id: str, posted: int = 0) -> list[Any]:
        """The provider takes the message at `seq`."""
        return self.ask(c.Settle(1, 1, seq, provider_id, posted=posted))

    def told(self, state: str, provider_id: str, through: str = "", reason: str = "") -> list[tuple[int, str]]:
        """Seqs and states that a receipt brings news of."""
        events = self.ask(c.Told(CONTACT, state, provider_id, through, reason))
        return [(event.seq, event.state) for event in events if isinstance(event, e.Receipted)]


@pytest.mark.parametrize(
    "through, told, news",
    [
        ("", "11", [2]),
        ("order", "11", [1, 2]),
        ("number", "11", [1, 2]),
        ("number", "9", []),
        ("time", "250", [1, 2]),
        ("time", "99", []),
        ("order", "99", []),
    ],
)
def test_a_receipt_is_of_one_or_of_all_before(through: str, told: str, news: list[int]) -> None:
    """A receipt counts for the one message, for all sent up to it, for all ids up to a number, or up to a time."""
    talk = Talk()
    seqs = [talk.reply() for _ in range(3)]
    for number, seq in enumerate(seqs):
        talk.send(seq, str(10 + number), posted=100 * (number + 1))
    assert talk.told("read", told, through) == [(seqs[number - 1], "read") for number in news]


def test_receipts_in_any_order_tell_the_most() -> None:
    """What is less than what was told already is no news; a delivery after a failure is."""
    talk = Talk()
    first, second = talk.reply(), talk.reply()
    talk.send(first, "a")
    talk.send(second, "b")
    assert talk.told("read", "a") == [(first, "read")]
    assert talk.told("delivered", "a") == talk.told("read", "a") == []
    assert talk.told("failed", "b", reason="131026") == [(second, "failed")]
    assert talk.told("delivered", "b") == [(second, "delivered")]
    assert talk.told("failed", "b") == []


def test_a_receipt_may_be_faster_than_the_sends_answer() -> None:
    """Receipts that come before their message's id is known count once it is; of strangers' ids nothing is kept."""
    talk = Talk()
    assert talk.told("delivered", "a") == []
    seq = talk.reply()
    assert talk.told("delivered", "a") == talk.told("read", "a") == talk.told("delivered", "zzz") == []
    told = [(event.seq, event.state) for event in talk.send(seq, "a") if isinstance(event, e.Receipted)]
    assert told == [(seq, "delivered"), (seq, "read")]
    assert talk.state.contacts[1].early == {}


def test_early_receipts_in_any_order_tell_the_most() -> None:
    """Of receipts that come before their message's id, those that say less than one before are no news either."""
    talk = Talk()
    seq = talk.reply()
    assert talk.told("failed", "a", reason="131026") == talk.told("read", "a") == talk.told("delivered", "a") == []
    told = [(event.seq, event.state) for event in talk.send(seq, "a") if isinstance(event, e.Receipted)]
    assert told == [(seq, "failed"), (seq, "read")]


@pytest.mark.parametrize(
    "through, told, news",
    [
        ("time", "250", [1, 2]),
        ("time", "199", [1]),
        ("order", "11", [1, 2]),
        ("number", "11", [1, 2]),
        ("number", "10", [1]),
        ("order", "99", []),
    ],
)
def test_a_receipt_of_many_may_be_faster_than_the_answer(through: str, told: str, news: list[int]) -> None:
    """What comes while a reply is under way counts for those before it, and for it once it is known if it is meant."""
    talk = Talk()
    seqs = [talk.reply() for _ in range(2)]
    talk.send(seqs[0], "10", posted=100)
    before = talk.told("read", told, through) + talk.told("read", told, through)
    after = [
        (event.seq, event.state) for event in talk.send(seqs[1], "11", posted=200) if isinstance(event, e.Receipted)
    ]
    assert before + after == [(seqs[number - 1], "read") for number in news]
    assert talk.state.contacts[1].early == {}


def test_late_receipts_go_to_the_old_dialog() -> None:
    """After closing, and when the next dialog is open, a receipt belongs to the message that was sent."""
    talk = Talk()
    seq = talk.reply()
    talk.send(seq, "a")
    talk.ask(c.Close(CONTACT, 1, 7, "o1"))
    talk.ask(c.Receive(CONTACT, True, "general", "m2", 2, "again", None, (), True))
    (event,) = talk.ask(c.Told(CONTACT, "read", "a", "", ""))
    assert (event.number, event.seq, event.state) == (1, seq, "read")


def test_a_contact_remembers_a_bounded_number_of_messages() -> None:
    """Messages that are never read do not collect without end; the newest are followed."""
    talk = Talk()
    for number in range(TRACKED_MOST + 5):
        talk.send(talk.reply(), str(number))
    assert len(talk.state.contacts[1].tracked) == TRACKED_MOST
    assert talk.told("read", "4") == []
    assert len(talk.told("read", str(TRACKED_MOST + 4), "number")) == TRACKED_MOST


RECEIPTS = st.tuples(
    st.sampled_from(["failed", "delivered", "read"]), st.integers(0, 3), st.sampled_from(["", "order", "number"])
)


@given(st.lists(RECEIPTS), st.permutations(range(4)), st.integers(0, 4))
@example([("delivered", 2, ""), ("failed", 2, "")], [0, 1, 2, 3], 2)
def test_no_order_of_receipts_takes_anything_back(
    receipts: list[tuple[str, int, str]], order: list[int], early: int
) -> None:
    """However receipts and answers mix, what is told of a message only ever grows, and ends the same in a replay."""
    talk = Talk()
    seqs = [talk.reply() for _ in range(4)]
    ranks = dict.fromkeys(seqs, 0)
    events: list[Any] = []
    for state, number, through in receipts[:early]:
        events += talk.ask(c.Told(CONTACT, state, str(number), through, ""))
    for number in order:
        events += talk.send(seqs[number], str(number))
    for state, number, through in receipts[early:]:
        events += talk.ask(c.Told(CONTACT, state, str(number), through, ""))
    for event in events:
        if isinstance(event, e.Receipted):
            assert RANK[event.state] > ranks[event.seq]
            ranks[event.seq] = RANK[event.state]
    told = {number for state, number, through in receipts[early:] if state == "read"}
    assert all(ranks[seqs[number]] == RANK["read"] for number in told)
