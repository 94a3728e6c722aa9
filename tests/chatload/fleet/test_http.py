"""The fleet's HTTP client and server: whole answers however they come, nothing sent twice, limits and time-outs."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from chatload.fleet.clock import MS, Clock, now_ns
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.server import Request, Server, reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Play = Callable[["Peer", int, Reader, Writer], Awaitable[None]]


class Peer:
    """A server that plays `play(peer, n, reader, writer)` on its n-th connection, and counts requests."""

    client: Http

    def __init__(self, play: Play) -> None:
        self._play = play
        self.connections = 0
        self.requests: list[bytes] = []

    async def request(self, reader: Reader) -> None:
        """Wait for a whole request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        self.requests.append(head.splitlines()[0] + b" " + await reader.readexactly(length))

    async def connected(self, reader: Reader, writer: Writer) -> None:
        """Play one connection to its end."""
        self.connections += 1
        try:
            await self._play(self, self.connections, reader, writer)
        except asyncio.IncompleteReadError:
            pass  # the client has gone
        finally:
            writer.close()


Ask = Callable[[str], Awaitable[Answer | NoAnswer]]


def asked(
    play: Play,
    act: Callable[[Ask, Peer], Awaitable[None]],
    connections: int = 2,
    timeout_s: float = 5,
) -> Peer:
    """The peer, after `act` has asked it."""

    async def run() -> Peer:
        peer = Peer(play)
        listening = await asyncio.start_server(peer.connected, "127.0.0.1", 0)
        clock = Clock()
        port = listening.sockets[0].getsockname()[1]
        http = Http(clock, f"http://127.0.0.1:{port}", connections, timeout_s)

        async def ask(body: str) -> Answer | NoAnswer:
            done: asyncio.Future[Answer | NoAnswer] = asyncio.get_running_loop().create_future()
            http.ask(http.head("POST", "/x", {"A": "b"}), done.set_result, body.encode())
            return await done

        peer.client = http

        async with asyncio.timeout(60):
            await act(ask, peer)
            await http.close()
        listening.close()
        clock.close()
        return peer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def always(*pieces: bytes) -> Play:
    """Answer every request with these pieces, one write each; an empty one closes the connection."""

    async def play(peer: Peer, _: int, reader: Reader, writer: Writer) -> None:
        while True:
            await peer.request(reader)
            for piece in pieces:
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    return play


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "pieces, connections",
    [
        ([OK], 1),
        ([OK[n : n + 1] for n in range(len(OK))], 1),
        ([CHUNKED], 1),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", OK], 1),
        ([b"HTTP/1.1 200 OK\r\n", b"A: b\r\n\r\no", b"k", b""], 2),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"], 2),
    ],
    ids=["whole", "byte by byte", "chunked", "interim", "until the end", "closing"],
)
def test_an_answer_is_whole_however_it_comes(pieces: list[bytes], connections: int) -> None:
    """Two requests get status and body, over one connection where the server keeps it."""
    answers: list[Answer | NoAnswer] = []

    async def act(ask: Ask, _: Peer) -> None:
        answers.extend([await ask("1"), await ask("2")])

    peer = asked(always(*pieces), act)
    assert [(answer.status, answer.body) for answer in answers if isinstance(answer, Answer)] == [(200, b"ok")] * 2
    assert peer.requests == [b"POST /x HTTP/1.1 1", b"POST /x HTTP/1.1 2"]
    assert peer.connections == connections


@pytest.mark.parametrize(
    "pieces, reason",
    [([b""], "disconnected"), ([OK[:-1], b""], "disconnected"), ([b"no HTTP\r\n\r\n"], "not understood")],
    ids=["nothing", "half an answer", "something else"],
)
def test_what_was_sent_and_not_answered_is_not_sent_again(pieces: list[bytes], reason: str) -> None:
    """The server may have done it: the caller hears that nobody knows, and the server hears nothing more."""
    answers: list[Answer | NoAnswer] = []

    async def act(ask: Ask, _: Peer) -> None:
        answers.append(await ask("1"))

    peer = asked(always(*pieces), act)
    assert answers == [NoAnswer(reason)]
    assert peer.requests == [b"POST /x HTTP/1.1 1"]


def test_a_connection_closed_between_requests_is_not_used() -> None:
    """A server that closes after its answer, without saying so, costs nobody an answer."""
    answers: list[Answer | NoAnswer] = []

    async def act(ask: Ask, peer: Peer) -> None:
        for number in (1, 2, 3):
            answers.append(await ask(str(number)))
            while peer.client._open:  # noqa: ASYNC110 - the end of the connection tells nobody that it has come
                await asyncio.sleep(0.002)

    peer = asked(always(OK, b""), act)
    assert all(isinstance(answer, Answer) for answer in answers)
    assert (len(peer.requests), peer.connections) == (3, 3)


def test_a_late_answer_is_no_answer_and_its_connection_is_gone() -> None:
    """The time is over for this request alone; the next gets a connection of its own."""
    answers: list[Answer | NoAnswer] = []

    async def play(peer: Peer, number: int, reader: Reader, writer: Writer) -> None:
        while True:
            await peer.request(reader)
            if number > 1:
                writer.write(OK)

    async def act(ask: Ask, _: Peer) -> None:
        asked_ns = now_ns()
        answers.append(await ask("1"))
        assert now_ns() - asked_ns >= 100 * MS
        answers.append(await ask("2"))

    peer = asked(play, act, timeout_s=0.1)
    assert answers[0] == NoAnswer("timeout")
    assert isinstance(answers[1], Answer)
    assert peer.connections == 2


def test_no_more_connections_than_allowed() -> None:
    """Twenty requests at once over two connections all get their answers."""
    answers: list[Answer | NoAnswer] = []

    async def act(ask: Ask, _: Peer) -> None:
        answers.extend(await asyncio.gather(*(ask(str(number)) for number in range(20))))

    peer = asked(always(OK), act)
    assert [isinstance(answer, Answer) for answer in answers] == [True] * 20
    assert len(peer.requests) == 20
    assert peer.connections == 2


def test_nobody_listening_is_no_answer_for_all_who_wait() -> None:
    """Also for those who waited for a connection that never came."""

    async def run() -> list[Answer | NoAnswer]:
        clock, answers = Clock(), asyncio.Queue[Answer | NoAnswer]()
        http = Http(clock, "http://127.0.0.1:9", 1, 5.0)
        for _ in range(3):
            http.ask(http.head("GET", "/", {}), answers.put_nowait)
        async with asyncio.timeout(60):
            found = [await answers.get() for _ in range(3)]
            await http.close()
        clock.close()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [NoAnswer("ConnectionRefusedError")] * 3


def test_closing_leaves_nobody_without_a_word() -> None:
    """Who is under way, and who waits for a connection, are both told that we left."""
    answers: list[Answer | NoAnswer] = []

    tasks: list[asyncio.Task[Answer | NoAnswer]] = []

    async def act(ask: Ask, peer: Peer) -> None:
        async def told(body: str) -> Answer | NoAnswer:
            answers.append(await ask(body))
            return answers[-1]

        tasks.extend(asyncio.get_running_loop().create_task(told(str(n))) for n in range(3))
        while len(peer.requests) < 1:  # noqa: ASYNC110  the peer tells nobody
            await asyncio.sleep(0.002)

    asked(always(), act, connections=1)
    assert answers == [NoAnswer("left")] * 3


@pytest.mark.parametrize("size", [1, 7, 10_000], ids=["byte by byte", "in pieces", "all at once"])
def test_the_server_answers_in_order(size: int) -> None:
    """Three requests in one stream, however it is cut, get three answers; the last closes as its sender wished."""
    seen: list[Request] = []

    def answering(request: Request) -> bytes:
        seen.append(request)
        return reply(200, str(len(seen)).encode(), "A: b\r\n")

    requests = (
        b"POST /bot1%3Ax/send?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        b"GET /two HTTP/1.1\r\nHost: x\r\n\r\n"
        b"POST /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nthree"
    )

    async def run() -> bytes:
        server = Server(answering)
        url = await server.start("127.0.0.1")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        for first in range(0, len(requests), size):
            writer.write(requests[first : first + size])
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            answers = await reader.read()
        writer.close()
        await server.close()
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(run())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\nA: b\r\n\r\n"
    assert answers == head + b"1" + head + b"2" + head + b"3"
    assert [(request.method, request.path, request.body) for request in seen] == [
        ("POST", "/bot1:x/send", b"one"),
        ("GET", "/two", b""),
        ("POST", "/three", b"three"),
    ]


def test_the_server_hangs_up_on_what_is_no_request() -> None:
    """Nothing is answered, and nobody is called."""

    async def run() -> bytes:
        server = Server(lambda request: pytest.fail(f"called with {request}"))
        url = await server.start("127.0.0.1")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
        async with asyncio.timeout(60):
            answers = await reader.read()
        writer.close()
        await server.close()
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == b""
