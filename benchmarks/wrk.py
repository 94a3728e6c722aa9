"""Context for the other lines: a bare aiohttp + orjson echo, asked by wrk and by aiohttp's client in turns.

    python -m benchmarks.wrk [ROUNDS]

The echo has one CPU, the side at work the other; fifty connections each.
"""

import statistics
import sys
from collections.abc import Sequence
from multiprocessing import get_context

import aiohttp
import uvloop
from benchmarks.groundwork import BODY, PORT, posts_per_s, serve, until_up
from benchmarks.sides import alternate, pinned, ratios, tell, wrk

URL = f"http://127.0.0.1:{PORT}/"
CONNECTIONS = 50


def by_aiohttp() -> float:
    """Requests a second of aiohttp's client."""

    async def ask() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
            await until_up(lambda: posts_per_s(session))
            return await posts_per_s(session)

    return uvloop.run(ask())


def by_wrk() -> float:
    """Requests a second of wrk."""
    found = wrk(URL, BODY, CONNECTIONS)
    if found is None:
        raise SystemExit("wrk is not installed (Debian, Ubuntu: apt install wrk)")
    return found


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    rounds = int(argv[0]) if argv else 5
    server = get_context("spawn").Process(target=serve, daemon=True)
    with pinned([0]):
        server.start()
    try:
        with pinned([1]):
            found = alternate({"aiohttp": by_aiohttp, "wrk": by_wrk}, rounds)
    finally:
        server.terminate()
        server.join()
    for side, rates in found.items():
        print(f"{side:8} {statistics.median(rates):10,.0f} /s   ({min(rates):,.0f} to {max(rates):,.0f})")
    details = {f"{side}_per_s": round(statistics.median(rates)) for side, rates in found.items()}
    tell("context: aiohttp's client beside wrk", **ratios(found["aiohttp"], found["wrk"]), details=details)


if __name__ == "__main__":
    main(sys.argv[1:])
