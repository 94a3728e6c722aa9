"""`chatload serve`: the reference core alone, under a parent that starts it again."""

import shutil
import signal
from pathlib import Path
from threading import Event
from types import FrameType

from chatload import scratch
from chatload.console import say, tell
from chatload.scenario import load
from chatload.targets.embedded import Embedded

TENDED_EVERY_S = 0.2


def serve(port: int | None, data: Path | None, operators: int, scenario: str) -> int:
    """Serve until SIGINT or SIGTERM; 0."""
    ended = Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    folder = scratch.make("chatload-serve-")
    try:
        _tend(folder, ended, port=port, data=data, operators=operators, scenario=scenario)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tend(folder: Path, ended: Event, *, port: int | None, data: Path | None, operators: int, scenario: str) -> None:
    """Keep a core up until the end; what it writes goes to `folder`."""
    log = folder / "core.log"
    core = Embedded(load(scenario).scenario, 1.0, log, port=port, data=data.resolve() if data else None)
    try:
        core.start({})
        core.add_operators(list(range(1, operators + 1)))
        say(_welcome(core, operators))
        while not ended.wait(TENDED_EVERY_S):
            restarts = len(core.faults)
            core.tend()
            if len(core.faults) > restarts:
                tell("the core ended by itself and was started again")
    finally:
        core.stop()


def _welcome(core: Embedded, operators: int) -> str:
    customer, operator, admin = (
        core.token("customer", "web/demo"),
        core.token("operator", "o1"),
        core.token("admin", "me"),
    )
    return f"""\
chatcore listens on {core.url} (customers: /v1/chat, operators o1 … o{operators}: /v1/desk). Ctrl-C ends it.
Tokens for a day; a socket presents its token in its first frame, {{"op":"hello","token":…}}:
  customer web/demo  {customer}
  operator o1        {operator}
  administrator      {admin}
Try: curl -H 'Authorization: Bearer {admin}' {core.url}/v1/state"""
