"""The keyword bot: the bank's answers by keyword, and the words that ask for a person."""

from chatcore.config import Answer, Bot
from chatcore.machines.commands import Choice


class KeywordBot:
    """Chooses an answer for a text; asked at the edge, so that the machine gets the choice with the message."""

    def __init__(self, config: Bot) -> None:
        self._again = config.again
        self._handover = tuple(word.lower() for word in config.handover)
        self._answers = [(word.lower(), _choice(answer)) for answer in config.answers for word in answer.keywords]

    def choose(self, text: str) -> Choice:
        """Hand-over words win; then the first answer with a keyword in the text; else a miss that asks again."""
        lowered = text.lower()
        if any(word in lowered for word in self._handover):
            return Choice("handover")
        for word, answer in self._answers:
            if word in lowered:
                return answer
        return Choice("miss", "bot:again", self._again)


def _choice(answer: Answer) -> Choice:
    match answer.action:
        case "":
            return Choice("answer", f"bot:{answer.rule}", answer.text)
        case "bind":
            return Choice("bind")
        case operation:
            return Choice("operation", text=operation)
