"""`chatload run` with the stub fleet instead of the real one: what the tests of the control plane start.

Its record is judged and not drawn, which would take longer than all the rest.
"""

import sys
from pathlib import Path

STUB = (sys.executable, str(Path(__file__).with_name("stub_fleet.py")))


def main() -> None:
    """Arguments: SCENARIO DURATION RAMP OUT, then others by name: operators=N, workers=N, part=PART."""
    from chatload.cli.run import play
    from chatload.run.ending import Ending
    from chatload.run.settings import settle
    from chatload.scenario import load

    scenario, duration, ramp, out, *rest = sys.argv[1:]
    extra = dict(item.split("=") for item in rest)
    settings = settle(
        load(scenario),
        duration=duration,
        ramp=ramp,
        out=Path(out),
        operators=int(extra.get("operators", 3)),
        workers=int(extra.get("workers", 1)),
        part=extra.get("part", "peak"),
    )
    Ending.judging = "verify"
    sys.exit(play(settings, ui=False, fleet=STUB))


if __name__ == "__main__":
    main()
