"""Open-loop probes: who asks, and for how long."""

from pathlib import Path

import pytest

from chatload.fleet import probes
from chatload.fleet.clock import now_ns
from chatload.fleet.probes import CONTACTS, Probes
from tests.chatload.fleet.stage import Stage, columns, of, played

ROUND = 3


@pytest.mark.parametrize("worker, workers", [(0, 1), (1, 2)])
def test_probes_take_turns(worker: int, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe closes its dialog after its last question, and another contact goes on; no worker uses another's."""
    monkeypatch.setattr(probes, "QUESTIONS", ROUND)
    first = [f"p{worker * CONTACTS + place}" for place in range(CONTACTS)]
    second = [f"p{(workers + worker) * CONTACTS + place}" for place in range(CONTACTS)]

    async def act(stage: Stage) -> None:
        stage.world.workers = workers
        keyword = stage.plan.scenario.bot.answers[0].keywords[0]
        found = Probes(stage.world, worker, "web", keyword)
        found.begin(now_ns())
        await stage.until(lambda: found._turn >= (ROUND + 1) * CONTACTS)
        found.stop()
        everybody = [f"web/probe-{name[1:]}" for name in first + second]
        await stage.until(lambda: all(stage.core.contact(each).state == "closed" for each in everybody))
        found.leave()

    ledger = played(tmp_path, [], act)
    asked = {who: [row["counter"] for row in of(ledger, "PROBE", who=who, outcome="OK")] for who in first + second}
    assert [asked[who] for who in first] == [[1, 2, 3]] * CONTACTS
    assert [asked[who][:1] for who in second] == [[1]] * CONTACTS
    assert len(of(ledger, "PROBE")) == sum(map(len, asked.values())), "every question was answered, nobody else asked"
    assert sorted(columns(of(ledger, "CLOSE"), "who", "outcome")) == sorted((who, "OK") for who in first + second)
