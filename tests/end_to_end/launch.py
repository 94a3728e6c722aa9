"""`chatload run` as the tests want it: a mutated core, a poor fleet, or a core that is killed.

    python -m tests.end_to_end.launch SCENARIO OUT [mutant=G3] [fleet=starved] [kills=1.2,3.4] …

What is recorded is judged and not drawn, which would take longer than its judgement. A core that is to be killed
snapshots often, and is stopped a moment before, so that every kill meets messages that were acknowledged since the
last snapshot, and messages on their way.
"""

import dataclasses
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests import unsynced

FROZEN_S: Final = 0.1
SNAPSHOT_EVERY: Final = 50


def main() -> None:
    """Play one run; its exit code."""
    from chatload.cli.run import play
    from chatload.run.ending import Ending
    from chatload.run.settings import settle
    from chatload.scenario import load
    from chatload.targets.embedded import Embedded

    scenario, out, *rest = sys.argv[1:]
    extra = dict(item.split("=", 1) for item in rest)
    if mutant := extra.pop("mutant", None):
        Embedded.command = (sys.executable, "-m", "tests.end_to_end.mutants", mutant)
    fleet = extra.pop("fleet", None)
    kills_s = tuple(float(moment) for moment in extra.pop("kills", "").split(",") if moment)
    if kills_s:
        Embedded.snapshot_every = SNAPSHOT_EVERY
    if shim := extra.pop("power", None):
        os.environ |= unsynced.environment(Path(shim), Path(tempfile.gettempdir()))
        Embedded.kill_signal = signal.SIGUSR2  # the shim's word for a power cut
    elif kills_s:
        freeze_before_kills(Embedded)
    options: dict[str, Any] = extra
    for name in ("operators", "seed", "workers"):
        if name in options:
            options[name] = int(options[name])
    if "load" in options:
        options["load"] = float(options["load"])
    Ending.judging = "verify"
    settings = settle(load(scenario), out=Path(out), **options)
    command = (sys.executable, "-m", "tests.end_to_end.poor_fleets", fleet) if fleet else None
    sys.exit(play(dataclasses.replace(settings, kills_s=kills_s), ui=False, fleet=command))


def freeze_before_kills(target: Any) -> None:
    """Stop the core for a moment before it is killed: what customers send meanwhile is in flight when it dies."""
    kill = target.kill

    def frozen(self: Any) -> None:
        os.kill(self.processes()["core"], signal.SIGSTOP)
        time.sleep(FROZEN_S)  # the fault itself, not a wait for luck
        kill(self)

    target.kill = frozen


if __name__ == "__main__":
    main()
