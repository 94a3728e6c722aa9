"""Dialog steps a second over WebSockets: the fleet beside Locust with websocket-client, which exchanges such frames.

    python -m benchmarks.fleet_ws [ROUNDS]

A step of the fleet is all of it: the script's next turn with its intended time and words, the frame, the
acknowledgement with its SEND row, the bot's entry with its ENTRY row, the tally, and on to the next turn. A step of a
Locust user is the same frame sent, the two received and not even parsed, and the request event that puts it into
Locust's statistics. Fifty sockets each, against the same server; one CPU for it, one for the side at work.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop
from benchmarks.fleet_side import AT_ONCE, compare, dialog, fleet_rate, rounds_of, world_of
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from chatload.fleet.customers import Customers
from chatload.fleet.live import Live
from chatload.fleet.session import Session
from chatload.fleet.world import World
from chatload.plan import Turn

PORT = 18_472
WELCOME = b'{"op":"welcome","contact":"web/u1","dialog":0,"state":"none","cursor":null}'
ACK = b'{"op":"ack","cid":"%b","dialog":"web/u1#1","seq":%d}'
ENTRY = (
    b'{"op":"entry","dialog":"web/u1#1","seq":%d,"kind":"message","author":"bot","at":1795000000000,"id":"",'
    b'"cause":{"seq":%d,"rule":"bot:balance"},"text":"Your balance is on the main screen, next to the card."}'
)


class Sent(msgspec.Struct):
    """What the server reads of a frame."""

    op: str
    cid: str = ""


sent = msgspec.json.Decoder(Sent)


class Answering(WSListener):
    """Welcomes, then acknowledges every frame and answers it."""

    def __init__(self) -> None:
        self._seq = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        message = sent.decode(frame.get_payload_as_bytes())
        if message.op == "hello":
            transport.send(WSMsgType.TEXT, WELCOME)
            return
        self._seq += 2
        transport.send(WSMsgType.TEXT, ACK % (message.cid.encode(), self._seq - 1))
        transport.send(WSMsgType.TEXT, ENTRY % (self._seq, self._seq - 1))


def serve(port: int) -> None:
    async def run() -> None:
        listening = await ws_create_server(lambda _request: Answering(), "127.0.0.1", port)
        await listening.serve_forever()

    uvloop.run(run())


async def play(port: int, folder: Path) -> tuple[World, Live]:
    turns = (Turn(0.0, 60, "bot"),) * 1_000_000
    dialogs = [dialog(index, f"u{index}", "web", turns) for index in range(AT_ONCE)]
    world = world_of(folder, dialogs, f"http://127.0.0.1:{port}")
    live = Live(world.tally)
    Customers(world, live, tuple(dialogs), {"web": Session}).begin()
    return world, live


def main(argv: Sequence[str]) -> None:
    match argv:
        case ["fleet", port]:
            fleet_rate(lambda folder: play(int(port), folder))
        case _:
            compare("fleet: dialog steps/s over WebSockets", "ws", serve, PORT, rounds_of(argv))


if __name__ == "__main__":
    main(sys.argv[1:])
