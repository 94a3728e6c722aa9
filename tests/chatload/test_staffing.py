"""Who is added to the target, and when."""

from typing import cast

from chatload.run.staffing import AT_ONCE, Staffing
from chatload.targets import Target


class Administrator:
    """A target of which only the adding of operators is asked."""

    def __init__(self) -> None:
        self.added: list[list[int]] = []

    def add_operators(self, seats: list[int]) -> None:
        self.added.append(seats)


def test_operators_are_added_when_they_join_and_not_before() -> None:
    """The first ones at the start, those of a surge when they are due, each once; whoever is known is not asked for."""
    office, staffing = Administrator(), Staffing()
    target = cast("Target", office)
    for most in (110, 110, 112, 113):
        staffing.add(target, most)
    staffing.seat(target, 113)
    assert office.added == [list(range(1, 111)), [111, 112], [113]]


def test_seats_on_locusts_page_are_added_in_blocks() -> None:
    """Who comes beyond those that were asked for brings the next with them."""
    office, staffing = Administrator(), Staffing()
    target = cast("Target", office)
    staffing.add(target, 3)
    for number in range(4, 4 + AT_ONCE + 1):
        staffing.seat(target, number)
    assert office.added == [[1, 2, 3], list(range(4, 4 + AT_ONCE)), list(range(4 + AT_ONCE, 4 + 2 * AT_ONCE))]
