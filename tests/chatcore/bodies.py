"""Bodies that no provider sends: bytes, JSON of any shape, and documented examples with one place spoilt."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from chatcore.channels import Channel
from chatcore.channels.shapes import Consent, Inbound, Receipt
from chatcore.config import Account

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=8)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in a JSON value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


@st.composite
def spoilt(draw: st.DrawFn, examples: list[Any]) -> bytes:
    """An example with another value at one place, or without its end."""
    value = deepcopy(draw(st.sampled_from(examples)))
    holder, key = draw(st.sampled_from(list(places(value))))
    holder[key] = draw(VALUES)
    body = json.dumps(value).encode()
    return body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body


def hostile(examples: list[Any]) -> st.SearchStrategy[bytes]:
    """Any bytes, any JSON, and spoilt examples."""
    return st.one_of(st.binary(), VALUES.map(lambda value: json.dumps(value).encode()), spoilt(examples))


def check_parse(channel: Channel, account: Account, body: bytes) -> None:
    """`body` is unreadable, or every event in it has a user and an id of bounded length."""
    try:
        events = channel.parse(account, body)
    except ValueError:
        return
    for event in events:
        assert isinstance(event, Inbound | Receipt | Consent)
        assert 1 <= len(event.user) <= 1_000
        assert isinstance(event, Consent) or 1 <= len(event.id) <= 1_000
