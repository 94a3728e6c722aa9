"""What happens in one planned dialog: who, where, which turns; and what is left of one that began before t0."""

from itertools import accumulate
from typing import Final, Literal

from msgspec.structs import replace

from chatload.accounts import user_of
from chatload.draws import Draws, Purpose
from chatload.plan.model import Attachment, BotSays, Call, Destination, Dialog, Rating, Reply, To, Turn
from chatload.plan.proofs import proven
from chatload.scenario import Channel, Scenario, Shape
from chatload.scenario.channels import Phone
from chatload.scenario.shape import MS_PER_MIN, bot_length

LONGEST: Final = 1000  # characters of one message
ODD: Final[tuple[Literal["slow", "broken", "wrong", "suggestion"], ...]] = ("slow", "broken", "wrong", "suggestion")
REACT_CV: Final = 0.6
TALK_CV: Final = 0.6
PATIENCE_CV: Final = 0.5
FORESEEN: Final = 0  # the offer that stands for those whose numbers nobody knows yet
SMALLEST, SIZES = 256, 20_000  # bytes of an attachment, and by how many it may be larger
SOCKETS: Final = frozenset({"web", "app"})
WITHOUT_FILES: Final = frozenset({"sms"})
IDLE_SHARE: Final = 0.8  # of the inactivity time: who means to go on writes before the platform gives them up


class Dialogs:
    """Makes dialogs and operators' answers of one scenario and seed; every method is a pure function."""

    def __init__(self, scenario: Scenario, shape: Shape, draws: Draws) -> None:
        self._scenario = scenario
        self._shape = shape
        self._draws = draws
        self._played = scenario.channels.played()
        self._written = scenario.channels.written()
        self._bot_reading_ms = bot_length(scenario) / scenario.dialog.reads_per_min * MS_PER_MIN

    def whole(self, index: int, start_ms: float) -> Dialog:
        """The dialog of this index from its first turn on."""
        scenario, draws = self._scenario, self._draws
        name = self._channel(index)
        has_bot = self._played[name].bot
        contained = has_bot and draws.happens(scenario.bot.contained, Purpose.CONTAINED, index)
        phone = scenario.channels.calls() if name == "phone" else None
        patience_ms = scenario.patience.queue if phone is None else phone.patience
        dialog = Dialog(
            index=index,
            user=user_of(index, name),
            channel=name,
            phase="ramp" if start_ms < 0 else "main",
            start_ms=start_ms,
            hold_ms=0.0,
            turns=() if phone else self._turns(index, name, has_bot, contained),
            contained=contained,
            patience_ms=draws.exponential(patience_ms, Purpose.PATIENCE, index),
            reply_patience_ms=draws.lognormal(scenario.patience.reply, PATIENCE_CV, Purpose.REPLY_PATIENCE, index),
            silent=draws.happens(scenario.patience.silent, Purpose.SILENT, index),
            call=self._call(index, phone) if phone else None,
            rating=None if contained or phone else self._rating(index),
            walks=has_bot and self._walks(index, name),
        )
        return proven(dialog, scenario, self._shape, draws) if contained else dialog

    def _call(self, index: int, phone: Phone) -> Call:
        again = self._draws.happens(phone.again, Purpose.AGAIN, index)
        again_ms = self._draws.exponential(phone.again_after, Purpose.AGAIN_TIME, index)
        talk_ms = self._draws.lognormal(phone.talk, TALK_CV, Purpose.TALK, index)
        return Call(talk_ms, again_ms if again else None)

    def _walks(self, index: int, channel: Channel) -> bool:
        menu = self._scenario.bot.menu
        return menu is not None and channel in SOCKETS and self._draws.happens(menu.walks, Purpose.WALKS, index)

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
        people, draws, index = self._scenario.operators, self._draws, dialog.index
        length = self._reply_length(index, turn)
        reading_and_typing = dialog.turns[turn].length / people.reads_per_min + length / people.types_per_min
        return Reply(
            react_ms=reading_and_typing * MS_PER_MIN
            + draws.lognormal(people.thinking, REACT_CV, Purpose.REACT, index, turn),
            length=length,
            attachment=self._attachment(dialog, turn) if people.attachment_share else None,
        )

    def _attachment(self, dialog: Dialog, turn: int) -> Attachment | None:
        share, draws = self._scenario.operators.attachment_share, self._draws
        point = draws.uniform(Purpose.ATTACHMENT, dialog.index, turn)
        if point >= share or dialog.channel in WITHOUT_FILES:
            return None
        size = SMALLEST + int(SIZES * draws.uniform(Purpose.ATTACHMENT_SIZE, dialog.index, turn))
        return Attachment("png" if point < share / 2 else "pdf", size)

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

    def transfer(self, dialog: Dialog, seat: int, seats: int) -> Destination | None:
        """Where the operator at `seat` sends this dialog on to, with `seats` there are; None if they keep it."""
        index, draws = dialog.index, self._draws
        if not draws.happens(self._scenario.operators.transfer_share, Purpose.TRANSFER, index):
            return None
        point = draws.uniform(Purpose.DESTINATION, index)
        found = self._destinations(dialog.channel)
        if found:
            return found[int(point * len(found))]
        other = 1 + int(point * (seats - 1))  # of all seats but this one
        return Destination(operator=f"o{other + (other >= seat)}") if seats > 1 else None

    def holds(self, index: int) -> bool:
        """Whether the operator puts this dialog on hold."""
        return self._draws.happens(self._scenario.operators.hold_share, Purpose.HOLD, index)

    def _destinations(self, channel: Channel) -> list[Destination]:
        """The other departments and the skills that a dialog of the channel can be sent on to."""
        asked, operators = self._played[channel], self._scenario.operators
        own = asked.department
        if own in operators.internal:
            return []
        departments = dict.fromkeys(name for team in operators.teams for name in team.departments if name != own)
        skills = dict.fromkeys(name for team in operators.teams for name in team.skills if name != asked.skill)
        found = [(Destination(department=name), (name, "", asked.language)) for name in departments]
        found += [(Destination(skill=name), (own, name, asked.language)) for name in skills]
        return [to for to, wish in found if any(team.fits(*wish) for team in operators.teams)]

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
        for position, turn in enumerate(dialog.turns):
            now_ms += turn.think_ms
            moments.append(now_ms)
            if turn.to != "bot":
                accept_ms = self.accept_ms(dialog, FORESEEN) if turn.to == "handover" else 0.0
                now_ms += self.reply(dialog, position).react_ms + accept_ms
        return [*moments, now_ms if dialog.contained else now_ms + self.wrap_up_ms(dialog.index)]

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
        past = sum(1 for moment in sends if moment < 0) or 1
        to_come = dialog.turns[past:]
        with_operator = any(turn.to == "handover" for turn in dialog.turns[:past])
        opening = replace(dialog.turns[0], to="handover" if with_operator else "bot")
        hold_ms = max(0.0, sends[past]) if to_come else 0.0
        start_ms = self._introduced(dialog.index, ramp_ms, hold_ms)
        return replace(dialog, start_ms=start_ms, hold_ms=hold_ms, turns=(opening, *to_come), proof=None)

    def _introduced(self, index: int, ramp_ms: float, hold_ms: float) -> float:
        """Somewhere in the ramp, but so late that the hold does not look like inactivity."""
        idle_ms = IDLE_SHARE * self._scenario.timers.inactivity
        earliest_ms = max(-ramp_ms, min(hold_ms - idle_ms, -1.0))
        return earliest_ms * self._draws.uniform(Purpose.INTRODUCED, index)

    def _channel(self, index: int) -> Channel:
        point, channels = self._draws.uniform(Purpose.CHANNEL, index), list(self._shape.mix)
        for name in channels[:-1]:
            point -= self._shape.mix[name]
            if point < 0:
                return name
        return channels[-1]

    def _turns(self, index: int, channel: Channel, has_bot: bool, contained: bool) -> tuple[Turn, ...]:
        bot, draws = self._scenario.bot, self._draws
        if contained:
            with_bot, with_operator = draws.count(bot.turns_contained, 1, Purpose.BOT_TURNS, index), 0
        else:
            with_bot = draws.count(bot.turns_before, 1, Purpose.BOT_TURNS, index) if has_bot else 0
            least = 1 if self._shape.operator_turns >= 1 else 0
            with_operator = draws.count(self._shape.operator_turns, least, Purpose.OPERATOR_TURNS, index)
        turns = [self._turn(index, turn, channel, "bot", turn > 0) for turn in range(with_bot)]
        if not contained:
            turns.append(self._turn(index, with_bot, channel, "handover", with_bot > 0))
            for turn in range(with_bot + 1, with_bot + 1 + with_operator):
                turns.append(self._turn(index, turn, channel, "operator", True))
        return tuple(turns)

    def _turn(self, index: int, turn: int, channel: Channel, to: To, after_answer: bool) -> Turn:
        shape, draws = self._scenario.dialog, self._draws
        length = min(
            LONGEST, max(1, round(draws.lognormal(shape.length, shape.length_cv, Purpose.LENGTH, index, turn)))
        )
        think_ms = length / self._written[channel].types_per_min * MS_PER_MIN
        if after_answer:
            think_ms += self._reading_ms(index, turn, to)
            think_ms += draws.lognormal(self._shape.thinking_ms, shape.thinking_cv, Purpose.THINKING, index, turn)
            think_ms = min(think_ms, IDLE_SHARE * self._scenario.timers.inactivity)
        return Turn(think_ms, length, to, self._drop_ms(index, turn, channel))

    def _reading_ms(self, index: int, turn: int, to: To) -> float:
        """Reading the answer to the turn before."""
        if to != "operator":
            return self._bot_reading_ms
        return self._reply_length(index, turn - 1) / self._scenario.dialog.reads_per_min * MS_PER_MIN

    def _reply_length(self, index: int, turn: int) -> int:
        drawn = self._draws.lognormal(
            self._scenario.operators.length, self._scenario.dialog.length_cv, Purpose.REPLY_LENGTH, index, turn
        )
        return min(LONGEST, max(1, round(drawn)))

    def _drop_ms(self, index: int, turn: int, channel: Channel) -> float | None:
        app = self._scenario.channels.app
        if channel != "app" or app is None or not self._draws.happens(app.drops, Purpose.DROP, index, turn):
            return None
        return self._draws.exponential(app.away, Purpose.DROP_TIME, index, turn)
