"""The menu and the keywords: what the bank's answers say to a text; and the automatic texts in force."""

from collections.abc import Mapping
from typing import Final

from chatcore.answers import Answer, Answers, Item, hours
from chatcore.machines.commands import Choice, Rating, Replies

BACK: Final = "0"
NOTHING: Final[Mapping[str, str]] = {}


class Bot:
    """Chooses by one state of the bank's answers; asked at the edge, so that the machine gets what was chosen."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._handover = tuple(word.casefold() for word in answers.handover)
        self._answers = [(word.casefold(), _choice(answer)) for answer in answers.answers for word in answer.keywords]
        self._ask_place = frozenset(word.casefold() for word in answers.ask_place)
        self._hours = hours(answers)
        self._standing: dict[tuple[str, str], Mapping[str, str]] = {}
        self._scores = _scores(answers)

    # --- choices ---------------------------------------------------------------------------------------------------

    def by_keyword(self, text: str) -> Choice:
        """Hand-over words win; then the first answer with a keyword in the text; else a miss that asks again."""
        return self._known(text) or Choice("miss", "bot:again", self.answers.again)

    def _known(self, text: str) -> Choice | None:
        lowered = text.casefold()
        if any(word in lowered for word in self._handover):
            return Choice("handover")
        return next((answer for word, answer in self._answers if word in lowered), None)

    def by_menu(self, text: str, at: str | None) -> Choice:
        """The line that the text names or numbers, where the customer is `at`; None: their dialog begins.

        What is none may still be a keyword or a hand-over word. A dialog begins with the menu.
        """
        path = self._path(at or "")
        wish = text.strip().casefold()
        if wish == BACK and path:
            return self._shown(path[:-1])
        items = path[-1].items if path else self.answers.menu.items
        for number, item in enumerate(items, 1):
            if wish == item.name.casefold() or (at is not None and wish == str(number)):
                return self._chosen([*path, item])
        known = self._known(text)
        if known is not None or at is None:
            return known or self._shown([])
        again = f"{self.answers.again}\n{_lines(items, back=bool(path))}"
        return Choice("miss", "menu:again", again, menu=_place(path))

    def _chosen(self, path: list[Item]) -> Choice:
        item = path[-1]
        if item.topic:
            return self.hand_over(item.topic)
        if item.items:
            return self._shown(path)
        return Choice("answer", f"menu:{_place(path)}", item.text, menu=_place(path[:-1]))

    def _shown(self, path: list[Item]) -> Choice:
        text, items = (path[-1].text, path[-1].items) if path else (self.answers.menu.text, self.answers.menu.items)
        place = _place(path)
        return Choice("answer", f"menu:{place}", f"{text}\n{_lines(items, back=bool(path))}".strip(), menu=place)

    def _path(self, place: str) -> list[Item]:
        """The lines that lead to a place; none if the file was edited meanwhile and has it no more."""
        path: list[Item] = []
        items = self.answers.menu.items
        for name in place.split("/") if place else ():
            found = next((item for item in items if item.name == name and item.items), None)
            if found is None:
                return []
            path.append(found)
            items = found.items
        return path

    def hand_over(self, topic: str) -> Choice:
        """A hand-over to the topic's department, or the account's if it has none."""
        return Choice("handover", department=self.answers.topics.get(topic, ""), topic=topic)

    # --- automatic texts -------------------------------------------------------------------------------------------

    def replies(self, account: str, department: str, now_ms: int) -> Replies:
        """The automatic texts in force for an account's dialog with a department; `place` is not among them."""
        if not self.answers.replies:
            return NOTHING
        standing = self._standing.get((account, department))
        if standing is None:
            standing = self._standing[account, department] = self._stand(account, department)
        found = self._hours.get(department)
        opens_ms = found.opens_at(now_ms) if found is not None else 0
        if found is None or not opens_ms:
            return standing
        return self._told_when(account, department, standing, found.shown(opens_ms))

    def _told_when(self, account: str, department: str, standing: Replies, opens: str) -> Replies:
        text = self._reply("out_of_hours", account, department).replace("{opens}", opens)
        return {**standing, "waiting": "", "out_of_hours": text} if text else standing

    def place(self, account: str, department: str, place: int) -> str:
        """The text that tells a customer their place in the queue; "" if there is none."""
        return self._reply("place", account, department).replace("{place}", str(place))

    def asks_place(self, text: str) -> bool:
        """Whether the customer asks for their place in the queue."""
        return bool(self._ask_place) and text.strip().casefold() in self._ask_place

    def _stand(self, account: str, department: str) -> Replies:
        events = ("greeting", "waiting", "closing", "feedback")
        found = {event: self._reply(event, account, department) for event in events}
        return {event: text for event, text in found.items() if text} or NOTHING

    def _reply(self, event: str, account: str, department: str) -> str:
        """The text of the row that fits best: an account's own, then a department's, then anybody's."""
        fits = [
            row
            for row in self.answers.replies
            if row.event == event and row.account in ("", account) and row.department in ("", department)
        ]
        return max(fits, key=lambda row: (bool(row.account), bool(row.department))).text if fits else ""

    # --- ratings ---------------------------------------------------------------------------------------------------

    @property
    def rating(self) -> Rating | None:
        """How a dialog that an operator closes may be rated."""
        feedback = self.answers.feedback
        return None if feedback is None else Rating(feedback.scale, feedback.window_s * 1000)

    def score(self, text: str) -> int:
        """What a text says as a rating; 0 if it is none."""
        return self._scores.get(text.strip().casefold(), 0) if self._scores else 0


def _scores(answers: Answers) -> dict[str, int]:
    feedback = answers.feedback
    if feedback is None:
        return {}
    if feedback.scale == 2:
        words = (feedback.bad, feedback.good)
        return {word.casefold(): score for score, those in enumerate(words, 1) for word in those}
    return {str(score): score for score in range(1, feedback.scale + 1)}


def _place(path: list[Item]) -> str:
    return "/".join(item.name for item in path)


def _lines(items: tuple[Item, ...], *, back: bool) -> str:
    lines = [f"{number}. {item.name}" for number, item in enumerate(items, 1)]
    return "\n".join([*lines, f"{BACK}. ←"] if back else lines)


def _choice(answer: Answer) -> Choice:
    match answer.action:
        case "":
            return Choice("answer", f"bot:{answer.rule}", answer.text)
        case "bind":
            return Choice("bind")
        case operation:
            return Choice("operation", text=operation)
