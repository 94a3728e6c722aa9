"""Thousands of malformed and hostile webhooks: none does anything."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
import psutil

from chatcore.channels import CHANNELS
from chatcore.channels.shapes import Inbound
from chatcore.config import Account
from tests.chatcore.client import Client
from tests.chatcore.cores import Outside, play, running
from tests.chatcore.hostile import MUTATIONS, SEEDS, forged

WARM_UP, HOSTILE, CONNECTIONS = 3_000, 10_000, 4
GROWS_AT_MOST = 3 << 20  # every body kept would be 11 MB
Post = tuple[str, str, dict[str, str], bytes]


def test_every_channel_has_valid_webhooks_to_spoil() -> None:
    """A new channel brings its account, its headers and some of its bodies to `tests/chatcore/hostile.py`."""
    assert set(SEEDS) == set(CHANNELS) - {"email"}  # which takes no webhooks; its mails are spoiled in test_email


def posts(draw: Random, count: int) -> list[Post]:
    """So many hostile webhooks, by turns for each channel; what by chance is a proper new message is left out."""
    found: list[Post] = []
    while len(found) < count:
        name = sorted(SEEDS)[len(found) % len(SEEDS)]
        seed = SEEDS[name]
        body = draw.choice(MUTATIONS)(draw, draw.choice(seed.bodies))
        if not brings_news(name, body):
            found.append((name, seed.account["id"], forged(draw, seed.headers(body)), body))
    return found


def brings_news(channel: str, body: bytes) -> bool:
    """Whether a body tells anything that none of the channel's seeds told; such a one would rightly be stored."""
    seed = SEEDS[channel]
    account = msgspec.convert(seed.account, Account)
    told = {event for valid in seed.bodies for event in CHANNELS[channel].parse(account, valid)}
    ids = {(event.user, event.id) for event in told if isinstance(event, Inbound) and not event.edits}
    try:
        events = CHANNELS[channel].parse(account, body)
    except (ValueError, RecursionError):
        return False
    return any(
        event not in told and not (isinstance(event, Inbound) and not event.edits and (event.user, event.id) in ids)
        for event in events
    )


class Line:
    """A connection that is kept; opened again when the core ends it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0

    async def post(self, channel: str, account: str, headers: dict[str, str], body: bytes) -> int:
        """The status that the core answers a webhook with."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
            self.opened += 1
        reader, writer = self._streams
        lines = [f"POST /webhooks/{channel}/{account} HTTP/1.1", "Host: core", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        if "connection: close" in head:
            self.close()
        return int(head.split()[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def post_all(core: Outside, what: list[Post]) -> tuple[Counter[int], int]:
    """How often each status was answered, and how many connections that took."""
    found: Counter[int] = Counter()
    rest = iter(what)

    async def work(line: Line) -> None:
        for post in rest:
            found[await line.post(*post)] += 1
        line.close()

    lines = [Line(core.url) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(work(line) for line in lines))
    return found, sum(line.opened for line in lines)


async def quiet_state(client: Client) -> dict[str, object]:
    """The state without the counters of what was refused."""
    await client.settled()
    return {name: value for name, value in (await client.state()).items() if name != "counters"}


def test_hostile_webhooks_do_nothing(tmp_path: Path) -> None:
    """10,000 spoiled bodies over every channel: no 5xx, no change of state, nothing logged, no growth of memory."""
    draw = Random(20)
    valid = [
        (name, seed.account["id"], seed.headers(body), body) for name, seed in SEEDS.items() for body in seed.bodies
    ]
    accounts = [seed.account for seed in SEEDS.values()]
    warm_up, hostile = posts(draw, WARM_UP), posts(draw, HOSTILE)

    async def acts() -> None:
        async with running(tmp_path, accounts=accounts) as core, Client(core.url) as client:
            assert (await post_all(core, valid))[0] == {200: len(valid)}
            before = await quiet_state(client)
            await post_all(core, warm_up)
            process = psutil.Process(core.process.pid)
            resident, log = process.memory_info().rss, core.log()
            answered, connections = await post_all(core, hostile)
            assert answered.total() == HOSTILE
            assert set(answered) == {200, 400, 401}
            assert connections == CONNECTIONS, "a body closes no connection"
            assert await quiet_state(client) == before
            assert core.log() == log
            assert process.memory_info().rss - resident < GROWS_AT_MOST
            assert await core.end() == -9, "it was alive until now"

    play(acts)
