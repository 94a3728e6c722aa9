"""Strangers at the door of the reference core: refused, cut off, and without a trace; nobody else notices."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import uvloop

from chatload.draws import Draws
from chatload.fleet.clock import now_ns
from chatload.fleet.hostile import Strangers
from chatload.fleet.providers.settings import Settings
from chatload.plan.hostile import FIRST, KINDS, Attack, attacks
from chatload.scenario import Scenario
from chatload.scenario.service import Hostile
from chatload.targets.embedded import Embedded
from chatload.targets.rest import Admin
from tests.chatload.fleet.stage import Row, Stage, attached, of, rows
from tests.chatload.fleet.test_service import scenario

FLOOD = 300
HOSTILE = Hostile(per_s=2, flood_share=0.05, flood=FLOOD, allowed_per_s=0.1, allowed_burst=FLOOD // 2)
WEBHOOKS = ("telegram", "messenger", "viber", "vk", "whatsapp", "infobip", "sms", "max", "email")
REFUSED = {
    "unknown": {"404"}, "oversize": {"413"}, "head": {"400"}, "rest": {"401"}, "socket": {"closed 4401"},
    "signature": {"401"}, "malformed": {"401"},
}  # fmt: skip


def hostile() -> Scenario:
    """Every channel there is, and strangers."""
    found = scenario()
    bot = found.bot.model_copy(update={"service": None})
    return found.model_copy(update={"hostile": HOSTILE, "bot": bot})


def planned() -> list[Attack]:
    """A forged and a broken webhook of every messenger, then one of each kind, and a flood at last."""
    kinds = [kind for kind in ("signature", "malformed") for _ in WEBHOOKS[:-1]] + [*KINDS[2:], "flood"]
    return [Attack(FIRST + number, 500.0 * number, kind) for number, kind in enumerate(kinds)]  # type: ignore[arg-type]  # the literals of a kind


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], dict[str, Any]]:
    """The ledger of all of them, and the core's state afterwards."""
    folder = tmp_path_factory.mktemp("hostile")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        state = runner.run(play(folder))
    return rows(folder), state


async def play(folder: Path) -> dict[str, Any]:
    stage = Stage(folder, [], speed=500.0, scenario=hostile())
    core = Embedded(stage.plan.scenario, stage.world.speed, folder / "core.log")
    async with attached(stage, core, WEBHOOKS, Settings()) as messengers:
        strangers = Strangers(stage.world, planned(), messengers.values())
        stage.world.t0_ns = now_ns()
        strangers.begin()
        try:
            await stage.until(lambda: stage.recorder.rows == len(planned()))
            return await asyncio.to_thread(state_of, core)
        finally:
            await strangers.close()


def state_of(core: Embedded) -> dict[str, Any]:
    with Admin(core.url, core.auditor()["token"]) as admin:
        return admin.get("/v1/state")


def test_every_stranger_is_refused(played: tuple[list[Row], dict[str, Any]]) -> None:
    """Each in the way that fits; a flood is not listened to any more before its end."""
    ledger = played[0]
    assert {row["outcome"] for row in of(ledger, "HOSTILE")} == {"REJECTED"}
    assert {kind: {row["reason"] for row in of(ledger, "HOSTILE", rule=kind)} for kind in REFUSED} == REFUSED
    assert {row["reason"] for row in of(ledger, "HOSTILE", rule="flood")} <= {"429", "cut off"}
    assert Counter(row["rule"] for row in ledger) == Counter(attack.kind for attack in planned())
    assert all(row["intended"] <= row["started"] < row["done"] for row in ledger)
    contacts = {row["contact"] for row in ledger if row["rule"] in ("signature", "malformed")}
    assert len(contacts) == 2 * (len(WEBHOOKS) - 1)


def test_no_stranger_leaves_a_trace(played: tuple[list[Row], dict[str, Any]]) -> None:
    """The core has no dialog and no message; of the flood it looked at no more than an address may have refused."""
    found = played[1]
    assert (found["messages"], found["open"], found["waiting"]) == (0, [], 0)
    assert found["counters"]["webhook_secret_wrong"] <= HOSTILE.allowed_burst


@pytest.mark.parametrize("host, limited", [("127.0.0.1", True), ("127.0.0.2", False)])
def test_only_where_strangers_have_an_address_of_their_own_it_is_limited(
    host: str, limited: bool, tmp_path: Path
) -> None:
    """A core at an address that other machines reach is not told to refuse addresses sooner: the fleet has one."""
    core = Embedded(hostile(), 1.0, tmp_path / "core.log", host=host)
    try:
        assert ("limits" in core._configured({})) is limited
    finally:
        core.stop()


def test_strangers_come_as_planned() -> None:
    """At random moments of the rate that is asked for, each kind as often as the others; the same for one seed."""
    found = attacks(hostile(), Draws(3), 3_600_000)
    assert found == attacks(hostile(), Draws(3), 3_600_000)
    assert len(found) == pytest.approx(7_200, rel=0.05)
    counts = Counter(attack.kind for attack in found)
    assert counts["flood"] / len(found) == pytest.approx(0.05, abs=0.01)
    assert all(counts[kind] / len(found) == pytest.approx(0.95 / 7, abs=0.02) for kind in KINDS)
    assert [attack.index for attack in found] == list(range(FIRST, FIRST + len(found)))
    assert attacks(scenario(), Draws(3), 3_600_000) == []
