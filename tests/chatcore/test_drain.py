"""SIGTERM in the middle of traffic: nothing acknowledged is lost, and everybody is told to come back."""

import asyncio
import signal
from collections import defaultdict
from itertools import count
from pathlib import Path

import aiohttp

from tests.chatcore.client import Client, Customer, Frame, until, update
from tests.chatcore.cores import play, running, telegram

CUSTOMERS, CHATS = 8, 8
AHEAD = 4
ACKNOWLEDGED_BEFORE = 200
WEB = {"id": "web", "channel": "web"}
Ids = defaultdict[str, list[str]]


class Traffic:
    """Customers on sockets and a messenger's webhooks, all sending without a pause until the core is gone."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.acknowledged: Ids = defaultdict(list)
        self.refused: Ids = defaultdict(list)

    @property
    def so_far(self) -> int:
        """How many messages were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    async def customer(self, key: str) -> int | None:
        """Write on a socket, some messages ahead of their acknowledgements; the code with which it was closed."""
        peer = await self._client.customer(key)
        ahead = asyncio.Semaphore(AHEAD)
        writing = asyncio.create_task(self._write(peer, ahead))
        while (frame := await peer.socket.receive()).type is aiohttp.WSMsgType.TEXT:
            if self._note(key, frame.json()):
                ahead.release()
        writing.cancel()
        return frame.data if frame.type is aiohttp.WSMsgType.CLOSE else None

    async def _write(self, peer: Customer, ahead: asyncio.Semaphore) -> None:
        for number in count(1):
            await ahead.acquire()
            await peer.send(op="send", cid=f"c{number}", text=f"text {number}")

    def _note(self, key: str, frame: Frame) -> bool:
        """Whether it answers a message."""
        if frame["op"] == "ack":
            self.acknowledged[key].append(frame["cid"])
        elif frame["op"] == "refused":
            assert frame["reason"] == "not_stored"
            self.refused[key].append(frame["cid"])
        return frame["op"] in {"ack", "refused"}

    async def chat(self, chat: int) -> None:
        """Post one webhook after the other, until one is refused or nobody listens any more."""
        for number in count(chat * 1_000_000):
            try:
                status, _ = await self._client.webhook(update(number, chat=chat))
            except aiohttp.ClientError:
                return
            kept = self.acknowledged if status == 200 else self.refused
            kept[f"tg/{chat}"].append(str(number))
            if status != 200:
                assert status == 503
                return


def test_nothing_acknowledged_is_lost_when_told_to_end_under_traffic(tmp_path: Path) -> None:
    """All that was acknowledged on sockets and webhooks is in the history, in order; nothing that was refused is."""

    async def acts() -> None:
        async with running(tmp_path, partitions=2, accounts=[WEB, telegram("http://127.0.0.1:9")]) as core:
            async with Client(core.url) as client:
                traffic = Traffic(client)
                desk = await client.desk("o1", presence="online")
                sockets = [asyncio.create_task(traffic.customer(f"web/u{n}")) for n in range(CUSTOMERS)]
                chats = [asyncio.create_task(traffic.chat(n)) for n in range(1, CHATS + 1)]
                await until(lambda: traffic.so_far >= ACKNOWLEDGED_BEFORE)
                assert await core.end(signal.SIGTERM) == 0
                assert await asyncio.gather(*sockets) == [1012] * CUSTOMERS
                assert await desk.ended() == 1012
                await asyncio.gather(*chats)
            await core.start()
            async with Client(core.url) as client:
                for key in {*traffic.acknowledged, *traffic.refused}:
                    stored = [entry["id"] for entry in await client.history(key) if entry["author"] == "customer"]
                    acknowledged = traffic.acknowledged[key]
                    assert stored[: len(acknowledged)] == acknowledged
                    assert not {*stored} & {*traffic.refused[key]}
            assert core.log() == []
            assert len(traffic.acknowledged) == CUSTOMERS + CHATS

    play(acts)
