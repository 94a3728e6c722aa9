"""The fleet's hot paths: parse, encode, record, bucket, and the clock's timers."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from chatload.fleet import codes
from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.frames import Entry, Offered, customer_frame, desk_frame, encode
from chatload.fleet.identity import parse
from chatload.fleet.recorder import Recorder
from chatload.fleet.tally import bucket_ms

ENTRY = encode(Entry("web/u1#1", 3, "message", "customer", "[ab12cd:c1042:3] " + "x" * 60, "[ab12cd:c1042:3]"))
OFFER = encode(Offered("web/u1#1", 7, 12, 0, "general"))
TIMERS = 1_000


def test_parse_an_entry(benchmark: Any) -> None:
    assert benchmark(customer_frame.decode, ENTRY).seq == 3


def test_parse_an_offer(benchmark: Any) -> None:
    assert benchmark(desk_frame.decode, OFFER).number == 7


def test_parse_an_identity(benchmark: Any) -> None:
    assert benchmark(parse, "[ab12cd:c1042:3] words").sender == "c1042"


def test_encode_a_send(benchmark: Any) -> None:
    assert benchmark(lambda: encode({"op": "send", "cid": "[ab12cd:c1042:3]", "text": "x" * 60}))


def test_record_a_row(benchmark: Any, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "w0")
    who = recorder.text("c1042")
    benchmark(lambda: recorder.put(codes.ENTRY, codes.OK, codes.MESSAGE, codes.MAIN, codes.WEB, done=1, who=who))
    assert recorder.rows
    recorder.close()


def test_bucket_a_time(benchmark: Any) -> None:
    """As Locust's tables hold it."""
    assert benchmark(bucket_ms, 1_234.5) == 1_200


def test_a_thousand_timers(benchmark: Any) -> None:
    """Set and fired in order."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def start() -> Clock:
            return Clock()

        clock = runner.run(start())

        async def fire() -> int:
            fired: list[int] = []
            due_ns = now_ns()
            for number in range(TIMERS):
                clock.at(due_ns + number, partial(fired.append, number))
            last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            clock.at(due_ns + TIMERS, lambda: last.set_result(len(fired)))
            return await last

        assert benchmark(lambda: runner.run(fire())) == TIMERS
        clock.close()
