"""What the bank writes of its own accord: only to whom it may, once, followed to its end, and counted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chatcore.machines import commands as c
from chatcore.machines import dialog
from chatcore.machines import events as e

CONTACT, DAY_MS = "wa/79990000001", 86_400_000
MARCH = int(datetime(2026, 3, 30, 12, tzinfo=UTC).timestamp() * 1000)


class Talk:
    """A messenger with a window, and the commands of a dialog on it."""

    def __init__(self) -> None:
        self.state = dialog.Partition(c.Rules())
        self.now = MARCH
        self.said = 0

    def ask(self, command: Any) -> Any:
        """Decide and apply; the events, or the reason of a refusal."""
        try:
            events = dialog.decide(self.state, command, self.now)
        except c.Refused as refusal:
            return refusal.reason
        for event in events:
            dialog.apply(self.state, event)
        return events

    def hear(self, contact: str = CONTACT) -> None:
        """The customer writes."""
        self.said += 1
        self.ask(c.Receive(contact, True, "general", f"m{self.said}", 1, "hello", None, receipts=True, windowed=True))

    def own(self) -> None:
        """An operator accepts."""
        self.ask(c.OfferTo(e.Ref(0, 1, 1), 7, "o1", "general", 0, 1))
        self.ask(c.Accept(CONTACT, 1, 7, "o1"))

    def reply(self, cid: str) -> Any:
        """An operator writes."""
        return self.ask(c.Reply(CONTACT, 1, 7, "o1", cid, 1, "text"))


def notify(notice: str = "n1", digest: int = 1, broadcast: bool = False) -> c.Notify:
    """A template with one parameter."""
    return c.Notify(CONTACT, notice, digest, "due", ("5 May",), "Your rate is due on 5 May.", broadcast, True, True)


def test_a_notice_goes_to_somebody_who_never_wrote() -> None:
    """It takes a place in the contact's number 0, ends as replies do, and opens no dialog; a repeat changes nothing."""
    talk = Talk()
    met, noticed = talk.ask(notify())
    assert (met.key, noticed.number, noticed.seq, noticed.text) == (CONTACT, 0, 1, "Your rate is due on 5 May.")
    assert talk.ask(notify()) == []
    assert talk.ask(notify(digest=2)) == "conflict"
    assert [type(event) for event in talk.ask(c.Settle(1, 0, 1, "wamid.1"))] == [e.Sent]
    (receipt,) = talk.ask(c.Told(CONTACT, "delivered", "wamid.1", "", ""))
    assert (receipt.number, receipt.seq, receipt.state) == (0, 1, "delivered")
    assert (talk.state.contacts.dialogs, talk.state.contacts[1].state) == (0, e.State.NONE)


@pytest.mark.parametrize("given", [True, False])
def test_broadcasts_need_consent(given: bool) -> None:
    """Who did not agree, or took it back, is left alone."""
    talk = Talk()
    assert talk.ask(notify(broadcast=True)) == "no_consent"
    talk.ask(c.Consent(CONTACT, True, True, True))
    if not given:
        talk.ask(c.Consent(CONTACT, False, True, True))
    found = talk.ask(notify(broadcast=True))
    assert (found == "no_consent") != given
    assert talk.ask(c.Consent(CONTACT, given, True, True)) == []


def test_free_texts_pass_only_in_the_window() -> None:
    """A day after the customer's last message the operator is refused; a template passes; an answer opens it again."""
    talk = Talk()
    talk.hear()
    talk.own()
    talk.now += DAY_MS
    assert talk.reply("r1") != "window_closed"
    talk.now += 1
    assert talk.reply("r2") == "window_closed"
    assert [type(event) for event in talk.ask(notify())] == [e.Noticed]
    assert talk.reply("r2") == "window_closed"
    talk.hear()
    assert [type(event) for event in talk.reply("r2")] == [e.Said]


def test_active_customers_are_counted_a_month() -> None:
    """Each contact counts once in a month in which its customer wrote; notices to it do not count."""
    talk = Talk()
    for _ in range(3):
        talk.hear()
        talk.hear("wa/79990000002")
    talk.ask(notify())
    assert talk.state.active == {"wa 202603": 2}
    talk.now += 3 * DAY_MS
    talk.hear()
    assert talk.state.active == {"wa 202603": 2, "wa 202604": 1}
    twin = dialog.Partition(c.Rules())
    twin.load(talk.state.dump())
    assert twin.active == talk.state.active
