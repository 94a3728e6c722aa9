"""The null target: what it says to the fleet's customers and operators, and that it claims to be nothing more."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import pytest
from aiohttp import web

from chatload.errors import BadOption, PortTaken, TargetFailed
from chatload.scenario import load
from chatload.targets import tokens
from chatload.targets.null import TOKEN, Null
from tests.chatload.processes import until

SMOKE = load("smoke").scenario
WITHIN_S = 20.0
Frame = dict[str, Any]


@pytest.fixture
def null(tmp_path: Path) -> Iterator[Null]:
    target = Null(SMOKE, 60, tmp_path / "core.log")
    target.start({"tg": "http://127.0.0.1:1"})
    yield target
    target.stop()


def test_calls_are_refused_before_anything_starts(tmp_path: Path) -> None:
    """Nobody would answer them: one line says what to do."""
    post = load(str(Path(__file__).parents[1] / "end_to_end" / "post.toml")).scenario
    with pytest.raises(BadOption, match=r"^--target null: it answers no calls; leave channels\.phone out"):
        Null(post, 60, tmp_path / "core.log")


class Visitor:
    """One WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, **frame: Any) -> None:
        await self._socket.send_str(orjson.dumps(frame).decode())

    async def hear(self, *ops: str) -> list[Frame]:
        """The next frames, which are of these kinds."""
        frames = [orjson.loads(await self._socket.receive_str(timeout=WITHIN_S)) for _ in ops]
        assert [frame["op"] for frame in frames] == list(ops)
        return frames


@asynccontextmanager
async def visiting(target: Null, path: str, role: tokens.Role, subject: str, **hello: Any) -> AsyncIterator[Visitor]:
    """A socket that has said hello."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(target.wire()["sockets"] + path) as socket,
    ):
        visitor = Visitor(socket)
        await visitor.say(op="hello", token=tokens.make("", role, subject), **hello)
        yield visitor


def customer(target: Null, **hello: Any) -> Any:
    return visiting(target, "/v1/chat", "customer", "web/u1", **hello)


@asynccontextmanager
async def on_duty(target: Null) -> AsyncIterator[Visitor]:
    """Operator o1, online."""
    async with visiting(target, "/v1/desk", "operator", "o1") as desk:
        welcome = {"op": "welcome", "operator": "o1", "presence": "offline", "open": []}
        assert await desk.hear("welcome") == [welcome]
        await desk.say(op="presence", state="online")
        assert await desk.hear("presence") == [{"op": "presence", "state": "online"}]
        yield desk


def entry(seq: int, kind: str, author: str, **content: Any) -> Frame:
    return {"op": "entry", "dialog": "web/u1#1", "seq": seq, "kind": kind, "author": author, **content}


def test_a_conversation_from_the_bot_to_the_close(null: Null) -> None:
    """The bot answers, an operator is found at once, both sides see what the other says, and the close ends it."""
    bot = {"text": SMOKE.bot.answers[0].text, "cause": {"seq": 1, "rule": "bot:null"}}
    about = {"dialog": "web/u1#1", "number": 1}

    async def talk() -> None:
        async with on_duty(null) as desk, customer(null) as web_user:
            welcome = {"op": "welcome", "contact": "web/u1", "dialog": 0, "state": "none", "cursor": "0.0"}
            assert await web_user.hear("welcome") == [welcome]
            await web_user.say(op="send", cid="a", text="balance")
            assert await web_user.hear("ack", "entry") == [
                {"op": "ack", "cid": "a", "dialog": "web/u1#1", "seq": 1}, entry(2, "message", "bot", **bot),
            ]  # fmt: skip
            await web_user.say(op="send", cid="b", text="an Operator please")
            assert await web_user.hear("ack", "entry") == [
                {"op": "ack", "cid": "b", "dialog": "web/u1#1", "seq": 3},
                entry(4, "queued", "system", department="general"),
            ]
            offered = {"op": "offered", **about, "place": 1, "priority": 0, "department": "general"}
            assert await desk.hear("offered") == [offered]
            await desk.say(op="accept", **about)
            accepted, entries = await desk.hear("accepted", "entries")
            assert accepted == {"op": "accepted", **about, "seq": 5}
            assigned = entry(5, "assigned", "system", operator="o1", number=1)
            assert entries["entries"] == [
                entry(1, "message", "customer", text="balance", id="a"), entry(2, "message", "bot", **bot),
                entry(3, "message", "customer", text="an Operator please", id="b"),
                entry(4, "queued", "system", department="general"), assigned,
            ]  # fmt: skip
            await desk.say(op="send", **about, cid="c", text="here I am")
            assert await desk.hear("ack") == [{"op": "ack", "cid": "c", "dialog": "web/u1#1", "seq": 6}]
            said = entry(6, "message", "o1", text="here I am", id="c")
            assert await web_user.hear("entry", "entry") == [assigned, said]
            await web_user.say(op="send", cid="d", text="thank you")
            await web_user.hear("ack")
            assert await desk.hear("entry") == [entry(7, "message", "customer", text="thank you", id="d")]
            await desk.say(op="close", **about)
            closed = [entry(8, "closed", "system", reason="operator")]
            assert (await desk.hear("entry"), await web_user.hear("entry")) == (closed, closed)
            await desk.say(op="close", **about)
            assert await desk.hear("refused") == [{"op": "refused", **about, "reason": "closed"}]

    asyncio.run(talk())


def test_who_comes_back_sees_what_they_missed(null: Null) -> None:
    """A repeated message keeps its place, and the entries behind the cursor are shown, once."""

    async def talk() -> None:
        async with customer(null) as first:
            await first.say(op="send", cid="a", text="balance")
            await first.hear("welcome", "ack", "entry")
        async with customer(null, cursor="1.1") as again:
            await again.say(op="send", cid="a", text="balance")
            welcome, missed, ack = await again.hear("welcome", "entry", "ack")
            assert (welcome["dialog"], welcome["state"], welcome["cursor"]) == (1, "bot", "1.2")
            assert (missed["seq"], missed["author"], ack["seq"]) == (2, "bot", 1)
            await again.say(op="end")
            assert (await again.hear("entry"))[0]["kind"] == "closed"

    asyncio.run(talk())


def test_replies_reach_the_messenger(tmp_path: Path) -> None:
    """A webhook's text is offered once, also when it is posted again; the answer is sent on, after a 429, too."""
    posted: list[Any] = []

    async def send_message(request: web.Request) -> web.Response:
        posted.append((request.path, await request.json()))
        if len(posted) == 1:
            return web.json_response({"ok": False}, status=429, headers={"Retry-After": "0"})
        return web.json_response({"ok": True, "result": {"message_id": 77}})

    async def talk() -> None:
        app = web.Application()
        app.router.add_post("/{tail:.*}", send_message)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        target = Null(SMOKE, 60, tmp_path / "core.log")
        target.start({"tg": f"http://127.0.0.1:{runner.addresses[0][1]}"})
        try:
            update = {"update_id": 1, "message": {"message_id": 7, "from": {"id": 5001}, "text": "hello"}}
            async with on_duty(target) as desk, aiohttp.ClientSession() as http:
                for body in (update, update, {"update_id": 2, "edited_message": {}}):
                    async with http.post(f"{target.wire()['url']}/webhooks/telegram/tg", json=body) as answer:
                        assert (answer.status, await answer.json()) == (200, {})
                about = {"dialog": "tg/5001#1", "number": 1}
                assert (await desk.hear("offered"))[0]["dialog"] == "tg/5001#1"
                await desk.say(op="accept", **about)
                entries = (await desk.hear("accepted", "entries"))[1]["entries"]
                assert [found["kind"] for found in entries] == ["message", "queued", "assigned"]
                await desk.say(op="send", **about, cid="c", text="good day")
                receipt = {"op": "receipt", "dialog": "tg/5001#1", "seq": 4, "status": "sent"}
                receipt |= {"provider_id": "77", "reason": ""}
                assert (await desk.hear("ack", "receipt"))[1] == receipt
                assert posted == [(f"/bot{TOKEN}/sendMessage", {"chat_id": 5001, "text": "good day"})] * 2
                assert await asyncio.to_thread(target.at_rest)
        finally:
            target.stop()
            await runner.cleanup()

    asyncio.run(talk())


def test_who_went_silently_keeps_no_operator(tmp_path: Path) -> None:
    """A dialog without a word for the scenario's inactivity is closed."""
    target = Null(SMOKE, 6000, tmp_path / "core.log")
    target.start({"tg": "http://127.0.0.1:1"})

    async def talk() -> None:
        async with on_duty(target) as desk:
            async with customer(target) as silent:
                await silent.say(op="send", cid="a", text="operator")
                await silent.hear("welcome", "ack")
            await desk.hear("offered")
            await desk.say(op="accept", dialog="web/u1#1", number=1)
            closed = (await desk.hear("accepted", "entries", "entry"))[2]
            assert (closed["kind"], closed["reason"]) == ("closed", "inactivity")

    try:
        asyncio.run(talk())
    finally:
        target.stop()


def test_it_is_gone_after_stop_and_missed_before(null: Null) -> None:
    """One that ended by itself fails the run, for it cannot be restarted; stop works twice."""
    process = psutil.Process(null.processes()["core"])
    null.tend()
    process.send_signal(signal.SIGKILL)
    until(lambda: not null.processes())
    with pytest.raises(TargetFailed, match="the null target ended with -9"):
        null.tend()
    with pytest.raises(TargetFailed, match="cannot be restarted"):
        null.restart()
    null.stop()
    null.stop()


def test_one_that_does_not_come_up_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line; a taken port is refused before anything starts."""
    monkeypatch.setattr(Null, "command", (sys.executable, "-c", "raise SystemExit('no room here')"))
    with pytest.raises(TargetFailed, match="did not come up: no room here"):
        Null(SMOKE, 60, tmp_path / "core.log").start({})


def test_a_taken_port_is_refused(null: Null, tmp_path: Path) -> None:
    """Before anything starts."""
    port = int(null.wire()["url"].rpartition(":")[2])
    with pytest.raises(PortTaken, match=f"port {port} is taken"):
        Null(SMOKE, 60, tmp_path / "core.log", port=port)
