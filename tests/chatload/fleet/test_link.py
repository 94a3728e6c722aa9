"""One party's socket: whole frames, pings, and who may not come back."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_create_server,
)

from chatload.fleet import link
from chatload.fleet.clock import now_ns
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.link import Link
from chatload.fleet.world import Target
from tests.chatload.fleet.stage import Row, Stage, columns, of, rows

Answer = Callable[[WSTransport], None]


class Server(WSListener):
    """Answers a hello with whatever the test wants; keeps the frames that came."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.kinds: list[WSMsgType] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.kinds.append(WSMsgType(frame.msg_type))
        if len(self.kinds) == 1:
            self.answer(transport)


class Party:
    """Remembers what its link tells it; the first frame is the welcome."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.payloads: list[bytes] = []
        self.reasons: list[str] = []

    def hello(self) -> bytes:
        return b"hello"

    def heard(self, payload: bytes, stamp_ns: int) -> None:
        self.payloads.append(payload)
        if self.link is not None:
            self.link.welcomed(stamp_ns)

    def broken(self, reason: str) -> None:
        self.reasons.append(reason)

    def refused(self, reason: str) -> None:
        self.reasons.append(f"refused: {reason}")


def linked(folder: Path, answer: Answer, enough: Callable[[Party, Server], bool]) -> tuple[Party, Server, list[Row]]:
    """A party linked to a server that answers so, when enough has happened."""
    party, server = Party(), Server(answer)

    async def run() -> None:
        stage = Stage(folder, [])
        await stage.open()
        listening = await ws_create_server(lambda _request: server, "127.0.0.1", 0, enable_auto_pong=False)
        stage.world.target = Target(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        party.link = Link(Actor(stage.world, "o1"), party, "/v1/desk", Subject(stage.world, ""))
        party.link.open(now_ns())
        await stage.until(lambda: enough(party, server))
        party.link.record(1)
        party.link.shut()
        listening.close()
        await stage.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return party, server, rows(folder)


def test_a_frame_in_pieces_is_heard_whole(tmp_path: Path) -> None:
    """Fragments with a ping in between make one payload, and the ping is answered."""

    def answer(transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, b"wel", fin=False)
        transport.send(WSMsgType.PING, b"there?")
        transport.send(WSMsgType.CONTINUATION, b"co", fin=False)
        transport.send(WSMsgType.CONTINUATION, b"me")
        transport.send(WSMsgType.TEXT, b"next")

    party, server, _ = linked(
        tmp_path, answer, lambda party, server: len(party.payloads) == 2 and len(server.kinds) > 1
    )
    assert party.payloads == [b"welcome", b"next"]
    assert server.kinds[:2] == [WSMsgType.TEXT, WSMsgType.PONG]


def test_a_server_that_goes_down_is_dialled_again(tmp_path: Path) -> None:
    """A close that says "later" breaks the link for a while: the code is the reason, and another dial follows."""

    def answer(transport: WSTransport) -> None:
        transport.send_close(WSCloseCode.SERVICE_RESTART)

    party, _, ledger = linked(tmp_path, answer, lambda party, server: len(server.kinds) >= 3)
    assert party.reasons[0] == "1012"
    dials = of(ledger, "CONNECT", outcome="INDETERMINATE")
    assert columns(dials[:1], "reason", "epoch") == [("1012", 1)]


def test_a_party_that_is_not_wanted_gives_up(tmp_path: Path) -> None:
    """A close that no other dial could mend is final: rejected, and nobody dials again."""

    def answer(transport: WSTransport) -> None:
        transport.send_close(4401)  # type: ignore[arg-type]  # a private code

    party, _, ledger = linked(tmp_path, answer, lambda party, _: bool(party.reasons))
    assert party.reasons == ["refused: unauthorized"]
    assert columns(of(ledger, "CONNECT", outcome="REJECTED"), "reason", "epoch") == [("unauthorized", 1)]


def test_who_leaves_in_the_middle_of_a_dial_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that never answers the upgrade: whenever the party goes, the dial ends without a row or an error."""
    monkeypatch.setattr(link, "GREETING_NS", 200_000_000)
    parties = [Party() for _ in range(8)]
    faults: list[str] = []
    recorded: list[int] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> None:
        stage = Stage(tmp_path, [])
        await stage.open()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context["message"]))
        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        stage.world.target = Target(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        for turns, party in enumerate(parties, start=1):
            dialling = Link(Actor(stage.world, f"o{turns}"), party, "/v1/desk", Subject(stage.world, ""))
            dialling.open(now_ns())
            for _ in range(turns):
                await asyncio.sleep(0)
            dialling.shut()
        await asyncio.sleep(0.4)  # the time that a dial is given, and more
        gc.collect()
        recorded.append(stage.world.recorder.rows)
        listening.close()
        await stage.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert (faults, [party.reasons for party in parties], recorded) == ([], [[]] * 8, [0])
