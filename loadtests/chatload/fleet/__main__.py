"""`python -m chatload.fleet --in FD --out FD`: started by whoever steers it, with two inherited file descriptors."""

import argparse
import asyncio
import sys

import uvloop

from chatload.fleet.process import main


def _run() -> int:
    parser = argparse.ArgumentParser(prog="chatload.fleet", description="Plays one worker's share of a run.")
    parser.add_argument("--in", dest="fd_in", type=int, required=True, help="file descriptor of the orders")
    parser.add_argument("--out", dest="fd_out", type=int, required=True, help="file descriptor of the reports")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main(arguments.fd_in, arguments.fd_out))


sys.exit(_run())
