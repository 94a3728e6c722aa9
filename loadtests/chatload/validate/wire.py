"""One play of the queue over the real wire: `python -m chatload.validate.wire LOAD SEED SPAN_S SPEED OUT`.

A run as any other, in a process of its own because Locust patches the one it lives in; judged and not drawn.
"""

import sys
from pathlib import Path

from chatload.validate.queue import settings_of


def main() -> None:
    """Play it; the exit code of the run."""
    from chatload.cli.run import play
    from chatload.run.ending import Ending

    load, seed, span_s, speed, out = sys.argv[1:]
    Ending.judging = "verify"
    sys.exit(play(settings_of(float(load), int(seed), float(span_s), float(speed), Path(out)), ui=False))


if __name__ == "__main__":
    main()
