"""The process: binds its port, recovers behind a 503, serves, and ends as it must.

A commit that failed or hangs ends the process at once with `EXIT_INDETERMINATE` and releases nothing: whoever
supervises it starts it again, and it recovers as after `kill -9`.
"""

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from chatcore.config import Config
from chatcore.edges import api, attachments, automatic, webhooks
from chatcore.edges.bank import BankService
from chatcore.edges.bankbot import BankBot
from chatcore.edges.door import Door
from chatcore.edges.fetcher import Fetcher
from chatcore.edges.gateway import GATEWAY, MAX_BODY, MAX_WEBHOOK, Gateway, error
from chatcore.edges.hints import HintService
from chatcore.edges.hub import Hub
from chatcore.edges.mail import Postmaster
from chatcore.edges.mailer import Mailer
from chatcore.edges.outbox import MessengerOutbox
from chatcore.edges.providers import Providers
from chatcore.edges.routes import ROUTES
from chatcore.errors import CannotListen, PortTaken, Problem, Unauthorized
from chatcore.journal.memory import MemoryJournal
from chatcore.journal.port import Journal
from chatcore.journal.sqlite import SqliteJournal
from chatcore.machines.commands import Hire, Rules
from chatcore.runtime.core import Core

logger = logging.getLogger("chatcore")

EXIT_INDETERMINATE = 70
BACKLOG = 1024
ACCEPTS = 16  # connections a turn of the loop
GOING_AWAY = 1012
ENDS_WITHIN_S = 2.0
ANSWERS_WITHIN_S = 60.0
SERVICE_LATER_S = 1.0  # a bank's service is given up after its time-out in the machine, which says so in the record
_SILENT = logging.Logger("chatcore.http", logging.CRITICAL)  # aiohttp logs broken requests, with what was in them
LARGE = ("/webhooks/", "/v1/files")  # paths whose bodies may be larger than MAX_BODY


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def die(reason: Exception) -> None:
    """End the process without releasing anything that is held."""
    logger.critical("the journal failed (%s); ending, start me again", reason)
    os._exit(EXIT_INDETERMINATE)


def open_journal(config: Config) -> Journal:
    """The journal that the configuration names."""
    return MemoryJournal() if config.journal == "memory" else SqliteJournal(Path(config.data))


@web.middleware
async def _once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hang up after the answer: the client's next request, be it for a socket, begins at the door again."""
    answer = await handler(request)
    answer.force_close()
    return answer


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Decide nothing while recovering or stopping; give every error the same shape."""
    if not request.app[GATEWAY].ready and request.path != "/healthz":
        return error(*webhooks.NOT_STORED)
    if (request.content_length or 0) > MAX_BODY and not request.path.startswith(LARGE):
        return error(413, "request_entity_too_large")
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await handler(request)
    except Unauthorized:
        return error(401, "unauthorized", "a valid token is needed", {"WWW-Authenticate": "Bearer"})
    except Problem as fault:
        return error(fault.status, fault.code, fault.detail)
    except TimeoutError:
        return error(408, "request_timeout", f"the request was not whole or not answered in {ANSWERS_WITHIN_S:g} s")
    except web.HTTPException as fault:
        allowed = {name: value for name, value in fault.headers.items() if name == "Allow"}
        return error(fault.status, fault.reason.lower().replace(" ", "_"), fault.text or "", allowed)
    except Exception:
        logger.exception("%s %s failed", request.method, request.match_info.route.resource)
        return error(500, "defect", "this should not have happened")


def application(gateway: Gateway) -> web.Application:
    """All routes over one gateway but the sockets'."""
    app = web.Application(client_max_size=MAX_WEBHOOK, middlewares=[_once, _guard])
    app[GATEWAY] = gateway
    app.add_routes([web.route(row.method, row.path, api.handler(row)) for row in ROUTES])
    hooks = "/webhooks/{channel}/{account}"
    app.add_routes([web.get(hooks, webhooks.handshake), web.post(hooks, webhooks.webhook)])
    return app


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        PortTaken: somebody listens there already.
        JournalError: the journal cannot be opened or read.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = assemble(config, open_journal(config), die)
    async with listening(gateway) as url:
        smtp = f',"smtp":"{config.host}:{gateway.smtp_port}"' if gateway.smtp_port else ""
        sys.stdout.write(f'{{"listening":"{url}"{smtp}}}\n')
        sys.stdout.flush()
        await run(gateway, stop)


def assemble(config: Config, journal: Journal, fatal: Callable[[Exception], None]) -> Gateway:
    """The core over `journal` and the gateway before it; `fatal` ends the process after a failed commit."""
    hub = Hub()
    timers = config.timers_ms
    internal = frozenset(department.id for department in config.departments if department.internal)
    rules = Rules(
        timers.inactivity, timers.offer, timers.grace, bot_misses=config.bot.misses, bot_ms=config.bot.timeout_ms,
        transfer_ms=timers.transfer, internal=internal, window_ms=timers.window, sample=config.quality.sample,
    )  # fmt: skip
    core = Core(journal, config.partitions, rules, hub, now_ms, fatal, config.snapshot_every)
    gateway = Gateway(core, config, hub)
    journal.derive(gateway.dialogs)
    for partition in core.partitions:
        partition.reminder = partial(automatic.reminder, gateway)
    return gateway


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[str]:
    """The gateway's address, once it is bound; requests are answered 503, and mails 451, until `run` has recovered.

    Raises:
        PortTaken, CannotListen: the address cannot be had.
    """
    runner = web.AppRunner(
        application(gateway), access_log=None, logger=_SILENT, handle_signals=False, shutdown_timeout=ENDS_WITHIN_S
    )
    await runner.setup()
    assert runner.server is not None, "it is set up"
    door = Door(gateway, runner.server)
    try:
        port, servers = await bind(door, gateway.config.host, gateway.config.port)
        try:
            url = f"http://{gateway.config.host}:{port}"
            gateway.public_url = gateway.config.public_url.rstrip("/") or url
            async with _post_office(gateway):
                yield url
        finally:
            for server in servers:
                server.close()
            door.close()
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _post_office(gateway: Gateway) -> AsyncIterator[None]:
    """The port for mails, if an account takes any."""
    config = gateway.config
    if all(account.channel != "email" for account in config.accounts):
        yield
        return
    postmaster = Postmaster(gateway)
    gateway.smtp_port, servers = await bind(postmaster, config.host, config.smtp_port)
    try:
        yield
    finally:
        for server in servers:
            server.close()
        postmaster.close()


async def bind(door: Callable[[], asyncio.Protocol], host: str, port: int) -> tuple[int, list[asyncio.Server]]:
    """The port, and who listens there: one socket, watched `ACCEPTS` times.

    For libuv accepts one connection a turn of the loop: of a busy loop, fewer than come with so many customers.
    """
    loop = asyncio.get_running_loop()
    try:
        first = await loop.create_server(door, host, port, backlog=BACKLOG)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from fault
        raise CannotListen(host, port, fault.strerror or str(fault)) from fault
    bound = first.sockets[0]
    twins = [socket.socket(fileno=os.dup(bound.fileno())) for _ in range(ACCEPTS - 1)]
    others = [await loop.create_server(door, sock=twin, backlog=BACKLOG) for twin in twins]
    return bound.getsockname()[1], [first, *others]


async def run(gateway: Gateway, stop: asyncio.Event) -> None:
    """Recover, serve until `stop`, then let what was decided become durable and leave.

    Raises:
        JournalError: the journal cannot be opened or read.
    """
    core, config = gateway.core, gateway.config
    loop = asyncio.get_running_loop()
    watches = [loop.create_task(each) for each in (_watch(core, config.commit_timeout_s), *automatic.follow(gateway))]
    service_s = SERVICE_LATER_S + max(config.bot.timeout_ms, config.hints.timeout_ms) / 1000
    async with Providers() as providers, Mailer() as mailer, Providers(service_s) as services:
        link = attachments.linker(gateway)
        outbox = gateway.hub.outbox = MessengerOutbox(config, providers, mailer, gateway.files, link)
        fetcher = gateway.hub.fetcher = Fetcher(list(config.accounts), providers, gateway.files)
        bank_bot = BankBot(gateway, services)
        gateway.hub.asked_about = bank_bot.put
        gateway.hub.hints = HintService(config.hints, services)
        bank = gateway.hub.bank_service = BankService(config, providers, mailer)
        try:
            with _nothing_is_garbage():
                await core.start()
            await outbox.resume(core)
            await fetcher.resume(core)
            await bank_bot.resume(core)
            bank.resume(core)
            core.ready = True
            if config.operators and not core.floor.state.operators:
                core.floor.submit(Hire([seed.hired() for seed in config.operators]))
            await stop.wait()
            gateway.stopping = True
            bank_bot.close()
            await asyncio.gather(outbox.close(), fetcher.close(), bank.close())
            await _drain(gateway)
        finally:
            bank_bot.close()
            await asyncio.gather(outbox.close(), fetcher.close(), bank.close())
            gateway.files.close()
            await core.journal.close()
            for watch in watches:
                watch.cancel()


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """What is made meanwhile is there to stay: the collector never looks through it."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


async def _drain(gateway: Gateway) -> None:
    """Let what is decided become durable and leave, and tell connections to come back."""
    while not gateway.core.quiet:
        for owner in gateway.core.owners:
            await owner.settled()
    sessions = list(gateway.hub.sessions)
    for session in sessions:
        session.close(GOING_AWAY, "restarting: come back with your cursor")
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(session.ended() for session in sessions)), ENDS_WITHIN_S)


async def _watch(core: Core, limit_s: float) -> None:
    """End the process when a write of the journal hangs or has failed."""
    journal = core.journal
    while True:
        await asyncio.sleep(limit_s / 10)
        if not core.epoch:
            continue  # nothing was written yet
        if journal.failure is not None:
            core.fatal(journal.failure)
        if journal.oldest_pending_s(time.monotonic()) > limit_s:
            core.fatal(TimeoutError(f"it hangs for more than {limit_s:g} s"))
