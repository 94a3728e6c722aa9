"""How far another machine's monotonic clock is ahead of ours, measured by question and answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

QUESTIONS: Final = 100

Answer = tuple[int, int, int]


@dataclass(frozen=True)
class Offset:
    """Ahead of ours by `ns`, give or take `uncertainty_ns`; all nothing for a clock that is ours."""

    ns: int = 0
    uncertainty_ns: int = 0

    def again(self, later: "Offset") -> "Offset":
        """This one, which rows were and will be shifted by, with the doubt that a later measurement casts on it."""
        if self == OURS:
            return later
        uncertain_ns = max(self.uncertainty_ns, later.uncertainty_ns, abs(later.ns - self.ns))
        return Offset(self.ns, uncertain_ns)


OURS: Final = Offset()


def measured(ask: Callable[[], Answer | None], questions: int = QUESTIONS) -> Offset:
    """The offset by the quickest of many questions, which half its round trip bounds; none without any answer.

    `ask` returns when the question was sent and answered by our clock, and the time that the other one told.
    """
    answers = [answer for answer in (ask() for _ in range(questions)) if answer is not None]
    if not answers:
        return OURS
    sent_ns, came_ns, told_ns = min(answers, key=lambda answer: answer[1] - answer[0])
    return Offset(told_ns - (sent_ns + came_ns) // 2, (came_ns - sent_ns + 1) // 2)
