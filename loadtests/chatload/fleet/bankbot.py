"""The bank's own bot, played as the server that the platform asks: it answers, suggests, hands over, or fails.

What it makes of a message is the plan's to say, which the message's identity leads to; so it says the same when it is
asked again, and one worker's bot serves all.
"""

from functools import partial
from typing import Final

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.frames import encode
from chatload.fleet.identity import CUSTOMER, Identity, parse, sender_of
from chatload.fleet.ledger import Actor, subject_of
from chatload.fleet.server import Pending, Request, Server, reply
from chatload.fleet.world import World
from chatload.plan import BotSays

PATH: Final = "/ask"
TOO_LATE: Final = 2  # times the platform's patience: when who is slow answers


class _Question(msgspec.Struct):
    dialog: str
    text: str


_question: Final = msgspec.json.Decoder(_Question)


class BankBot:
    """Listens from `start` on; each question about a customer's message leaves an ASKED row."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actor = Actor(world, "bot")
        self._server = Server(self.answer, headers=True)
        service, bot = world.plan.scenario.bot.service, world.plan.scenario.bot
        self._late_ns = int(TOO_LATE * service.timeout * 1e6) if service is not None else 0
        self._again = bot.answers[0].keywords[0]
        self._answers = [(word.casefold(), answer) for answer in bot.answers for word in answer.keywords]

    async def start(self, host: str) -> str:
        """Listen; returns the URL to ask."""
        return await self._server.start(host) + PATH

    async def close(self) -> None:
        """Answer no more."""
        await self._server.close()

    def answer(self, request: Request) -> bytes | Pending:
        """The answer to a question of the platform."""
        if not request.bears(self._world.target.bot_token):
            return reply(401, b"{}")
        try:
            question = _question.decode(request.body)
        except msgspec.DecodeError:
            return reply(400, b"{}")
        text = question.text.rpartition("\n")[2]  # of several that came together the last
        identity = parse(text)
        says = self._says(identity)
        if says.kind != "slow":
            self._row(question, identity, says, request.stamp_ns, now_ns())
            return self._said(says, text)
        self._row(question, identity, says, request.stamp_ns, -1)
        pending = Pending()
        self._world.clock.at(request.stamp_ns + self._late_ns, partial(pending.give, self._said(says, text)))
        return pending

    def _says(self, identity: Identity | None) -> BotSays:
        if identity is None or identity.role != CUSTOMER or not self._world.planned(identity):
            return BotSays("answer")
        return self._world.plan.bot_says(identity.n, identity.counter - 1)

    def _said(self, says: BotSays, text: str) -> bytes:
        match says.kind:
            case "broken":
                return reply(500, b"{}")
            case "wrong":
                return reply(200, b'{"kind":"poem"}')
            case "handover":
                return reply(200, encode({"kind": "handover", "topic": says.topic}))
            case "suggestion":
                return reply(200, encode({"kind": "suggestion", "rule": "rephrase", "text": f"«{self._again}»?"}))
        lowered = text.casefold()
        found = next((answer for word, answer in self._answers if word in lowered), self._answers[0][1])
        return reply(200, encode({"kind": "answer", "rule": found.rule, "text": found.text}))

    def _row(
        self, question: _Question, identity: Identity | None, says: BotSays, started_ns: int, done_ns: int
    ) -> None:
        text = self._world.recorder.text
        self._actor.row(
            codes.ASKED, codes.OK if done_ns >= 0 else codes.INDETERMINATE, subject_of(self._world, question.dialog),
            started_ns, started=started_ns, done=done_ns, counter=identity.counter if identity else -1,
            sender=text(sender_of(identity, self._world.run)), reason=text(says.kind), rule=text(says.topic),
        )  # fmt: skip
