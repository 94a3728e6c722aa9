"""How connections come in."""

import asyncio
import socket

import uvloop

from chatcore.server import ACCEPTS, bind

TURNS = 3


def test_many_connections_are_accepted_in_a_turn_of_the_loop() -> None:
    """All that wait, up to a bound: a busy loop turns seldom, and customers come by the hundred a second."""

    async def come() -> int:
        port, servers = await bind(Counted, "127.0.0.1", 0)
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(TURNS * ACCEPTS)]
        for _ in range(TURNS + 1):
            await asyncio.sleep(0)
        for server in servers:
            server.close()
        for connection in waiting:
            connection.close()
        return Counted.made

    class Counted(asyncio.Protocol):
        made = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            Counted.made += 1

    assert uvloop.run(come()) >= (TURNS - 1) * ACCEPTS
