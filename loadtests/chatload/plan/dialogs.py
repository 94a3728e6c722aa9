"""What happens in one planned dialog: who, where, which turns; and what is left of one that began before t0."""

from collections.abc import Callable
from itertools import accumulate
from typing import Final, Literal

from msgspec.structs import replace

from chatload.accounts import user_of
from chatload.draws import Draws, Purpose
from chatload.plan.model import Attachment, BotSays, Call, Destination, Dialog, Rating, Reply
from chatload.plan.proofs import proven
from chatload.plan.turns import IDLE_SHARE, WITHOUT_FILES, Turns, drawn_file
from chatload.scenario import Channel, Scenario, Shape
from chatload.scenario.channels import Phone
from chatload.scenario.shape import MS_PER_MIN

ODD: Final[tuple[Literal["slow", "broken", "wrong", "suggestion"], ...]] = ("slow", "broken", "wrong", "suggestion")
REACT_CV: Final = 0.6
TALK_CV: Final = 0.6
PATIENCE_CV: Final = 0.5
GIVEN_UP: Final = 1.25  # inactivity times after which the platform has closed a dialog, however slow it is
FORESEEN: Final = 0  # the offer that stands for those whose numbers nobody knows yet
SOCKETS: Final = frozenset({"web", "app"})


class Dialogs:
    """Makes dialogs and operators' answers of one scenario and seed; every method is a pure function."""

    def __init__(self, scenario: Scenario, shape: Shape, draws: Draws) -> None:
        self._scenario = scenario
        self._shape = shape
        self._draws = draws
        self._played = scenario.channels.played()
        self._turns = Turns(scenario, shape, draws)

    def whole(self, index: int, start_ms: float, person: int | None = None) -> Dialog:
        """The dialog of this index from its first turn on; `person` is whose, if they had one before."""
        scenario, draws = self._scenario, self._draws
        name = self.channel(index)
        has_bot = self._played[name].bot
        contained = has_bot and draws.happens(scenario.bot.contained, Purpose.CONTAINED, index)
        phone = scenario.channels.calls() if name == "phone" else None
        patience_ms = scenario.patience.queue if phone is None else phone.patience
        dialog = Dialog(
            index=index,
            user=user_of(index if person is None else person, name),
            channel=name,
            phase="ramp" if start_ms < 0 else "main",
            start_ms=start_ms,
            hold_ms=0.0,
            turns=() if phone else self._turns.of(index, name, contained),
            contained=contained,
            patience_ms=draws.exponential(patience_ms, Purpose.PATIENCE, index),
            reply_patience_ms=draws.lognormal(scenario.patience.reply, PATIENCE_CV, Purpose.REPLY_PATIENCE, index),
            silent=draws.happens(scenario.patience.silent, Purpose.SILENT, index),
            call=self._call(index, phone) if phone else None,
            rating=None if contained or phone else self._rating(index),
            walks=has_bot and self._walks(index, name),
            person=person,
        )
        return proven(dialog, scenario, self._shape, draws) if contained else dialog

    def _call(self, index: int, phone: Phone) -> Call:
        again = self._draws.happens(phone.again, Purpose.AGAIN, index)
        again_ms = self._draws.exponential(phone.again_after, Purpose.AGAIN_TIME, index)
        talk_ms = self._draws.lognormal(phone.talk, TALK_CV, Purpose.TALK, index)
        return Call(talk_ms, again_ms if again else None)

    def _walks(self, index: int, channel: Channel) -> bool:
        menu = self._scenario.bot.menu
        if menu is None or channel == "email":  # a mail's number would stand below its subject
            return False
        share = menu.walks if channel in SOCKETS else menu.walks_in_messengers
        return self._draws.happens(share, Purpose.WALKS, index)

    def _rating(self, index: int) -> Rating | None:
        """How the customer of an operator rates, if they do."""
        asked, draws = self._scenario.feedback, self._draws
        if asked is None or not draws.happens(asked.share, Purpose.RATES, index):
            return None
        point = draws.uniform(Purpose.SCORE, index) * sum(asked.scores)
        score = next(at for at, upto in enumerate(accumulate(asked.scores), 1) if point < upto)
        return Rating(score, draws.lognormal(asked.after, REACT_CV, Purpose.RATE_TIME, index))

    def reply(self, dialog: Dialog, turn: int) -> Reply:
        """How the operator answers this turn."""
        length = dialog.turns[turn].answer or self._turns.answer(dialog.index, turn)  # what a bot failed to answer, too
        return Reply(self._react_ms(dialog, dialog.burst(turn), length), length, self._attachment(dialog, turn))

    def _react_ms(self, dialog: Dialog, burst: range, length: int) -> float:
        """From these turns on screen to an answer of so many characters."""
        people, first = self._scenario.operators, burst.start
        written = dialog.turns[first].length
        if len(burst) > 1:
            written += sum(dialog.turns[part].length for part in burst[1:])
        reading_and_typing = written / people.reads_per_min + length / people.types_per_min
        think_ms = self._draws.lognormal(people.thinking, REACT_CV, Purpose.REACT, dialog.index, first)
        return reading_and_typing * MS_PER_MIN + think_ms

    def _attachment(self, dialog: Dialog, turn: int) -> Attachment | None:
        share, draws, index = self._scenario.operators.attachment_share, self._draws, dialog.index
        if not share or dialog.channel in WITHOUT_FILES:
            return None
        return drawn_file(draws, share, Purpose.ATTACHMENT, Purpose.ATTACHMENT_SIZE, index, turn)

    def bot_says(self, dialog: Dialog, turn: int) -> BotSays:
        """What the bank's own bot makes of this turn."""
        service, draws = self._scenario.bot.service, self._draws
        to = dialog.turns[turn].to
        if service is None:
            return BotSays("answer" if to == "bot" else "handover")
        point = draws.uniform(Purpose.BOT_SAYS, dialog.index, turn)
        suggests = service.suggests if to == "bot" else 0.0
        for kind, share in zip(ODD, (service.slow, service.broken, service.wrong, suggests), strict=True):
            if point < share:
                return BotSays(kind)
            point -= share
        topics = list(service.topics)
        if to == "bot" or not topics:
            return BotSays("answer" if to == "bot" else "handover")
        return BotSays("handover", topics[int(draws.uniform(Purpose.TOPIC, dialog.index) * len(topics))])

    def accept_ms(self, dialog: Dialog, offer: int) -> float:
        """From the offer of this number to its acceptance; who lets one lapse is no slower with the next."""
        return self._draws.lognormal(self._scenario.operators.accept, REACT_CV, Purpose.ACCEPT, dialog.index, offer)

    def sends_on(self, index: int) -> bool:
        """Whether the operator sends this dialog on."""
        return self._draws.happens(self._scenario.operators.transfer_share, Purpose.TRANSFER, index)

    def destination(
        self, dialog: Dialog, department: str, seat: int, seats: int, there: Callable[[int], bool]
    ) -> Destination | None:
        """Where the operator at `seat`, of `seats`, sends this dialog on to; None if nobody else is there to take it.

        `department`: where it is, "" for its channel's. `there`: whether the operator at a seat is on duty.
        """
        asked, teams = self._played[dialog.channel], self._scenario.operators.teams
        draw = self._draws.uniform(Purpose.DESTINATION, dialog.index)

        def taker(wish: tuple[str, str, str]) -> int | None:
            """Somebody on duty who may have what asks for this, of all who may about as often."""
            around = ((int(draw * seats) + step) % seats + 1 for step in range(seats))
            return next((n for n in around if n != seat and teams[(n - 1) % len(teams)].fits(*wish) and there(n)), None)

        own = (department or asked.department, asked.skill, asked.language)
        if elsewhere := self._elsewhere(*own):
            found = [to for to, wish in elsewhere if taker(wish)]
            return found[int(draw * len(found))] if found else None
        colleague = taker(own)
        return Destination(operator=f"o{colleague}") if colleague else None

    def holds(self, index: int) -> bool:
        """Whether the operator puts this dialog on hold."""
        return self._draws.happens(self._scenario.operators.hold_share, Purpose.HOLD, index)

    def _elsewhere(self, own: str, skill: str, language: str) -> list[tuple[Destination, tuple[str, str, str]]]:
        """The other departments and the skills that a dialog can be sent on to, and what it asks for then.

        Never an internal department, which is for employees alone, nor one that only answers calls, whose people they
        would keep from them; and an employee's dialog stays in its own.
        """
        operators, phone = self._scenario.operators, self._scenario.channels.calls()
        if own in operators.internal:
            return []
        departments = dict.fromkeys(name for team in operators.teams for name in team.departments)
        skills = dict.fromkeys(name for team in operators.teams for name in team.skills if name != skill)
        written = {channel.department for channel in self._scenario.channels.written().values()}
        written.update(self._scenario.bot.topics.values())
        calls = () if phone is None or phone.department in written else (phone.department,)
        elsewhere = [name for name in departments if name not in (own, *operators.internal, *calls)]
        found = [(Destination(department=name), (name, "", language)) for name in elsewhere]
        found += [(Destination(skill=name), (own, name, language)) for name in skills]
        return [(to, wish) for to, wish in found if any(team.fits(*wish) for team in operators.teams)]

    def wrap_up_ms(self, index: int) -> float:
        """From the last answer to the close."""
        people, draws = self._scenario.operators, self._draws
        if people.wrap_up_law == "exponential":
            return draws.exponential(people.wrap_up, Purpose.WRAP_UP, index)
        return draws.lognormal(people.wrap_up, REACT_CV, Purpose.WRAP_UP, index)

    def sends(self, dialog: Dialog) -> list[float]:
        """When each turn would be sent, and last when the dialog would end, if the platform took no time at all."""
        now_ms, moments = dialog.start_ms, []
        if dialog.call is not None:
            return [now_ms + self.accept_ms(dialog, FORESEEN) + dialog.call.talk_ms]
        for burst in dialog.bursts():
            for position in burst:
                now_ms += dialog.turns[position].think_ms
                moments.append(now_ms)
            asked = dialog.turns[burst.start]
            if asked.to != "bot":
                accept_ms = self.accept_ms(dialog, FORESEEN) if asked.to == "handover" else 0.0
                now_ms += self._react_ms(dialog, burst, asked.answer) + accept_ms
        return [*moments, now_ms if dialog.contained else now_ms + self.wrap_up_ms(dialog.index)]

    def over_ms(self, dialog: Dialog) -> float:
        """When a dialog is over for certain, and its customer gone, if the platform takes no time of its own.

        Nobody sees the end in a messenger, nor after going without a word: there it is the inactivity time later.
        """
        end_ms = self.sends(dialog)[-1]
        if dialog.rating is not None:
            return end_ms + dialog.rating.after_ms
        seen = dialog.channel in SOCKETS and not (dialog.contained and dialog.silent)
        return end_ms if seen else end_ms + GIVEN_UP * self._scenario.timers.inactivity

    def left_at_start(self, dialog: Dialog, ramp_ms: float) -> Dialog | None:
        """What is left at t0 of a dialog that began before: an opening turn in the ramp, then the turns still to come.

        Of a call, what is left of the talk. None if it was over by then.
        """
        *sends, end_ms = self.sends(dialog)
        if end_ms <= 0:
            return None
        if dialog.call is not None:
            start_ms = self._introduced(dialog.index, ramp_ms, end_ms)
            return replace(dialog, start_ms=start_ms, hold_ms=end_ms, call=Call(0.0, None))
        past = dialog.burst((sum(1 for moment in sends if moment < 0) or 1) - 1).stop
        to_come = dialog.turns[past:]
        with_operator = any(turn.to == "handover" for turn in dialog.turns[:past])
        opening = replace(dialog.turns[0], to="bot", answer=0)
        if with_operator:
            opening = replace(opening, to="handover", answer=self._turns.answer(dialog.index, 0))
        hold_ms = max(0.0, sends[past]) if to_come else 0.0
        start_ms = self._introduced(dialog.index, ramp_ms, hold_ms)
        return replace(dialog, start_ms=start_ms, hold_ms=hold_ms, turns=(opening, *to_come), proof=None)

    def _introduced(self, index: int, ramp_ms: float, hold_ms: float) -> float:
        """Somewhere in the ramp, but so late that the hold does not look like inactivity."""
        idle_ms = IDLE_SHARE * self._scenario.timers.inactivity
        earliest_ms = max(-ramp_ms, min(hold_ms - idle_ms, -1.0))
        return earliest_ms * self._draws.uniform(Purpose.INTRODUCED, index)

    def channel(self, index: int) -> Channel:
        """Where the dialog of this index takes place."""
        point, channels = self._draws.uniform(Purpose.CHANNEL, index), list(self._shape.mix)
        for name in channels[:-1]:
            point -= self._shape.mix[name]
            if point < 0:
                return name
        return channels[-1]
