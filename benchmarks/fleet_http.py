"""Dialog steps a second over a messenger's webhooks: the fleet beside Locust's FastHttpUser, which posts such a body.

    python -m benchmarks.fleet_http [ROUNDS]

A step of the fleet is all of it: the script's next turn with its intended time and words, the Update, the POST in its
lane, the answer, the SEND row, the tally, then the operator's reply on the customer's screen with its ENTRY row, on
which the script goes on. The reply is shown as the provider shows one, without its own HTTP request. Fifty chats beside
fifty users; a raw server that answers 200 without reading what it gets; one CPU for it, one for the side at work.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from benchmarks.fleet_side import AT_ONCE, RUN, compare, dialog, fleet_rate, rounds_of, world_of

from chatload.fleet.customers import Customers
from chatload.fleet.frames import Entry
from chatload.fleet.identity import Identity
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.live import Live
from chatload.fleet.providers.chat import Chat
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.telegram import Telegram
from chatload.fleet.session import Customer
from chatload.fleet.world import World
from chatload.plan import Turn

PORT = 18_471
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Answering(asyncio.Protocol):
    """Takes what ends like a JSON object for the end of a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer at the end of a request."""
        if data.endswith(b"}}"):
            self._transport.write(ANSWER)  # type: ignore[attr-defined]  # uvloop's own kind of transport


def serve(port: int) -> None:
    async def run() -> None:
        listening = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
        await listening.serve_forever()

    uvloop.run(run())


class Reader:
    """A customer to whom each message is answered as soon as the platform has it."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer
        self.chat: Chat | None = None

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        """The platform has it: show the reply."""
        self._customer.acknowledged(message, stamp_ns)
        if self.chat is not None:
            text = f"[{RUN}:o1:{message.counter}] the card is on its way and will be there on Monday"
            self.chat.show(text, self.chat.take_id(), stamp_ns)

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """The reply is on the screen."""
        self._customer.saw(entry, identity, stamp_ns)

    def failed(self, reason: str) -> None:
        """See Customer."""
        self._customer.failed(reason)


async def play(port: int, folder: Path) -> tuple[World, Live]:
    turns = (Turn(0.0, 60, "operator"),) * 1_000_000
    dialogs = [dialog(index, str(5_000_000_000 + index), "telegram", turns) for index in range(AT_ONCE)]
    world = world_of(folder, dialogs, f"http://127.0.0.1:{port}")
    live = Live(world.tally)
    telegram = Telegram(world, "tg", Settings(connections=AT_ONCE))
    telegram.begin()

    def join(actor: Actor, subject: Subject, customer: Customer) -> Chat:
        reader = Reader(customer)
        reader.chat = telegram.join(actor, subject, reader)
        return reader.chat

    Customers(world, live, tuple(dialogs), {"telegram": join}).begin()
    return world, live


def main(argv: Sequence[str]) -> None:
    match argv:
        case ["fleet", port]:
            fleet_rate(lambda folder: play(int(port), folder))
        case _:
            compare("fleet: full dialog steps/s over HTTP", "http", serve, PORT, rounds_of(argv))


if __name__ == "__main__":
    main(sys.argv[1:])
