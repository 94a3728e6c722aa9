"""What strangers do, and when: decided before anything runs, however the platform answers."""

from typing import Final, Literal

import msgspec

from chatload.draws import Draws, Purpose
from chatload.scenario import Scenario

AttackKind = Literal["signature", "malformed", "unknown", "oversize", "head", "rest", "socket", "flood"]
KINDS: Final[tuple[AttackKind, ...]] = ("signature", "malformed", "unknown", "oversize", "head", "rest", "socket")
FIRST: Final = 700_000_000  # the strangers' users, as indices that no plan has


class Attack(msgspec.Struct, frozen=True):
    """One thing that a stranger does `at_ms` after t0, in business time; `index` names the user they pretend to be."""

    index: int
    at_ms: float
    kind: AttackKind


def attacks(scenario: Scenario, draws: Draws, horizon_ms: float) -> list[Attack]:
    """All that strangers do, in order: random starts (Poisson), each kind as often as any other, and the floods."""
    found: list[Attack] = []
    hostile, at_ms = scenario.hostile, 0.0
    while hostile is not None:
        index = FIRST + len(found)
        at_ms += draws.exponential(1000 / hostile.per_s, Purpose.HOSTILE_TIME, index)
        if at_ms >= horizon_ms:
            break
        point = draws.uniform(Purpose.HOSTILE_KIND, index)
        rest = (point - hostile.flood_share) / max(1 - hostile.flood_share, 1e-9)
        found.append(Attack(index, at_ms, "flood" if rest < 0 else KINDS[int(rest * len(KINDS))]))
    return found
