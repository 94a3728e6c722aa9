"""What became of the events that a simulated messenger posted: the rows of messages, new words and ratings."""

from chatload.fleet import codes
from chatload.fleet.ledger import Actor, Message, Rating
from chatload.fleet.providers.chat import Chat
from chatload.fleet.providers.webhooks import Update


class Posted:
    """Takes note of every attempt; each of its verbs, given what the event was, is what its `Update` is settled by."""

    def __init__(self, actor: Actor, method: str) -> None:
        self._actor = actor
        self._world = actor.world
        self._method = method

    def message(
        self, chat: Chat, message: Message, message_id: int, update: Update, outcome: int, done_ns: int, reason: str
    ) -> None:
        """A customer's message."""
        message.attempt, message.started_ns = update.attempt, update.started_ns
        self._actor.sent(message, outcome, done_ns, reason, provider_id=message_id, sender=self._customer(message))
        tally = self._world.tally
        if update.attempt == 1:
            tally.lag(update.started_ns - message.intended_ns)
        if outcome != codes.OK:
            tally.fail("accept", self._method, reason)
        elif not update.repeated:
            tally.add("accept", self._method, done_ns - message.intended_ns)
            tally.messages += 1
            if chat.customer is not None:
                chat.customer.acknowledged(message, done_ns)

    def edit(self, message: Message, message_id: int, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """A message's new words."""
        self.other(update, outcome, done_ns, reason)
        self._actor.row(
            codes.SEND, outcome, message.subject, update.started_ns, kind=codes.EDITED, started=update.started_ns,
            done=done_ns, counter=message.counter, cursor=1, attempt=update.attempt, provider_id=message_id,
            sender=self._customer(message), reason=self._world.recorder.text(reason),
        )  # fmt: skip

    def rating(self, rating: Rating, message_id: int, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """A score in a message."""
        self.other(update, outcome, done_ns, reason)
        rating.attempt, rating.started_ns = update.attempt, update.started_ns
        self._actor.rated(rating, outcome, done_ns, reason, provider_id=message_id)
        if outcome == codes.OK:
            rating.done()

    def other(self, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """Anything else: counted, not recorded."""
        if outcome == codes.OK:
            self._world.tally.add("update", self._method, done_ns - update.started_ns)
        else:
            self._world.tally.fail("update", self._method, reason)

    def _customer(self, message: Message) -> int:
        return self._world.recorder.text(f"c{message.subject.plan}")
