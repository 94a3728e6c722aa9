"""The fleet with one weakness: `python -m tests.end_to_end.poor_fleets NAME --in FD --out FD`.

Each has one place of the real fleet changed, in its own process, as a machine that is too small would change it.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from chatload.fleet import fleet
from chatload.fleet.clock import now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.fleet import Fleet
from chatload.fleet.providers.settings import Settings

FROZEN_AFTER_S: Final = 4.0
FROZEN_S: Final = 1.5
ROUND_NS: Final = 3_500_000_000


def starved() -> None:
    """Four seconds after t0 it gets no CPU for a second and a half: SIGSTOP, and SIGCONT from somebody else."""
    go = Fleet.go

    def going(self: Fleet, t0_ns: int) -> None:
        go(self, t0_ns)
        wait_s = (t0_ns - now_ns()) / 1e9 + FROZEN_AFTER_S
        pid = os.getpid()
        subprocess.Popen(["sh", "-c", f"sleep {wait_s}; kill -STOP {pid}; sleep {FROZEN_S}; kill -CONT {pid}"])

    Fleet.go = going  # type: ignore[method-assign]  # the weakness


def overworked() -> None:
    """It comes round to starting dialogs only once in three and a half seconds; what is due at the end stays unsent."""
    begin = Customers.begin
    rounds: dict[Customers, int] = {}

    def now_and_then(self: Customers) -> None:
        next_ns = rounds.setdefault(self, now_ns())
        if now_ns() < next_ns:
            self._world.clock.at(next_ns, self.begin)
            return
        rounds[self] = next_ns + ROUND_NS
        begin(self)

    Customers.begin = now_and_then  # type: ignore[method-assign]  # the weakness


def unlucky() -> None:
    """Its messengers repeat more, and refuse after they have taken, in every run and not now and then."""
    make = fleet._settings
    often = {"repeat_share": 0.2, "failed_share": 0.1, "other_share": 0.2}

    def made(*arguments: Any) -> dict[str, Settings]:
        return {channel: msgspec.structs.replace(found, **often) for channel, found in make(*arguments).items()}

    fleet._settings = made  # type: ignore[assignment]  # the same arguments, whatever they are


WEAKNESSES: Final[dict[str, Callable[[], Any]]] = {
    "starved": starved,
    "overworked": overworked,
    "unlucky": unlucky,
}

if __name__ == "__main__":
    WEAKNESSES[sys.argv.pop(1)]()
    runpy.run_module("chatload.fleet", run_name="__main__")
