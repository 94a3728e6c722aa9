"""The four costs that set the shape of the core, measured side by side on this machine.

    python benchmarks/groundwork.py [ROUNDS]

Each line prints the median over ROUNDS alternating rounds and the spread; peers run in the same process and
on the same cores, so read the ratios, not the absolute figures.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing import Process
from pathlib import Path

import aiohttp
import orjson
import uvloop
from aiohttp import web

PORT = 18_431
BODY = orjson.dumps({"update_id": 900001, "message": {"message_id": 17, "text": "x" * 60, "chat": {"id": 5001}}})
FRAME = orjson.dumps({"op": "entry", "dialog": "telegram/5001#1", "seq": 3, "text": "x" * 60})
MESSAGES = 6_400
BATCH = 64


def serve() -> None:
    """A bare aiohttp server: an echo for POST, and a WebSocket that sends N frames when asked to."""

    async def echo(request: web.Request) -> web.Response:
        update = orjson.loads(await request.read())
        return web.Response(body=orjson.dumps({"ok": update["update_id"]}), content_type="application/json")

    async def stream(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        async for order in ws:
            how, count = order.data.split()
            started = time.perf_counter()
            if how == "await":
                for _ in range(int(count)):
                    await ws.send_bytes(FRAME)
            else:
                assert request.transport is not None
                head = bytes((0x82, len(FRAME)))
                for _ in range(int(count) // 8):
                    request.transport.write((head + FRAME) * 8)  # eight frames that became durable together
            await ws.send_str(str((time.perf_counter() - started) / int(count) * 1e6))
        return ws

    app = web.Application()
    app.add_routes([web.post("/", echo), web.get("/ws", stream)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)


async def posts_per_s(session: aiohttp.ClientSession) -> float:
    """Requests a second of the bare handler, fifty connections kept alive."""

    async def client() -> None:
        for _ in range(100):
            async with session.post(f"http://127.0.0.1:{PORT}/", data=BODY) as response:
                await response.read()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(50)))
    return 5_000 / (time.perf_counter() - started)


async def frame_us(session: aiohttp.ClientSession, how: str) -> float:
    """Microseconds of the server's loop for one frame sent `how`: awaited singly, or written in batches."""
    async with session.ws_connect(f"http://127.0.0.1:{PORT}/ws") as ws:
        await ws.send_str(f"{how} 8000")
        async for frame in ws:
            if frame.type is aiohttp.WSMsgType.TEXT:
                return float(frame.data)
    raise RuntimeError("the server closed the socket")


def commit_cost(schema: str, insert: Callable[[sqlite3.Connection, int], object]) -> tuple[float, float]:
    """(microseconds, bytes on disk) a message for MESSAGES of 300 bytes in commits of BATCH."""
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(f"{folder}/j.db", isolation_level=None)
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;" + schema)
        started = time.perf_counter()
        for first in range(0, MESSAGES, BATCH):
            db.execute("BEGIN")
            insert(db, first)
            db.execute("COMMIT")
        spent = time.perf_counter() - started
        written = Path(f"{folder}/j.db-wal").stat().st_size
        db.close()
    return spent / MESSAGES * 1e6, written / MESSAGES


TEXT_KEY = "CREATE TABLE m(id TEXT PRIMARY KEY, contact TEXT, body BLOB, UNIQUE(contact, id));"
PLAIN_ROW = "CREATE TABLE m(n INTEGER PRIMARY KEY, body BLOB);"
BATCH_ROW = "CREATE TABLE m(n INTEGER PRIMARY KEY, body BLOB);"


def insert_text(db: sqlite3.Connection, first: int) -> object:
    rows = [(os.urandom(8).hex(), f"telegram/{n}", b"x" * 300) for n in range(first, first + BATCH)]
    return db.executemany("INSERT INTO m VALUES (?, ?, ?)", rows)


def insert_rows(db: sqlite3.Connection, first: int) -> object:
    return db.executemany("INSERT INTO m VALUES (?, ?)", [(n, b"x" * 300) for n in range(first, first + BATCH)])


def insert_batch(db: sqlite3.Connection, first: int) -> object:
    return db.execute("INSERT INTO m VALUES (?, ?)", (first, b"x" * 300 * BATCH))


async def measure(rounds: int) -> dict[str, list[float]]:
    """Every cost, `rounds` times, the peers taking turns."""
    found: dict[str, list[float]] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:
        await until_up(lambda: posts_per_s(session))
        for _ in range(rounds):
            found.setdefault("bare handler = provider POST, requests/s", []).append(await posts_per_s(session))
            for how in ("await", "write"):
                found.setdefault(f"WebSocket send, {how}, us a frame", []).append(await frame_us(session, how))
            for name, schema, insert in (
                ("text key and dedupe index", TEXT_KEY, insert_text),
                ("plain row", PLAIN_ROW, insert_rows),
                ("one blob a batch", BATCH_ROW, insert_batch),
            ):
                spent_us, size = commit_cost(schema, insert)
                found.setdefault(f"commit of {BATCH}, {name}, us a message", []).append(spent_us)
                found.setdefault(f"commit of {BATCH}, {name}, bytes a message", []).append(size)
    return found


async def until_up(probe: Callable[[], Awaitable[float]]) -> None:
    for _ in range(100):
        try:
            await probe()
            return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)
    raise SystemExit(f"the bare server did not come up on port {PORT}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    server = Process(target=serve, daemon=True)
    server.start()
    try:
        found = uvloop.run(measure(rounds))
    finally:
        server.terminate()
        server.join()
    for name, values in found.items():
        print(f"{name:55} {statistics.median(values):10.1f}   ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
