"""What a channel's sends and fetches ask, played without a provider, and the forms that they post."""

import asyncio
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple, TypeVar

import orjson
from aiohttp import MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.multipart import BodyPartReader

from chatcore.channels.shapes import Answer, Call

T = TypeVar("T")


class Part(NamedTuple):
    """A field of a form; a text has neither a file's name nor a type."""

    name: str | None
    data: bytes
    filename: str | None = None
    mime: str | None = None


def played(steps: Generator[Call, Answer, T], *answers: tuple[int, Any]) -> tuple[list[Call], T]:
    """The calls of a send or fetch that is answered so, with bytes or a JSON value, and how it ends."""
    calls = [next(steps)]
    for status, content in answers:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        try:
            calls.append(steps.send(Answer(status, {}, body)))
        except StopIteration as end:
            assert len(calls) == len(answers), "more answers than calls"
            return calls, end.value
    raise AssertionError(f"another call: {calls[-1]}")


async def parts(headers: Mapping[str, str], body: bytes) -> list[Part]:
    """The fields of a form, as another library reads it."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    found = []
    async for part in MultipartReader(headers, stream):
        assert isinstance(part, BodyPartReader)
        found.append(Part(part.name, bytes(await part.read()), part.filename, part.headers.get("Content-Type")))
    return found
