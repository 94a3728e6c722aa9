"""The load schedule: which dialogs start when, decided before anything runs.

The rules. Customers arrive from outside: however slow the platform is, the next one comes when the plan says so, and
the plan is finished before the first socket opens. Starts are a Poisson process whose rate follows the hour of the
day. Everything random is drawn by key (seed, purpose, dialog, turn), never in sequence. Time is business time here
and becomes wall time in one place, where a step is scheduled. What cannot be planned (who owns a dialog, how the two
sides interleave, turns that never happen because a customer left) is not in the plan.

Why not simulated users who loop, as load tools have it? A user who waits for a slow platform sends less, so the load
falls exactly when the platform is in trouble and the worst latencies are never asked for. The operators are such a
closed population, because in life they are; the customers are not.

Why not equal gaps, or a fixed number of starts a second? Real arrivals bunch: with 50 starts a minute, minutes of 70
occur every few hours, and they are what queues are sized for. A metronome passes tests that the bank's Tuesday fails.

Why layers? Load 2 must be load 1 and as much again, or a comparison of the two measures the draw as well. A layer is
the stream of load 1, with its own block of indices; load 2.5 is two layers and of the third every dialog whose own
coin says so. Scaling one stream's rate would shift every start; drawing anew would change every dialog.

Why keyed draws? A sequential generator makes a dialog depend on how many draws came before it: on the order of
events, on the number of workers, on an abandoned turn. By key, an operator's process finds its answer from the index
in the customer's text alone, and any number of workers plays the same plan, each the customers of its residue class.

Why dialogs from before t0? Started empty, the floor needs several mean durations to fill, and the measured hour would
be the filling. We draw the arrivals of the hours before t0 too, and keep those that would still be open: their ages
are then right by construction, long dialogs over-represented as they are in life. Playing them from their true
beginnings would cost those hours, so each gets one opening turn in the ramp, waits, and goes on at t0 with the turns
still to come. They count for delivery and in operators' time, not in dialogs' KPIs. Discarding a warm-up instead would
cost as much time, with nothing to show for it.

Why is the index in the text, and `Plan.dialog` a lookup? Because a message must still be recognised after a platform
that we do not know has stored, split and forwarded it: the text is the one thing every platform keeps.
"""

from functools import cached_property, partial

from chatload.draws import Draws
from chatload.plan.arrivals import Rate, arrivals, layers, past_arrivals
from chatload.plan.dialogs import Dialogs
from chatload.plan.model import BotSays, Destination, Dialog, Reply
from chatload.plan.returning import returning
from chatload.plan.roster import Roster, Stint
from chatload.plan.texts import Keywords, Texts
from chatload.scenario import Part, Scenario, shape_of

PAST_DURATIONS = 8  # mean durations before t0 from which a dialog may still be open; longer ones are under 1 in 1,000


class Plan:
    """One run's dialogs, sorted by start, everything its operators will answer, and when these are on duty."""

    def __init__(
        self,
        scenario: Scenario,
        dialogs: list[Dialog],
        details: Dialogs,
        texts: Texts,
        horizon_ms: float,
        staff: Roster,
    ) -> None:
        self.scenario = scenario
        self.dialogs = tuple(sorted(dialogs, key=lambda dialog: (dialog.start_ms, dialog.index)))
        self.horizon_ms = horizon_ms
        self.staff = staff
        self.operators = staff.operators
        self.slots = scenario.operators.slots
        self._details = details
        self._texts = texts

    @cached_property
    def _by_index(self) -> dict[int, Dialog]:
        return {dialog.index: dialog for dialog in self.dialogs}

    def in_keywords(self) -> "Plan":
        """The same plan, whose texts say what a turn means, and nothing more."""
        words = Keywords(self.scenario, self._texts.draws)
        return Plan(self.scenario, list(self.dialogs), self._details, words, self.horizon_ms, self.staff)

    @property
    def seed(self) -> int:
        """What everything random in it is drawn with."""
        return self._texts.draws.seed

    def dialog(self, index: int) -> Dialog:
        """The dialog of this index; KeyError if the plan has none."""
        return self._by_index[index]

    def share(self, worker: int, workers: int) -> tuple[Dialog, ...]:
        """The dialogs that worker `worker` of `workers` plays: all of a customer's.

        Worker 0 also has the bank, and whoever it mails codes.
        """
        return tuple(dialog for dialog in self.dialogs if _player(dialog, workers) == worker)

    def roster(self, seat: int) -> tuple[Stint, ...]:
        """When the operator at `seat` (from 1) is on duty, in order; the same however many workers there are."""
        return self.staff.stints(seat)

    def reply(self, index: int, turn: int) -> Reply:
        """How the operator answers turn `turn` (from 0) of this dialog, with all that was written at once with it."""
        return self._details.reply(self._by_index[index], turn)

    def bot_says(self, index: int, turn: int) -> BotSays:
        """What the bank's own bot makes of turn `turn` (from 0) of this dialog."""
        return self._details.bot_says(self._by_index[index], turn)

    def accept_ms(self, index: int, offer: int) -> float:
        """How long an operator looks at the offer of this dialog that the platform numbers so."""
        return self._details.accept_ms(self._by_index[index], offer)

    def transfer(self, index: int, seat: int, at_ms: float) -> Destination | None:
        """Where the operator at `seat`, its first, sends this dialog on to, so long after t0; None if they keep it."""
        if not self._details.sends_on(index):
            return None
        dialog = self._by_index[index]
        there = partial(self.staff.is_there, at_ms=at_ms)
        return self._details.destination(dialog, self._topic_department(dialog), seat, self.operators, there)

    def _topic_department(self, dialog: Dialog) -> str:
        """The department of the topic with which the bot hands the dialog over; "" for its channel's."""
        bot, asks = self.scenario.bot, next((at for at, turn in enumerate(dialog.turns) if turn.to == "handover"), None)
        if asks is None or not bot.topics or not self.scenario.channels.played()[dialog.channel].bot:
            return ""
        if bot.menu is None:
            return bot.topics.get(self.bot_says(dialog.index, asks).topic, "")
        line = self.press(dialog.index, asks)
        return bot.menu.lines[int(line) - 1].department if line else ""

    def holds(self, index: int) -> bool:
        """Whether this dialog is put on hold while its operator prepares the first answer."""
        return self._details.holds(index)

    def wrap_up_ms(self, index: int) -> float:
        """From the last answer to the close."""
        return self._details.wrap_up_ms(index)

    def is_last(self, index: int, counter: int) -> bool:
        """Whether nothing is planned after the customer's message number `counter` (from 1) and its burst."""
        dialog = self._by_index[index]
        return counter >= len(dialog.turns) or dialog.burst(counter - 1).stop == len(dialog.turns)

    def burst(self, index: int, turn: int) -> range:
        """The turns (from 0) that are written at once with this one and get one answer."""
        return self._by_index[index].burst(turn)

    def text(self, index: int, turn: int) -> str:
        """The customer's words in turn `turn` (from 0); identity goes before them."""
        dialog = self._by_index[index]
        planned = dialog.turns[turn]
        asks_nothing = dialog.walks and turn == 0 and planned.to == "bot"  # which brings the menu up
        return self._texts.question(index, turn, "operator" if asks_nothing else planned.to, planned.length)

    def asking(self, index: int, turn: int) -> str:
        """How who is to show who they are asks for what only they may know."""
        return self._texts.asking(index, turn)

    def press(self, index: int, turn: int) -> str:
        """What a customer who walks the menu sends in turn `turn` (from 0) and nothing else; "" if they write words."""
        dialog = self._by_index[index]
        return self._texts.press(index, turn, dialog.turns[turn].to) if dialog.walks else ""

    def pressed(self, index: int, text: str) -> int | None:
        """The turn (from 0) in which who walks the menu sends just this; None if they never do."""
        dialog = self._by_index.get(index)
        if dialog is None or not dialog.walks or not text.isdecimal():
            return None
        turns = range(len(dialog.turns))
        return next((turn for turn in turns if self.press(index, turn) == text), None)

    def answer_text(self, index: int, turn: int, reply: Reply) -> str:
        """The operator's words in answer to turn `turn`, of the length that `reply` has."""
        return self._texts.answer(index, turn, reply.length)

    def expected_ms(self, dialog: Dialog) -> float:
        """How long the dialog takes, first step to end, if the platform takes no time."""
        return self._details.sends(dialog)[-1] - dialog.start_ms

    def expected_messages(self, dialog: Dialog) -> int:
        """Its messages of both sides: the customer's, and one answer to each, or to each burst."""
        return 2 * len(dialog.turns) - sum(turn.to == "more" for turn in dialog.turns)

    @property
    def main(self) -> tuple[Dialog, ...]:
        """The dialogs that start at t0 or later."""
        return tuple(dialog for dialog in self.dialogs if dialog.phase == "main")

    @property
    def ramp(self) -> tuple[Dialog, ...]:
        """The dialogs that are open at t0 already."""
        return tuple(dialog for dialog in self.dialogs if dialog.phase == "ramp")

    @property
    def messages(self) -> int:
        """Messages of both sides if every turn happens."""
        return sum(map(self.expected_messages, self.dialogs))


def _player(dialog: Dialog, workers: int) -> int:
    first = dialog.index if dialog.person is None else dialog.person
    return first % workers if dialog.proof is None else 0


def make_plan(
    scenario: Scenario,
    seed: int,
    part: Part,
    load: float,
    speed: float,
    duration_s: float,
    ramp_s: float,
    operators: int,
) -> Plan:
    """The plan of a run; the same arguments give the same plan everywhere.

    `duration_s` and `ramp_s` are wall seconds (they become business time by `speed`); `operators` is the whole floor,
    without those whom a surge adds, in the scenario's proportion.
    """
    shape, draws = shape_of(scenario), Draws(seed)
    details = Dialogs(scenario, shape, draws)
    rate = Rate(scenario, part, draws)
    horizon_ms, ramp_ms = duration_s * 1000 * speed, ramp_s * 1000 * speed
    surge = scenario.surge if part == "surge" else None
    persons = returning(scenario, details, draws, rate, layers(load, surge), horizon_ms)
    starts = arrivals(draws, rate, load, horizon_ms, surge)
    dialogs = [details.whole(index, start_ms, persons.get(index)) for index, start_ms in starts]
    if ramp_ms > 0:
        back_ms = PAST_DURATIONS * scenario.dialog.duration
        for index, start_ms in past_arrivals(draws, rate, load, back_ms):
            left = details.left_at_start(details.whole(index, start_ms), ramp_ms)
            if left is not None:
                dialogs.append(left)
    staff = Roster(scenario, part, draws, horizon_ms, operators, hired(scenario, part, operators))
    return Plan(scenario, dialogs, details, Texts(scenario, draws), horizon_ms, staff)


def hired(scenario: Scenario, part: Part, operators: int) -> int:
    """How many operators join a floor of `operators` in the surge, in the scenario's proportion; 0 in other parts."""
    surge = scenario.surge if part == "surge" else None
    return round(operators * (surge.operators / scenario.operators.count - 1)) if surge else 0
