"""Who a text belongs to, and which planned dialog a contact is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.accounts import ACCOUNTS, MESSENGERS, index_of, user_of
from chatload.fleet.identity import Identity, compose, parse, sender_of

RUNS = st.text("0123456789abcdef", min_size=6, max_size=6)
INDICES = st.integers(-900_000_000, 900_000_000)


@given(RUNS, st.sampled_from("cop"), INDICES, st.integers(1, 10**9), st.text())
def test_what_is_composed_is_parsed(run: str, role: str, n: int, counter: int, words: str) -> None:
    """Whatever the words after it, the identity at the start of a text comes back whole."""
    text = f"{compose(run, f'{role}{n}', counter)} {words}"
    assert parse(text) == Identity(run, f"{role}{n}", role, n, counter)


@given(st.text())
def test_a_text_without_an_identity_has_none(text: str) -> None:
    """Any text can be parsed; one that does not start with an identity belongs to nobody."""
    assert parse(f"you wrote: {compose('abc123', 'c5', 1)} {text}") is None
    assert parse(text) is None or text.startswith("[")


@pytest.mark.parametrize("text", ["", "[abc123:c5]", "[abc123:x5:1]", "[abc123:c5:-1]", "abc123:c5:1", "[ABC:c5:1]"])
def test_what_only_looks_like_an_identity_is_none(text: str) -> None:
    """Broken marks are no identities."""
    assert parse(text) is None


def test_a_text_of_another_run_matches_nothing_of_this_one() -> None:
    """Its sender keeps the other run's name; an own one is short; no identity is no sender."""
    other = Identity("fff000", "c5", "c", 5, 1)
    assert (sender_of(other, "abc123"), sender_of(other, "fff000"), sender_of(None, "abc123")) == (
        "fff000:c5",
        "c5",
        "",
    )


@given(INDICES, st.sampled_from(sorted(ACCOUNTS)), st.sampled_from(["", "-0", "-31"]))
def test_a_contact_tells_its_dialog(index: int, channel: str, worker: str) -> None:
    """The plan's user names lead back to the plan's index, on every channel and every worker's account."""
    name = ACCOUNTS[channel] + (worker if channel in MESSENGERS else "")
    assert index_of(name, user_of(index, channel)) == index


@pytest.mark.parametrize(
    "contact", ["web/probe-0", "web/u", "web/x5", "viber/u5", "tg/anna", "web/", "web-1/u5", "tg-x/5000000001"]
)
def test_other_contacts_belong_to_no_plan(contact: str) -> None:
    """Probes and strangers have no index."""
    account, _, user = contact.partition("/")
    assert index_of(account, user) is None
