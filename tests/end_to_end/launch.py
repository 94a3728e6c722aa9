"""`chatload run` as the tests want it: with a mutated core, or with a core that is killed while it works.

python -m tests.end_to_end.launch SCENARIO OUT [mutant=G3] [kills=1.2,3.4] [power=SHIM] [operators=N] …
"""

import dataclasses
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests import unsynced


def main() -> None:
    """Play one run; its exit code."""
    from chatload.cli.run import play
    from chatload.run.settings import settle
    from chatload.scenario import load
    from chatload.targets.embedded import Embedded

    scenario, out, *rest = sys.argv[1:]
    extra = dict(item.split("=", 1) for item in rest)
    if mutant := extra.pop("mutant", None):
        Embedded.command = (sys.executable, "-m", "tests.end_to_end.mutants", mutant)
    kills_s = tuple(float(moment) for moment in extra.pop("kills", "").split(",") if moment)
    if shim := extra.pop("power", None):
        os.environ |= unsynced.environment(Path(shim), Path(tempfile.gettempdir()))
        Embedded.kill_signal = signal.SIGUSR2  # the shim's word for a power cut
    options: dict[str, Any] = extra
    for name in ("operators", "seed"):
        if name in options:
            options[name] = int(options[name])
    settings = settle(load(scenario), out=Path(out), **options)
    sys.exit(play(dataclasses.replace(settings, kills_s=kills_s), ui=False))


if __name__ == "__main__":
    main()
