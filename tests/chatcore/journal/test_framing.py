"""Records in a blob come out as they went in, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.journal.framing import BrokenFrame, pack, unpack

BATCHES = st.lists(st.binary(max_size=40), max_size=12)


@given(BATCHES)
def test_what_was_packed_is_unpacked(records: list[bytes]) -> None:
    """Any records, empty ones too, come back whole and in order."""
    assert unpack(pack(records)) == records


@given(BATCHES, st.data())
def test_one_changed_byte_is_noticed(records: list[bytes], data: st.DataObject) -> None:
    """No change of a single byte passes."""
    blob = bytearray(pack(records))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenFrame):
        unpack(bytes(blob))


@given(BATCHES, st.data())
def test_a_missing_end_is_noticed(records: list[bytes], data: st.DataObject) -> None:
    """A blob cut at any place is refused, and so is one with something behind it."""
    blob = pack(records)
    with pytest.raises(BrokenFrame):
        unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])
    with pytest.raises(BrokenFrame):
        unpack(blob + data.draw(st.binary(min_size=1, max_size=9)))
