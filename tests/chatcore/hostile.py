"""Bodies that no provider would send, and what must become of them."""

import json
from collections.abc import Callable

import hypothesis.strategies as st

from chatcore.channels.shapes import Consent, Event, Inbound, Receipt


def bodies(*names: str) -> st.SearchStrategy[bytes]:
    """Any bytes, and JSON of any shape whose objects have these names."""
    scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    shapes = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner),
        max_leaves=10,
    )
    return st.binary() | shapes.map(lambda shape: json.dumps(shape).encode())


def damaged(*examples: str) -> st.SearchStrategy[bytes]:
    """A documented body with any part replaced."""
    places = st.integers(0, max(map(len, examples)))
    whole = st.sampled_from([example.encode() for example in examples])
    return st.builds(lambda body, at, to, patch: body[:at] + patch + body[to:], whole, places, places, st.binary())


def harmless(parse: Callable[[bytes], list[Event]], body: bytes) -> None:
    """It is events or unreadable, and nothing else."""
    try:
        found = parse(body)
    except ValueError:
        return
    assert all(isinstance(event, Inbound | Receipt | Consent) for event in found)
