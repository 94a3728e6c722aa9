"""A messenger's account is bound to a person by a code that only their e-mail gets; nothing else binds it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.binding import CODE_LASTS_MS, LOCKED_MS, MASK, awaits_code, hashed
from tests.chatcore.world import Partition

CONTACT, SALT, CODE, PERSON = "tg/77", "salt", "482913", "person-5"
BIND, BALANCE, MISS = c.Choice("bind"), c.Choice("operation", text="balance"), c.Choice("miss", "again", "Pardon?")


class Talk(Partition):
    """A customer of an account with a bot, and the bank that the edge asks."""

    def __init__(self) -> None:
        super().__init__(c.Rules(bot_misses=99))
        self.sent = 0

    def say(self, text: str, choice: c.Choice = MISS) -> list[str]:
        """The customer writes; the rules of what the bot says, and the kinds of the other events."""
        self.sent += 1
        code = hashed(SALT, text) if awaits_code(self.state.by_key.get(CONTACT)) else ""
        shown = MASK if code else text
        command = c.Receive(CONTACT, True, "general", f"m{self.sent}", 1, shown, choice, code=code)
        return [_name(event) for event in self.ask(command) if not isinstance(event, e.Met | e.Opened)][1:]

    def named(self) -> tuple[int, int, int]:
        """The bank's view of the message that named the account."""
        contact = self.state.by_key[CONTACT]
        return contact.id, contact.binding.number, contact.binding.seq

    def issue(self, person: str = PERSON, code: str = CODE) -> list[str]:
        """The bank knows the account, and a code was mailed."""
        return [_name(event) for event in self.ask(c.IssueCode(*self.named(), person, SALT, hashed(SALT, code)))]

    @property
    def person(self) -> str:
        known = self.state.by_key.get(CONTACT)
        return known.person if known is not None else ""


def _name(event: Any) -> str:
    if isinstance(event, e.Said):
        return event.rule or event.author
    return type(event).__name__


def asked() -> Talk:
    """A talk in which the account was named."""
    talk = Talk()
    assert talk.say("balance", BALANCE) == ["BindingStarted", "bind:account"]
    assert talk.say("40817-5") == ["AccountNamed", "bind:code"]
    return talk


def test_the_right_code_binds_for_good() -> None:
    """Account, code, bound; then an operation is the bank's, in this dialog and in the next."""
    talk = asked()
    assert talk.issue() == ["CodeIssued"]
    assert talk.say(CODE) == ["Bound", "bind:done"]
    assert (talk.person, talk.state.contacts.of_person(PERSON)) == (PERSON, [1])
    for _ in range(2):
        assert talk.say("balance", BALANCE) == ["OperationAsked"]
        contact = talk.state.by_key[CONTACT]
        told = talk.ask(c.Tell(contact.id, *contact.operation_at, "42 roubles"))
        assert [_name(event) for event in told] == ["OperationTold", "operation:done"]
        assert told[1].text == "42 roubles"
        talk.ask(c.Leave(CONTACT))


def test_wrong_codes_lock() -> None:
    """The third wrong code ends the attempt; for an hour none can begin, whatever is typed."""
    talk = asked()
    talk.issue()
    assert [talk.say("000000") for _ in range(3)] == [
        ["CodeWrong", "bind:wrong"], ["CodeWrong", "bind:wrong"], ["BindingEnded", "bind:locked"],
    ]  # fmt: skip
    assert talk.say(CODE) == ["Missed", "again"]
    assert talk.say("bind", BIND) == ["bind:locked"]
    talk.now += LOCKED_MS
    assert talk.say("bind", BIND) == ["BindingStarted", "bind:account"]
    assert talk.person == ""


def test_a_code_expires() -> None:
    """After its time even the right code binds nothing."""
    talk = asked()
    talk.issue()
    talk.now += CODE_LASTS_MS
    assert talk.say(CODE) == ["BindingEnded", "bind:failed"]
    assert talk.person == ""


def test_a_dialog_that_ended_takes_the_attempt_with_it() -> None:
    """A code typed in the next dialog is a text like any other, and a late word of the bank changes nothing."""
    talk = asked()
    before = talk.named()
    talk.ask(c.Leave(CONTACT))
    assert talk.say("hello") == ["Missed", "again"]
    talk.ask(c.IssueCode(*before, PERSON, SALT, hashed(SALT, CODE)))
    assert not awaits_code(talk.state.by_key[CONTACT])
    assert talk.say(CODE) == ["Missed", "again"]
    assert talk.person == ""


def test_a_person_is_asked_for_at_any_time() -> None:
    """Who asks for an operator in the middle of it gets one, and is not bound."""
    talk = asked()
    talk.issue()
    assert talk.say("operator", c.Choice("handover")) == ["BindingEnded", "Queued"]
    assert talk.person == ""


@pytest.mark.parametrize("command", [c.FailBinding, c.IssueCode])
def test_only_the_attempt_that_was_asked_about_counts(command: type) -> None:
    """A word of the bank about an older question changes nothing; when it cannot be asked, the customer is told."""
    talk = asked()
    contact, number, seq = talk.named()
    older = (contact, number, seq - 1)
    late = c.FailBinding(*older, "503") if command is c.FailBinding else c.IssueCode(*older, PERSON, SALT, "hash")
    assert talk.ask(late) == []
    told = talk.ask(c.FailBinding(contact, number, seq, "503"))
    assert [_name(event) for event in told] == ["BindingEnded", "bind:unable"]
    assert talk.say(CODE) == ["Missed", "again"]


WORDS = st.sampled_from(["hello", "bind", "balance", "account", "operator", CODE, "000000", "leave", "issue", "fail"])


@given(st.lists(WORDS, max_size=40))
def test_nothing_but_the_mailed_code_binds(words: list[str]) -> None:
    """Whatever is said and whenever the bank answers: bound is who typed the code that was mailed; none is kept."""
    talk = Talk()
    right = False
    choices = {"bind": BIND, "balance": BALANCE, "operator": c.Choice("handover")}
    for word in words:
        known = talk.state.by_key.get(CONTACT)
        open_ = known is not None and known.state is not e.State.CLOSED
        if word == "leave" and open_:
            talk.ask(c.Leave(CONTACT))
        elif word in ("issue", "fail") and known is not None:
            talk.issue() if word == "issue" else talk.ask(c.FailBinding(*talk.named(), "503"))
        elif word not in ("leave", "issue", "fail"):
            awaited = awaits_code(known)
            said = talk.say(word, choices.get(word, MISS))
            right = right or (awaited and word == CODE and "Bound" in said)
            assert ("Bound" in said) <= (awaited and word == CODE)
    assert bool(talk.person) == right
    assert CODE.encode() not in talk.state.dump()
