"""What the key figures are computed over: a whole run, or the part of it that belongs to a channel or half an hour."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from chatreport.episodes import Contacts, Episodes
from chatreport.evidence import SECOND_NS, Evidence
from chatreport.floor import Floor
from chatreport.grouping import Floats, Ints, unique
from chatreport.kpi.desks import Desks, Windows, desks_of
from chatreport.tables import parts
from chatreport.turns import Acts, Answers, acts_of, answers_of


@dataclass(frozen=True)
class Sample:
    """Some dialogs, what operators did in them, and operators' time; wall nanoseconds, which `seconds` converts."""

    dialogs: Episodes
    acts: Acts
    answers: Answers
    desks: Desks  # with these dialogs, the ramp's too
    everybody: Desks  # with all dialogs
    speed: float

    def seconds(self, ns: Ints | float) -> Floats:
        """Wall nanoseconds as business seconds."""
        return np.asarray(ns) / SECOND_NS * self.speed

    def split(self, group: Callable[[Ints], Ints], numbers: Iterable[int] = ()) -> "dict[int, Sample]":
        """The sample of each group of dialogs, and of these numbers, though they may be empty.

        `group` tells the groups of dialogs, which come in any order, and more than once.
        """
        dialogs = parts(self.dialogs, group(self.dialogs.dialog))
        acts = parts(self.acts, group(self.acts.dialog))
        answers = parts(self.answers, group(self.answers.dialog))
        owned = parts(self.desks.owned, group(self.desks.owned.dialog))
        none = np.zeros(0, np.int64)
        return {
            number: replace(
                self,
                dialogs=dialogs.get(number, self.dialogs.take(none)),
                acts=acts.get(number, self.acts.take(none)),
                answers=answers.get(number, self.answers.take(none)),
                desks=self.desks.holding(owned.get(number, self.desks.owned.take(none))),
            )
            for number in unique(np.array([*dialogs, *owned, *numbers], np.int64)).tolist()
        }

    def during(self, windows: Windows) -> "Sample":
        """The same dialogs, and everybody's time in other windows."""
        desks = self.everybody.during(windows)
        return replace(self, desks=desks, everybody=desks)


def sample_of(evidence: Evidence, floor: Floor, contacts: Contacts) -> Sample:
    """The whole run's main part."""
    manifest = evidence.manifest
    begin = int(manifest.get("t0_ns") or 0)
    end = max(int(manifest.get("end_ns") or floor.horizon), begin)
    desks = desks_of(floor, ((begin, end),))
    return Sample(
        dialogs=contacts.episodes,
        acts=acts_of(evidence, floor, contacts.turns),
        answers=answers_of(contacts.turns),
        desks=desks,
        everybody=desks,
        speed=float(manifest.get("speed") or 1.0),
    )
