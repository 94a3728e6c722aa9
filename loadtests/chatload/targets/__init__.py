"""Systems under test: one file each, all with the verbs of `chatload.targets.port`."""

import difflib
from pathlib import Path
from typing import Final

from chatload.errors import BadOption
from chatload.scenario import Scenario
from chatload.targets.embedded import Embedded
from chatload.targets.null import Null
from chatload.targets.port import Fault, Target

TARGETS: Final[dict[str, type[Embedded] | type[Null]]] = {"embedded": Embedded, "null": Null}

__all__ = ["TARGETS", "Embedded", "Fault", "Null", "Target", "known", "make"]


def known(name: str) -> str:
    """`name`, if there is such a target; `BadOption` otherwise."""
    if name not in TARGETS:
        nearest = difflib.get_close_matches(name, TARGETS, n=1, cutoff=0.0)
        raise BadOption("--target", name, f'no such target; did you mean "{nearest[0]}"?')
    return name


def make(
    name: str, scenario: Scenario, speed: float, log: Path, port: int | None, cpus: list[int], host: str
) -> Target:
    """The target of this name, not started yet; what it starts listens at our address `host`."""
    return TARGETS[known(name)](scenario, speed, log, port=port, cpus=cpus, host=host)
