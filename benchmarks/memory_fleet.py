"""Memory of an open dialog in the fleet: 60,000 held open at once.

    python -m benchmarks.memory_fleet [DIALOGS]

Each customer has sent a message that was acknowledged, and waits for the answer, patience timer and all. Over Telegram
no customer has a socket. On the site each has: its own memory (picows, uvloop) is measured apart, as many connections
without a dialog, and taken off; where a process may not open as many files, there are as many as it may. More than one
address has ports for go to further addresses of 127/8. The result is the greater of the two. The plan, which is there
before anybody is, and the ledger's buffers do not count.
"""

import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from benchmarks import fleet_http
from benchmarks.fleet_side import dialog, server, side, world_of
from benchmarks.fleet_ws import ACK, WELCOME, sent
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

from chatload.fleet.customers import Customers
from chatload.fleet.live import Live
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.telegram import Telegram
from chatload.fleet.recorder import ROWS_PER_PART
from chatload.fleet.session import Session
from chatload.fleet.tally import resident_mb
from chatload.fleet.world import Target, World
from chatload.plan import Dialog, Turn
from chatload.process import raise_file_limit

PORT = 18_473
DIALOGS = 60_000
AT_LEAST_KB, AIM_KB = 8, 3
PER_ADDRESS = 20_000
UNDER_WAY = 200  # dials at once
TURNS = tuple(Turn(0.0, 60, "operator") for _ in range(8))


class Silent(WSListener):
    """Welcomes, acknowledges, and answers nothing else."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        message = sent.decode(frame.get_payload_as_bytes())
        if message.op == "hello":
            transport.send(WSMsgType.TEXT, WELCOME)
        elif message.op == "send":
            transport.send(WSMsgType.TEXT, ACK % (message.cid.encode(), 1))


def serve(port: int) -> None:
    async def run() -> None:
        raise_file_limit()
        listening = await ws_create_server(lambda _request: Silent(), "0.0.0.0", port, backlog=4096)
        await listening.serve_forever()

    uvloop.run(run())


def sockets_allowed() -> int:
    """How many sockets one process may hold here, besides some files."""
    return raise_file_limit() - 1_000


def target_of(position: int, port: int) -> Target:
    return Target(f"http://127.0.0.{1 + position // PER_ADDRESS}:{port}", "secret")


def planned(count: int, channel: str) -> list[Dialog]:
    first = 5_000_000_000 if channel == "telegram" else 0
    name = "" if channel == "telegram" else "u"
    return [dialog(index, f"{name}{first + index}", channel, TURNS) for index in range(count)]


async def hold(kind: str, count: int, port: int) -> float:
    """KB each of `count` dialogs ("web", "telegram") or of bare connections ("socket")."""
    with tempfile.TemporaryDirectory() as folder:
        world = world_of(Path(folder), planned(count, kind), target_of(0, port).url)
        for _ in range(2 * ROWS_PER_PART):
            world.recorder.put(0)
        await asyncio.sleep(1)  # the ledger's thread writes both buffers
        gc.collect()
        before_mb = resident_mb()
        kept = await (connect(count, port) if kind == "socket" else converse(world, kind, count, port))
        world.tally.report()
        gc.collect()
        grown_mb = resident_mb() - before_mb
        del kept
        world.recorder.close()
        return grown_mb * 1e3 / count


async def converse(world: World, kind: str, count: int, port: int) -> object:
    live = Live(world.tally)
    telegram = Telegram(world, "tg", Settings(repeat_share=0, other_share=0))
    telegram.begin()
    held = []
    for first in range(0, count, UNDER_WAY):
        world.target = target_of(first, port)
        some = world.plan.dialogs[first : first + UNDER_WAY]
        held.append(Customers(world, live, some, {"telegram": telegram.join, "web": Session}))
        held[-1].begin()
        while world.tally.messages < first + len(some):  # noqa: ASYNC110  the tally tells nobody
            await asyncio.sleep(0.001)
    return held, live, telegram


async def connect(count: int, port: int) -> object:
    async def one(position: int) -> object:
        url = target_of(position, port).socket_url
        return await ws_connect(
            lambda _request, _response: WSListener(), url, enable_auto_ping=True, read_buffer_init_size=2048,
            use_aiofastnet=False,
        )  # fmt: skip

    held = []
    for first in range(0, count, UNDER_WAY):
        held += await asyncio.gather(*(one(position) for position in range(first, min(count, first + UNDER_WAY))))
    return held


def main(argv: Sequence[str]) -> None:
    match argv:
        case ["hold", kind, count, port]:
            raise_file_limit()
            print(json.dumps({"kb": uvloop.run(hold(kind, int(count), int(port)))}))
        case _:
            show(int(argv[0]) if argv else DIALOGS)


def show(count: int) -> None:
    kb: dict[str, float] = {}
    sockets = min(count, sockets_allowed())
    for kind, serving, many in (
        ("telegram", fleet_http.serve, count),
        ("web", serve, sockets),
        ("socket", serve, sockets),
    ):
        with server(serving, PORT):
            time.sleep(0.5)
            kb[kind] = side("benchmarks.memory_fleet", "hold", kind, many, PORT, timeout_s=240)["kb"]
            print(f"{kind:9} {kb[kind]:6.2f} KB each of {many:,}", flush=True)
    without = kb["web"] - kb["socket"]
    details = {
        "dialogs": count, "telegram": round(kb["telegram"], 2), "on_sockets": sockets, "web": round(without, 2),
        "web_with_socket": round(kb["web"], 2),
    }  # fmt: skip
    result = {
        "line": "open dialogs: memory, fleet", "value": round(max(without, kb["telegram"]), 2), "unit": "KB",
        "at_least": AT_LEAST_KB, "aim": AIM_KB, "details": details,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
