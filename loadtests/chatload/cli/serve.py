"""`chatload serve`: the reference core alone, under a parent that starts it again."""

import signal
import tempfile
from pathlib import Path
from threading import Event
from types import FrameType

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
    with tempfile.TemporaryDirectory(prefix="chatload-serve-") as folder:
        log = Path(folder) / "core.log"
        core = Embedded(load(scenario).scenario, 1.0, log, port=port, data=data.resolve() if data else None)
        try:
            core.start(callback="")
            core.add_operators(list(range(1, operators + 1)))
            say(_welcome(core, operators))
            while not ended.wait(TENDED_EVERY_S):
                restarts = len(core.faults)
                core.tend()
                if len(core.faults) > restarts:
                    tell("the core ended by itself and was started again")
        finally:
            core.stop()
    return 0


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
