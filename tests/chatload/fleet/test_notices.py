"""The bank writes of its own accord: to who agreed, once, through the reference core as a process."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import uvloop

from chatload.accounts import user_of
from chatload.draws import Draws
from chatload.fleet.administrator import RestAdministrator
from chatload.fleet.clock import now_ns
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.notices import Became, Notices
from chatload.fleet.providers.settings import Settings
from chatload.fleet.recorder import Recorder
from chatload.fleet.world import World
from chatload.plan.notices import EACH, FIRST, Letter, letters
from chatload.scenario import Scenario
from chatload.scenario.service import Notice
from chatload.simulate.clock import VirtualClock
from chatload.simulate.unheard import NoTally
from chatload.targets import audit
from chatload.targets.embedded import Embedded
from chatreport.rundir import Kind, What
from chatreport.verify.finding import Finding
from chatreport.verify.notices import REACHED
from tests.chatload.fleet.stage import PATIENCE_S, RUN, Row, Stage, attached, columns, dialog, make_plan, of, rows
from tests.chatload.fleet.test_service import judged, scenario

NEWS = Notice(
    name="news", channel="whatsapp", text="Rates fall.", per_day=240_000, broadcast=True, consented=0.6, answered=0.5,
    lead="1 min",
)  # fmt: skip
INVITATION = Notice(name="invitation", channel="sms", text="Talk to us: https://bank.example/chat", per_day=24_000)
TOLD = Settings(rate_per_s=1000, failed_share=0, disorder_share=0.3, early_share=0.3, delivered_ms=20, read_share=0.5)
AGREED, NOT_AGREED, INVITED = range(FIRST, FIRST + 3)


def noticing() -> Scenario:
    """Every channel there is, and a bank that writes."""
    found = scenario()
    bot = found.bot.model_copy(update={"service": None})
    return found.model_copy(update={"notices": (NEWS, INVITATION), "bot": bot})


def planned() -> list[Letter]:
    """A broadcast for who agreed and for who did not, and an invitation; the last twice, which is one."""
    people = [(AGREED, NEWS, True, True), (NOT_AGREED, NEWS, False, False), (INVITED, INVITATION, False, True)]
    found = [
        Letter(index, user_of(index, notice.channel), 1000.0 * at, notice, agrees, may)
        for at, (index, notice, agrees, may) in enumerate(people)
    ]
    return [*found, found[-1]]


class Played(NamedTuple):
    ledger: list[Row]
    claims: list[Row]
    folder: Path

    def found(self) -> dict[str, Finding]:
        return judged(self.folder, self.claims)


def played_in(folder: Path, reach: int) -> Played:
    """Until `reach` people have had their notice."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        claims = runner.run(play(folder, reach))
    return Played(rows(folder), claims, folder)


async def play(folder: Path, reach: int) -> list[Row]:
    stage = Stage(folder, [], speed=500.0, scenario=noticing())
    core = Embedded(stage.plan.scenario, stage.world.speed, folder / "core.log")
    async with attached(stage, core, ("whatsapp", "sms"), TOLD) as messengers:
        administrator = RestAdministrator(stage.world)
        notices = Notices(stage.world, planned(), messengers, administrator)
        stage.world.t0_ns = now_ns()
        notices.begin()
        try:
            claims: list[Row] = []
            async with asyncio.timeout(PATIENCE_S):
                while len({row["contact"] for row in claims if row.get("reason") in REACHED}) < reach:
                    await asyncio.sleep(0.05)  # the core is polled: it tells nobody when all is delivered
                    claims = await asyncio.to_thread(claimed, core)
            return claims
        finally:
            notices.stop()
            await administrator.close()


def claimed(core: Embedded) -> list[Row]:
    url, token, partitions = core.auditor()["url"], core.auditor()["token"], core.auditor()["partitions"]
    return [*audit.history(url, token, partitions, RUN), *audit.bills(url, token)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The ledger of all of them, and what the core says."""
    return played_in(tmp_path_factory.mktemp("notices"), reach=2)


def test_notices_reach_who_may_get_them(played: Played) -> None:
    """Once each, in no dialog; without consent a broadcast is refused, and an invitation needs none."""
    asked = columns(of(played.ledger, "NOTICE"), "rule", "outcome", "reason", "size")
    assert sorted(asked) == [
        ("invitation", "OK", "", 1), ("invitation", "OK", "", 1), ("news", "OK", "", 1),
        ("news", "REJECTED", "no_consent", 0),
    ]  # fmt: skip
    reached = columns(of(played.ledger, "ATTEMPT", outcome="OK"), "contact")
    people = [f"wa/{user_of(AGREED, 'whatsapp')}", f"sms/{user_of(INVITED, 'sms')}"]
    assert sorted(reached) == sorted((contact,) for contact in people)
    stored = {(row["contact"], row["number"], row["rule"]) for row in played.claims if row.get("kind") == Kind.NOTICE}
    assert stored == {(people[0], 0, "news"), (people[1], 0, "invitation")}


def test_the_bill_is_what_was_delivered(played: Played) -> None:
    """Each account is billed for its one notice, and no guarantee is violated."""
    bills = {row["contact"]: row["size"] for row in played.claims if row["what"] == What.BILL}
    assert bills == {"wa": 1, "sms": 1}
    found = played.found()
    assert {name for name, each in found.items() if each.status == "violated"} == set()
    assert found["G11"].count == 2


def test_a_core_that_asks_nobody_for_consent_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broadcast to who did not agree violates G5, and nothing else."""
    monkeypatch.setattr(Embedded, "command", (sys.executable, "-m", "tests.end_to_end.mutants", "G5-consent"))
    found = played_in(tmp_path, reach=3).found()
    assert {name for name, each in found.items() if each.status == "violated"} == {"G5"}


class Bank:
    """Who knows everybody, and hears what is asked of the platform."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def know(self, actor: Actor, subject: Subject) -> object:
        return subject

    def agree(self, contact: str, told: Callable[[bool], None]) -> None:
        told(True)

    def notify(self, contact: str, template: str, notice_id: str, told: Callable[[Became], None]) -> None:
        self.asked.append((contact, notice_id))


def test_who_comes_back_is_written_to_again(tmp_path: Path) -> None:
    """Each letter has an id of its own, for the platform takes a second of one id for a repeat of the first."""
    clock, bank, first = VirtualClock(1), Bank(), planned()[2]
    recorder = Recorder(tmp_path, "w0")
    world = World(clock, recorder, NoTally(), make_plan([], scenario=noticing()), RUN, 1.0)
    world.t0_ns = 1
    letters_of_one = [first, msgspec.structs.replace(first, index=first.index + 1), first]
    Notices(world, letters_of_one, {"sms": bank}, bank).begin()
    clock.run(10**12)
    recorder.close()
    contact, index = f"sms/{first.user}", first.index
    ids = [f"{RUN}-invitation-{number}" for number in (index, index + 1, index)]
    assert bank.asked == [(contact, one) for one in ids]


def test_notices_are_planned_as_dialogs_are() -> None:
    """As many as the scenario says, in a load 2 the first among them; answers follow notices by their own lead."""
    scenario, draws = noticing(), Draws(3)
    written = [dialog(index, "handover", channel="whatsapp", start_ms=600_000.0) for index in range(1000)]
    found = letters(scenario, draws, "peak", 1.0, 3_600_000, written)
    people = [letter for letter in found if letter.index >= FIRST]
    news = [letter for letter in people if letter.notice is NEWS]
    expected = NEWS.per_day * scenario.volume.peak_hour_share
    assert len(news) == pytest.approx(expected, rel=0.02)
    assert len(people) - len(news) == pytest.approx(expected / 10, rel=0.05)
    assert sum(letter.may for letter in news) / len(news) == pytest.approx(0.6, abs=0.01)
    assert all(letter.agrees == letter.may for letter in news)
    assert all(letter.may and not letter.agrees for letter in people if letter.notice is INVITATION)
    answered = [letter for letter in found if letter.index < FIRST]
    assert len(answered) / len(written) == pytest.approx(0.5, abs=0.05)
    leads = [600_000.0 - letter.at_ms for letter in answered]
    assert sum(leads) / len(leads) == pytest.approx(60_000, rel=0.1)
    assert {letter.index // EACH for letter in people} == {FIRST // EACH, FIRST // EACH + 1}
    assert [letter.at_ms for letter in found] == sorted(letter.at_ms for letter in found)
