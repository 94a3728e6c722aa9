"""A scenario file from estimates: what an export tells stands in it as fitted, the rest as in the shipped tbank."""

from pathlib import Path
from typing import Final

from chatload.errors import BadScenario
from chatload.fit.columns import WORDS
from chatload.fit.estimates import Estimate, Estimates
from chatload.scenario import Scenario, load, parse
from chatload.scenario.draft import Draft
from chatload.scenario.template import begun

BASE: Final = "tbank"
BUSY: Final = 0.8  # of the operators' places that are taken in the peak hour, where an export names no operators
SHORTER: Final = 0.85
SHORTEST_S: Final = 0.01
TRIES: Final = 40

# TOML: (table, key, figure, unit)
NUMBERS: Final = (
    ("volume", "dialogs_per_day", "dialogs_per_day", ""),
    ("volume", "peak_hour_share", "peak_hour_share", ""),
    ("volume", "busyness_cv", "busyness_cv", ""),
    ("operators", "transfer_share", "transfer_share", ""),
    ("dialog", "messages", "messages", ""),
    ("dialog", "duration", "duration_s", "s"),
    ("bot", "contained", "contained", ""),
    ("bot", "turns_contained", "turns_contained", ""),
    ("bot", "turns_before", "turns_before", ""),
    ("dialog.bursts", "share", "bursts", ""),
    ("dialog.bursts", "messages", "burst_messages", ""),
    ("returning", "share", "returning", ""),
    ("returning", "after", "returning_after_s", "s"),
    ("patience", "queue", "patience_s", "s"),
    ("patience", "silent", "silent", ""),
)
TOLD: Final = {"dialog.bursts": "bursts", "returning": "returning"}  # a table that only an export can ask for
LEFT_OUT: Final = {figure for table, _, figure, _ in NUMBERS if table in TOLD}
LEAST: Final = {"messages": 2.0, "turns_contained": 1.0, "turns_before": 1.0}
PUBLISHED: Final = {  # figure: (name in a run's report, factor)
    "messages": ("messages_per_dialog", 1.0),
    "lasted_s": ("duration_s", 1.0),
    "contained": ("bot_containment", 100.0),
    "asa_s": ("asa_s", 1.0),
    "handling_time_s": ("handling_time_s", 1.0),
    "accepted_share": ("accepted_share", 100.0),
    "service_level_20s": ("service_level_20s", 100.0),
    "rated_share": ("rated_share", 100.0),
    "satisfaction": ("satisfaction", 100.0),
}
LIMITS: Final = {  # messages a second, a second and chat, at once, each with who says so
    "telegram": ((30, "Telegram's Bot API FAQ"), (1, "Telegram's Bot API FAQ"), (3, "assumed: a few at once")),
    "messenger": ((300, "Messenger Platform, rate limiting"), (10, "assumed"), (30, "assumed")),
    "viber": ((50, "assumed: nothing is documented for replies"), (10, "assumed"), (30, "assumed")),
    "vk": ((20, "dev.vk.com"), (10, "assumed"), (20, "assumed")),
    "whatsapp": ((80, "WhatsApp throughput"), (0.1667, "WhatsApp overview: one in 6 s"), (45, "WhatsApp overview")),
    "infobip": ((80, "WhatsApp throughput"), (1, "assumed: Infobip's own"), (45, "assumed")),
    "sms": ((30, "assumed"), (1, "assumed"), (10, "assumed")),
    "max": ((30, "assumed"), (10, "assumed"), (30, "assumed")),
    "email": ((20, "assumed: a relay of the bank's own"), (1, "assumed"), (10, "assumed")),
    "phone": ((10, "assumed: an exchange of the bank's own"), (1, "assumed"), (10, "assumed")),
}
LIMIT_KEYS: Final = ("rate_per_s", "chat_rate_per_s", "burst")
DESKTOP: Final = frozenset({"web", "email"})


def drafted(name: str, found: Estimates, source: Path) -> str:
    """The text of the scenario `name`, which loads.

    Raises:
        BadScenario: the figures contradict each other, whatever is assumed of the rest.
    """
    return _feasible(_Fitted(name, found, source).draft, found)


class _Fitted:
    """A draft that says of each number from how many rows of the export it is."""

    def __init__(self, name: str, found: Estimates, source: Path) -> None:
        self.draft = begun(name, load(BASE))
        self._found, self._source = found, source
        self._says(name)
        self._numbers()
        self._operators()
        self._channels()
        self._departments()
        self._ratings()
        for figure, (key, factor) in PUBLISHED.items():
            if estimate := found.figures.get(figure):
                self.draft.put("published", key, _number(factor * estimate.value), self._fitted(estimate.rows))

    def _fitted(self, rows: int, more: str = "") -> str:
        return f"fitted from {self._source.name}: {rows:,} rows{more}"

    def _says(self, name: str) -> None:
        days = f"{self._found.days:,} day{'s' * (self._found.days != 1)}"
        self.draft.head(
            [
                f"A day of {name}, estimated from {self._source.name}: {self._found.rows:,} dialogs of {days}.",
                "",
                'Behind every number stands where it comes from; what an export does not tell begins with "tbank:",',
                "and is to be replaced. Durations are business times. A run shows what the export told in [published]",
                "beside what it measured.",
            ]
        )
        self.draft.put("", "title", f'"{name}, as {self._source.name} tells"', "say what it is")
        self.draft.put("", "source", f'"{self._source.name}: {self._found.rows:,} dialogs"', "say what was exported")

    def _numbers(self) -> None:
        for table, key, figure, unit in NUMBERS:
            if estimate := self._found.figures.get(figure):
                value = max(estimate.value, LEAST.get(figure, 0.0))
                self.draft.put(table, key, _quantity(value, unit), self._fitted(estimate.rows))
        if "busyness_cv" not in self._found.figures:
            self.draft.put("volume", "busyness_cv", "0.0", "assumed: one day does not tell how days differ")
        for table, figure in TOLD.items():
            if figure not in self._found.figures:
                self.draft.drop(table)
        hours = f"[{', '.join(map(str, self._found.intraday))}]"
        self.draft.put("volume", "intraday", hours, self._fitted(self._found.rows, ", dialogs by hour"))

    def _operators(self) -> None:
        """How many there are in the busiest hour, and all day: another bank’s shifts say nothing of these."""
        self.draft.drop("operators.shifts")
        self.draft.drop("operators.breaks")
        figures, put = self._found.figures, self.draft.put
        slots = figures.get("slots")
        if slots:
            put("operators", "slots", f"{max(1, round(slots.value))}", self._fitted(slots.rows, ", when busy"))
        if operators := figures.get("operators"):
            count = max(1, round(operators.value))
            put("operators", "count", f"{count}", self._fitted(operators.rows, ", in the busiest hour"))
        elif handling := figures.get("handling_time_s"):
            count = self._needed(handling, slots.value if slots else load(BASE).scenario.operators.slots)
            says = f"derived: {100 * BUSY:.0f} % of their places are taken in the peak hour"
            put("operators", "count", f"{count}", says)

    def _needed(self, handling: Estimate, slots: float) -> int:
        """Operators for the export's peak hour; `handling` has a row for everybody who was served.

        A call takes all places of its operator, a written dialog one.
        """
        figures, rows = self._found.figures, self._found.rows
        per_s = figures["dialogs_per_day"].value * figures["peak_hour_share"].value / 3600
        talk = figures.get("talk_s", Estimate(0.0, 0))
        talked_s, all_s = talk.value * talk.rows, handling.value * handling.rows
        return max(1, round(per_s / rows * (talked_s + (all_s - talked_s) / slots) / BUSY))

    def _channels(self) -> None:
        self.draft.drop("channels")
        largest, *others = self._found.shares
        shares = {channel: round(self._found.shares[channel], 5) for channel in others}
        for channel, share in ({largest: 1 - sum(shares.values())} | shares).items():
            self._channel(channel, share)
        if not self._found.bots:
            self.draft.put("bot", "contained", "0.0", self._fitted(self._found.rows, ", without a bot"))
        self.draft.drop("bot.service")

    def _channel(self, channel: str, share: float) -> None:
        table, put = f"channels.{channel}", self.draft.put
        put(table, "share", f"{share:.5f}", self._fitted(self._found.rows))
        if channel == "phone":
            self._calls()
        else:
            put(table, "bot", str(channel in self._found.bots).lower(), self._fitted(self._found.rows))
            speed, hand = (260, "52 words a minute on a desktop") if channel in DESKTOP else (180, "36 on a phone")
            put(table, "types_per_min", f"{speed}", f"{hand} (Palin et al. 2019)")
        if channel == "app":
            put(table, "drops", "0.15", "assumed")
            put(table, "away", '"20 s"', "assumed")
        for key, (value, says) in zip(LIMIT_KEYS, LIMITS.get(channel, ()), strict=False):
            put(table, key, f"{value}", says)

    def _departments(self) -> None:
        self.draft.drop("operators.teams")
        told = self._found.departments
        if told is None:
            return
        most = max(told.channels.values(), key=lambda sent: sent.rows).department
        for channel in self._found.shares:
            department, says = most, "assumed: nobody was taken there; where most of the largest channel go"
            if sent := told.channels.get(channel):
                department = sent.department
                says = self._fitted(sent.rows, f", {100 * sent.share:.0f} % of which went there")
            self.draft.put(f"channels.{channel}", "department", f'"{department}"', says)
        for team in told.teams:
            names = ", ".join(f'"{name}"' for name in team)
            says = f"fitted from {self._source.name}: {told.operators:,} operators"
            self.draft.add("operators.teams", "departments", f"[{names}]", says)

    def _calls(self) -> None:
        assumed = {"talk": ("talk_s", 194.0), "patience": ("call_patience_s", 300.0)}
        for key, (figure, otherwise) in assumed.items():
            known = self._found.figures.get(figure)
            says = self._fitted(known.rows) if known else "assumed"
            self.draft.put("channels.phone", key, _quantity(known.value if known else otherwise, "s"), says)
        self.draft.put("channels.phone", "again", "0.3", "assumed")
        self.draft.put("channels.phone", "again_after", '"2 min"', "assumed")

    def _ratings(self) -> None:
        rated, scores = self._found.figures.get("rated_share"), self._found.scores
        if rated is None or not scores:
            self.draft.drop("feedback")
            return
        self.draft.put("feedback", "share", _number(rated.value), self._fitted(rated.rows))
        self.draft.put("feedback", "scores", str(list(scores)), self._fitted(sum(scores)))
        if len(scores) == len(WORDS):
            self.draft.put("feedback", "request", '"Was this good or bad?"', "assumed")


def _feasible(draft: Draft, found: Estimates) -> str:
    """The draft's text; what is assumed of reading, typing and thinking gives way to what was measured."""
    base, here, scale = load(BASE).scenario, Path("what was fitted"), 1.0
    for _ in range(TRIES):
        try:
            parse(str(draft), here)
        except BadScenario as error:
            scale *= SHORTER
            if error.key == "dialog.duration":
                _shorten(draft, base, scale)
            elif error.key == "dialog.messages":
                messages = found.figures["messages"].value if "messages" in found.figures else base.dialog.messages
                says = "assumed: what was counted does not suffice for the bot's turns and the hand-over"
                draft.put("dialog", "messages", _number(messages / scale), says)
            else:
                raise
        else:
            break
    parse(str(draft), here)
    return str(draft)


def _shorten(draft: Draft, base: Scenario, scale: float) -> None:
    """Scale what is assumed of a dialog's work."""
    says = f"assumed: {BASE}'s, shortened so that it fits into the measured duration"
    people = base.operators
    for key, ms in (("accept", people.accept), ("thinking", people.thinking), ("wrap_up", people.wrap_up)):
        draft.put("operators", key, _quantity(ms * scale / 1000, "s"), says)
    draft.put("operators", "length", _number(people.length * scale), says)
    draft.put("dialog", "length", _number(base.dialog.length * scale), says)
    draft.put("dialog", "reads_per_min", _number(base.dialog.reads_per_min / scale), says)


def _number(value: float) -> str:
    return f"{float(f'{value:.5g}'):.10g}"


def _quantity(value: float, unit: str) -> str:
    return f'"{max(value, SHORTEST_S):.2f} {unit}"' if unit else _number(value)
