"""T-Bank's day hour by hour, over the channels that exist, with nothing lost.

    python -m benchmarks.day_curve [--speed N] [--target NAME] [--out FOLDER]

As `day`, but along the day's curve (`--part day`): its peak hour holds 2.26 times the mean, so a machine that carries
the peak hour is idle for most of the run.
"""

import sys
from collections.abc import Sequence

from benchmarks.day import parse, play

LINE = "T-Bank's whole day along its curve, on two cores, nothing lost"
SPEED = 170.0  # what two cores of the machine in the README carry in the peak hour


def main(argv: Sequence[str]) -> int:
    """Play and print; the last line is the result as JSON. 1 if the day did not hold."""
    return play(LINE, parse(argv, "day_curve", SPEED), ["--part", "day"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
