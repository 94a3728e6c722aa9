"""What a messenger tells about replies afterwards: sent, delivered, read, failed; one by one or by watermark."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

from chatload.accounts import index_of
from chatload.draws import Draws, Purpose
from chatload.fleet import codes
from chatload.fleet.clock import MS
from chatload.fleet.frames import provider_number
from chatload.fleet.ledger import Actor
from chatload.fleet.providers.chat import Chat, Send, Sent
from chatload.fleet.providers.limits import share_of
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.webhooks import Settled, Update
from chatload.fleet.world import World

CV: Final = 1.0  # of the delays, about their means
_WORDLESS: Final = Send("", "")

Fate = list[tuple[str, int]]  # statuses, and how long after the reply each is posted


class Callback(NamedTuple):
    """A receipt that is due: the replies it covers, and who waits for its first answer."""

    chat: Chat
    status: str
    covered: list[Sent]
    due_ns: int
    early: Callable[[], None] | None


class Teller(Protocol):
    """A messenger that has receipts: `statuses` in their natural order, `watermarks` those that cover all before."""

    statuses: tuple[str, ...]
    watermarks: frozenset[str]

    def post_receipt(self, chat: Chat, status: str, covered: list[Sent], settled: Settled) -> None:
        """Tell the platform of a receipt; `covered` is one reply, or all that a watermark is the first to cover."""


class Receipts:
    """Draws what becomes of each reply, posts it, and leaves a CALLBACK row for each reply that an event covers."""

    def __init__(self, world: World, settings: Settings, teller: Teller, actor: Actor, method: str) -> None:
        self._world = world
        self._settings = settings
        self._teller = teller
        self._actor = actor
        self._method = method
        self._draws = Draws(world.plan.seed)

    def fate(self, chat: Chat) -> Fate:
        """What becomes of the chat's latest reply; empty if this messenger does not tell."""
        statuses, settings = self._teller.statuses, self._settings
        if not statuses:
            return []
        key = self._latest(chat)
        delivered_ns = int(self._drawn(settings.delivered_ms, Purpose.DELIVERED, chat) * MS)
        if self.fails(chat):
            return [("failed", delivered_ns)]
        read_ns = delivered_ns + self._world.wall(self._drawn(settings.read_ms, Purpose.READ, chat))
        times = {"sent": delivered_ns // 2, "delivered": delivered_ns, "read": read_ns}
        if share_of(f"read:{key}") >= settings.read_share:
            del times["read"]
        fate = [(status, times[status]) for status in statuses if status in times]
        if share_of(f"disorder:{key}") < settings.disorder_share:
            return list(zip((status for status, _ in reversed(fate)), (delay for _, delay in fate), strict=True))
        return fate

    def fails(self, chat: Chat) -> bool:
        """Whether the chat's latest reply never reaches anybody, and the platform is told so."""
        tells = "failed" in self._teller.statuses
        return tells and share_of(f"failed:{self._latest(chat)}") < self._settings.failed_share

    def begin(self, chat: Chat, sent: Sent, fate: Fate, early: Callable[[], None] | None) -> None:
        """Post the receipts when they are due; the first at once, if somebody waits for its answer: `early`."""
        bare = sent._replace(send=_WORDLESS)  # it may stay as long as the chat
        for status in self._teller.watermarks if fate[0][0] != "failed" else ():
            chat.uncovered = chat.uncovered or {}
            chat.uncovered.setdefault(status, []).append(bare)
        now = self._world.clock.now_ns()
        for status, delay_ns in fate:
            callback = Callback(chat, status, [sent], now if early else now + delay_ns, early)
            self._world.clock.at(callback.due_ns, partial(self._due, callback))
            early = None

    def is_early(self, chat: Chat) -> bool:
        """Whether the latest reply's first receipt comes before the answer to the send."""
        return share_of(f"early:{self._latest(chat)}") < self._settings.early_share

    def _drawn(self, mean: float, purpose: Purpose, chat: Chat) -> float:
        return self._draws.lognormal(mean, CV, purpose, _number(chat), chat.sends) if mean else 0.0

    def _latest(self, chat: Chat) -> str:
        """The key of draws about the chat's latest reply."""
        return f"{self._draws.seed}:{_number(chat)}:{chat.sends}"

    def _due(self, callback: Callback) -> None:
        chat, status = callback.chat, callback.status
        if status in self._teller.watermarks and chat.uncovered is not None:
            callback = callback._replace(covered=chat.uncovered.pop(status, []))
        covered = callback.covered
        if not covered:  # a watermark has told it already
            if callback.early is not None:
                callback.early()
            return
        self._teller.post_receipt(chat, status, covered, partial(self._settled, callback))

    def _settled(self, callback: Callback, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        if callback.early is not None and update.attempt == 1:
            callback.early()
        if outcome == codes.OK:
            self._world.tally.add("receipt", self._method, done_ns - callback.due_ns)
        else:
            self._world.tally.fail("receipt", self._method, reason)
        for sent in callback.covered:
            self._actor.row(
                codes.CALLBACK, outcome, callback.chat.subject, update.started_ns, intended=callback.due_ns,
                started=update.started_ns, done=done_ns, provider_id=provider_number(sent.id), attempt=update.attempt,
                reason=self._world.recorder.text(callback.status),
            )  # fmt: skip


def _number(chat: Chat) -> int:
    """Whose draws a chat's are: its dialog's; of who plays none, their own number with the messenger."""
    subject = chat.subject
    if subject.planned:
        return subject.plan
    account, _, user = subject.contact.partition("/")
    return index_of(account, user) or subject.plan
