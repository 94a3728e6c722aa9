"""The process: binds its port, recovers behind a 503, serves, and ends as it must.

A commit that failed or hangs ends the process at once with `EXIT_INDETERMINATE` and releases nothing: whoever
supervises it starts it again, and it recovers as after `kill -9`.
"""

import asyncio
import errno
import logging
import os
import signal
import time
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from chatcore.config import Config
from chatcore.edges import chat, desk, rest, webhooks
from chatcore.edges.gateway import GATEWAY, MAX_BODY, Gateway, error
from chatcore.edges.hub import Hub
from chatcore.edges.outbox import MessengerOutbox
from chatcore.errors import PortTaken, Unauthorized
from chatcore.journal.memory import MemoryJournal
from chatcore.journal.port import Journal
from chatcore.journal.sqlite import SqliteJournal
from chatcore.machines.commands import Hire, Rules
from chatcore.runtime.core import Core

logger = logging.getLogger("chatcore")

EXIT_INDETERMINATE = 70
GOING_AWAY = 1012


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def die(reason: object) -> None:
    """End the process without releasing anything that is held."""
    logger.critical("the journal did not confirm a commit (%s); ending, start me again", reason)
    os._exit(EXIT_INDETERMINATE)


def open_journal(config: Config) -> Journal:
    """The journal that the configuration names."""
    return MemoryJournal() if config.journal == "memory" else SqliteJournal(Path(config.data) / "chatcore.db")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Unauthorized:
        return error(401, "unauthorized", "a valid token of the right role is needed")


def application(gateway: Gateway) -> web.Application:
    """All routes over one gateway."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_guard])
    app[GATEWAY] = gateway
    app.add_routes(
        [
            web.get("/healthz", rest.healthz),
            web.get("/v1/chat", chat.chat),
            web.get("/v1/desk", desk.desk),
            web.post("/v1/operators", rest.operators),
            web.get("/v1/history/{account}/{user}", rest.history),
            web.get("/v1/audit/{partition}", rest.audit),
            web.get("/v1/state", rest.state),
            web.post("/webhooks/{channel}/{account}", webhooks.webhook),
        ]
    )
    return app


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        PortTaken: somebody listens there already.
        JournalError: the journal cannot be opened or read.
    """
    hub = Hub()
    timers = config.timers_ms
    rules = Rules(timers.inactivity, timers.offer, timers.grace, bot_misses=config.bot.misses)
    core = Core(open_journal(config), config.partitions, rules, hub, now_ms, die, config.snapshot_every)
    gateway = Gateway(core, config, hub)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(gateway), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        port = await _bind(runner, config)
        print(orjson.dumps({"listening": f"http://{config.host}:{port}"}).decode(), flush=True)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            await _run(gateway, http, stop)
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, config: Config) -> int:
    site = web.TCPSite(runner, config.host, config.port, backlog=1024)
    try:
        await site.start()
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            raise PortTaken(config.host, config.port) from fault
        raise
    address = runner.addresses[0]
    return int(address[1])


async def _run(gateway: Gateway, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
    core, config = gateway.core, gateway.config
    watch = asyncio.get_running_loop().create_task(_watch(core.journal, config.commit_timeout_s))
    outbox = gateway.hub.outbox = MessengerOutbox(list(config.accounts), http)
    try:
        await core.start()
        if config.operators and not core.floor.state.operators:
            seeds = [(seed.id, seed.departments, seed.slots) for seed in config.operators]
            core.floor.submit(Hire(seeds))
        await outbox.resume(core)
        await stop.wait()
        await _drain(gateway)
    finally:
        watch.cancel()
        await outbox.close()
        await core.journal.close()


async def _drain(gateway: Gateway) -> None:
    """Take nothing more in, let what is decided become durable and leave, and tell connections to come back."""
    gateway.stopping = True
    for owner in gateway.core.owners:
        await owner.settled()
    sessions = [session for group in gateway.hub.customers_of.values() for session in group.values()]
    for session in (*sessions, *gateway.hub.desks.values()):
        session.close(GOING_AWAY, "restarting: come back with your cursor")
    await asyncio.sleep(0)


async def _watch(journal: Journal, limit_s: float) -> None:
    """End the process when a write of the journal hangs or has failed."""
    while True:
        await asyncio.sleep(limit_s / 10)
        if journal.failure is not None:
            die(journal.failure)
        if journal.oldest_pending_s(time.monotonic()) > limit_s:
            die(f"it hangs for more than {limit_s:g} s")
