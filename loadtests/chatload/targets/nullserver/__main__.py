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

from chatload.fleet.http import Http
from chatload.targets.nullserver.front import Front
from chatload.targets.nullserver.hall import Config, Hall
from chatload.targets.nullserver.sockets import admit

CONNECTIONS = 64  # to the messengers


async def serve(config: Config) -> None:
    """Say where it listens, and serve until SIGTERM."""
    loop, stop, http = asyncio.get_running_loop(), asyncio.Event(), Http(CONNECTIONS)
    hall = Hall(config, http)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    front = await loop.create_server(lambda: Front(hall), "127.0.0.1", config.port, backlog=1024)
    sockets = await ws_create_server(partial(admit, hall), "127.0.0.1", 0, backlog=1024, use_aiofastnet=False)
    http_port, socket_port = (server.sockets[0].getsockname()[1] for server in (front, sockets))
    hall.sweep()
    gc.collect()
    gc.freeze()
    listening = {"url": f"http://127.0.0.1:{http_port}", "sockets": f"ws://127.0.0.1:{socket_port}"}
    sys.stdout.write(orjson.dumps(listening).decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    await http.close()


uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=Config)))
