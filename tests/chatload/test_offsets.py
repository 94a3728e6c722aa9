"""How far a clock is ahead, by questions whose answers take a while on either way."""

from hypothesis import given
from hypothesis import strategies as st

from chatload.run.offsets import OURS, Offset, measured

DELAYS = st.tuples(st.integers(0, 10**7), st.integers(0, 10**7))


@given(st.integers(-(10**15), 10**15), st.lists(DELAYS, min_size=1, max_size=20))
def test_the_true_offset_lies_within_the_uncertainty(ahead_ns: int, delays: list[tuple[int, int]]) -> None:
    """However the delays are spread over the two ways; and the uncertainty is half the quickest round trip."""
    left = iter(delays)
    now_ns = 10**15

    def ask() -> tuple[int, int, int]:
        there_ns, back_ns = next(left)
        return now_ns, now_ns + there_ns + back_ns, now_ns + there_ns + ahead_ns

    found = measured(ask, len(delays))
    assert abs(found.ns - ahead_ns) <= found.uncertainty_ns
    assert found.uncertainty_ns == (min(map(sum, delays)) + 1) // 2


def test_without_an_answer_nothing_is_known() -> None:
    """And nothing is shifted."""
    assert measured(lambda: None) == OURS


def test_a_second_look_shifts_nothing_more_but_casts_doubt() -> None:
    """What the clocks drifted apart in between is part of the uncertainty."""
    assert Offset(1000, 5).again(Offset(1300, 7)) == Offset(1000, 300)
    assert Offset(1000, 5).again(Offset(1002, 7)) == Offset(1000, 7)
    assert OURS.again(Offset(1000, 5)) == Offset(1000, 5)
