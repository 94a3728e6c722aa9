"""Words for messages: deterministic, of the drawn length, in two scripts, and sure to reach whom they are for."""

from typing import Final

from chatload.draws import Draws, Purpose
from chatload.plan.model import To
from chatload.scenario import Scenario

_WORDS: Final = [
    "здравствуйте",
    "подскажите",
    "пожалуйста",
    "когда",
    "придёт",
    "ответ",
    "по",
    "моему",
    "вопросу",
    "спасибо",
    "вчера",
    "списали",
    "дважды",
    "не",
    "открывается",
    "страница",
    "«главная»",
    "номер",
    "договора",
    "верно",
    "да",
    "нет",
    "хорошо",
    "понял",
    "жду",
    "ещё",
    "минуту",
    "—",
    "thank",
    "you",
    "I",
    "see",
    "yes",
    "no",
    "the",
    "app",
    "says",
    '"try',
    'again"',
    "why",
    "is",
    "it",
    "so",
    "slow",
    "today",
    "12.50",
    "or",
    "1",
    "000,00",
    "₽?",
    "C:\\docs",
    "<b>ok</b>",
    "🙂",
    "naïve",
    "café",
    "straße",
]
_POOL_LENGTH: Final = 16_384
_TURNS_APART: Final = 1_000_003  # answers draw their words apart from the questions of the same turn


class Texts:
    """Composes the words of one scenario's messages.

    Filler words hold neither a keyword nor a hand-over word, so a text says to the bot exactly what its turn means.
    """

    def __init__(self, scenario: Scenario, draws: Draws) -> None:
        bot, known = scenario.bot, scenario.authentication
        self.draws = draws
        self._asking = list(known.keywords) if known is not None else []
        self._handover = bot.handover
        self._menu = bot.menu
        self._keywords = [answer.keywords for answer in bot.answers]
        meaningful = [word.lower() for words in [bot.handover, self._asking, *self._keywords] for word in words]
        harmless = [word for word in _WORDS if not any(m in word.lower() for m in meaningful)] or ["—"]
        self._pool, self._starts = _pool(harmless, draws)

    def question(self, dialog: int, turn: int, to: To, length: int) -> str:
        """A customer's words; at least as long as the word that the turn needs."""
        if to in ("operator", "more"):
            return self._filler(dialog, turn, length)
        choices = self._handover
        if to == "bot":
            choices = self._keywords[int(self.draws.uniform(Purpose.WORDS, dialog, -1 - turn) * len(self._keywords))]
        word = choices[int(self.draws.uniform(Purpose.WORDS, dialog, turn) * len(choices))]
        if length <= len(word) + 1:
            return word.ljust(length, ".")
        return f"{word} {self._filler(dialog, turn, length - len(word) - 1)}"

    def asking(self, dialog: int, turn: int) -> str:
        """Words that ask for what only who has shown who they are may know."""
        return self._asking[int(self.draws.uniform(Purpose.WORDS, dialog, turn) * len(self._asking))]

    def press(self, dialog: int, turn: int, to: To) -> str:
        """The number of a line of the menu, which the first message has brought up; "" for other messages."""
        if self._menu is None or turn == 0 or to in ("operator", "more"):
            return ""
        fitting = [at for at, line in enumerate(self._menu.lines, 1) if bool(line.topic) == (to == "handover")]
        return str(fitting[int(self.draws.uniform(Purpose.WORDS, dialog, turn) * len(fitting))])

    def answer(self, dialog: int, turn: int, length: int) -> str:
        """An operator's words."""
        return self._filler(dialog, turn + _TURNS_APART, length)

    def _filler(self, dialog: int, turn: int, length: int) -> str:
        start = self._starts[int(self.draws.uniform(Purpose.WORDS, dialog, turn) * len(self._starts))]
        text = self._pool[start : start + length]
        return text[:-1] + "." if text.endswith(" ") else text  # a platform may trim blanks


class Keywords(Texts):
    """Says what a turn means and leaves the rest out: for who does not look at lengths."""

    def _filler(self, dialog: int, turn: int, length: int) -> str:
        return "…"


def _pool(words: list[str], draws: Draws) -> tuple[str, list[int]]:
    """Some thousand shuffled words in one string, so that a text is one slice; and where texts may begin."""
    pool, starts, end = [], [], 0
    for position in range(_POOL_LENGTH):
        word = words[int(draws.uniform(Purpose.WORDS, 0, -_TURNS_APART - position) * len(words))]
        pool.append(word)
        starts.append(end)
        end += len(word) + 1
    return " ".join(pool), [start for start in starts if start + 2000 < end]
