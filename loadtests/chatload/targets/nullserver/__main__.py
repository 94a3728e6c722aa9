"""The process; see the package."""

import asyncio
import gc
import signal
import sys
from functools import partial

import msgspec
import orjson
import uvloop
from picows import ws_create_server

from chatload.fleet.clock import Clock
from chatload.fleet.server import Server
from chatload.fleet.smtp import MailServer
from chatload.targets.nullserver.front import answer
from chatload.targets.nullserver.hall import Config, Hall
from chatload.targets.nullserver.mail import Post, take
from chatload.targets.nullserver.messenger import Messenger, Sending
from chatload.targets.nullserver.sockets import admit


async def serve(config: Config) -> None:
    """Say where it listens, and serve until SIGTERM."""
    loop, stop, clock = asyncio.get_running_loop(), asyncio.Event(), Clock()
    messengers: dict[str, Sending] = {
        account: Post(clock, line) if line.url.startswith("smtp:") else Messenger(clock, account, line)
        for account, line in config.messengers.items()
    }
    hall = Hall(config, messengers)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    front = Server(partial(answer, hall))
    url = await front.start(config.host, config.port)
    post_office = MailServer(partial(take, hall))
    mail = await post_office.start(config.host)
    sockets = await ws_create_server(partial(admit, hall), config.host, 0, backlog=1024, use_aiofastnet=False)
    hall.sweep()
    gc.collect()
    gc.freeze()
    listening = {"url": url, "mail": mail, "sockets": f"ws://{config.host}:{sockets.sockets[0].getsockname()[1]}"}
    sys.stdout.write(orjson.dumps(listening).decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    for messenger in messengers.values():
        await messenger.close()
    await post_office.close()
    await front.close()


uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=Config)))
