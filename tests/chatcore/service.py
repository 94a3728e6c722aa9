"""Small HTTP services that tests play to a core, whose answers may be kept back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Service:
    """Answers once it is open: `hold` keeps answers back until `release`."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()


@asynccontextmanager
async def listening(service: Service, *routes: web.RouteDef, port: int = 0) -> AsyncIterator[str]:
    """The address of the service on a loopback port; what it kept back is released in the end."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        service.release()
        await runner.cleanup()
