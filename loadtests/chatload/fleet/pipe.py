"""JSON lines over two inherited file descriptors, without blocking the loop."""

import asyncio
import os
from typing import Any, Final

import orjson

_CHUNK: Final = 1 << 18


class Pipe:
    """Messages from and to the process that steers us. A lost peer is the end of the messages, never an error."""

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._in = fd_in
        self._out = fd_out
        self._rest = b""
        self._unsent = bytearray()
        self._came: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        os.set_blocking(fd_in, False)
        os.set_blocking(fd_out, False)
        self._loop.add_reader(fd_in, self._readable)

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None at the end.

        A line that is no JSON object comes as an empty message.
        """
        return await self._came.get()

    def end(self) -> None:
        """Make `receive` return None once it has returned what came before."""
        self._loop.remove_reader(self._in)
        self._came.put_nowait(None)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message as soon as the peer takes it."""
        waiting = bool(self._unsent)
        self._unsent += orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
        if not waiting:
            self._writable()

    def flush(self) -> None:
        """Send what is left and wait for it; for the end of the process."""
        os.set_blocking(self._out, True)
        self._writable()

    def _readable(self) -> None:
        try:
            data = os.read(self._in, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._came.put_nowait(_message(line))

    def _writable(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._out, self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._out, self._writable)
            return
        except OSError:  # nobody listens any more; the end of the other pipe says so, too
            self._unsent.clear()
        self._loop.remove_writer(self._out)


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}
