"""What customers and operators do besides writing, on every channel at once, with the reference core as a process."""

import asyncio
from functools import partial
from pathlib import Path

import msgspec
import pytest
import uvloop

from chatload.accounts import ACCOUNTS, BANKS_BOT
from chatload.fleet.bankbot import BankBot
from chatload.fleet.clock import now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.history import HistoryReader
from chatload.fleet.link import Link
from chatload.fleet.office import Office
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.settings import Settings
from chatload.fleet.script import Join
from chatload.fleet.seats import Seats
from chatload.fleet.session import Session
from chatload.fleet.uploads import Uploads
from chatload.fleet.world import Target
from chatload.host import LOOPBACK
from chatload.plan import Dialog
from chatload.plan.model import Rating
from chatload.scenario import Scenario, load
from chatload.scenario.bot import Line, Menu
from chatload.scenario.bot import Service as BankService
from chatload.scenario.channels import Channels, Messenger
from chatload.scenario.people import Feedback
from chatload.targets import audit
from chatload.targets.embedded import Embedded
from chatreport.rundir import Kind, What
from tests.chatload.fleet.stage import RUN, Row, Stage, columns, dialog, make_plan, of, rows

SPEED = 500.0
QUIET = Settings(
    rate_per_s=1000, chat_rate_per_s=1000, burst=100, failed_share=0, late_ms=100.0, repeat_share=0.5, other_share=2.0
)  # of two: all messages that can be edited are
EDITABLE = ("MAX", "MESSENGER", "TELEGRAM", "VK")
LINKED = ("INFOBIP", "MESSENGER", "TELEGRAM", "VIBER", "WHATSAPP")  # which fetch what is sent by its address
MESSENGERS = {name: made for name, made in PROVIDERS.items() if name != "phone"}  # where customers write
CHANNELS = ("web", "app", *sorted(MESSENGERS))


def scenario() -> Scenario:
    """The smoke scenario on every channel there is, without its bot but on the website and in the app."""
    smoke = load("smoke").scenario
    played = smoke.channels
    limits = {"rate_per_s": 1000, "chat_rate_per_s": 1000, "burst": 100}
    messenger = Messenger(share=0, bot=False, types_per_min=180, **limits)
    feedback = Feedback(
        request="Good or bad?", share=1, scores=(1, 1), after="1 s", window="24 h", bad="плохо", good="хорошо"
    )
    people = smoke.operators.model_copy(update={"attachment_share": 1.0})
    service = BankService(timeout="300 ms", suggests=0.2, slow=0.2, broken=0.2, wrong=0.2, topics={"cards": "general"})
    bot = smoke.bot.model_copy(update={"service": service})
    timers = smoke.timers.model_copy(update={"offer": 600_000.0})
    channels = Channels.model_construct(None, web=played.web, app=played.app, **dict.fromkeys(MESSENGERS, messenger))
    return smoke.model_copy(
        update={"channels": channels, "feedback": feedback, "timers": timers, "operators": people, "bot": bot}
    )


def asking(played: Scenario) -> dict[str, int]:
    """By what the bank's bot makes of a first message: the index of a dialog with that."""
    indices = range(1000, 1200)
    plan = make_plan([dialog(index, "bot") for index in indices], scenario=played)
    return {plan.bot_says(index, 0).kind: index for index in indices}


def everywhere() -> list[Dialog]:
    """One dialog on each channel, in the order of `CHANNELS`, and one for each thing that the bank's bot can say."""
    score = Rating(score=2, after_ms=1000.0)
    return [
        dialog(index, "handover", "operator", channel=channel, rating=score)
        for index, channel in enumerate(CHANNELS, 1)
    ] + [dialog(index, "bot", "handover") for index in asking(scenario()).values()]


class Service:
    """Some dialogs played to their end with a core of this scenario."""

    def __init__(self, folder: Path, scenario: Scenario, planned: list[Dialog]) -> None:
        self._folder = folder
        self._scenario = scenario
        self._planned = planned
        self.history: list[Row] = []
        self.enclosed: dict[str, list[int]] = {}  # by channel: bytes of what operators are planned to send

    def play(self) -> list[Row]:
        """The ledger; the platform's own history is in `history`."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._play())
        return rows(self._folder)

    async def _play(self) -> None:
        planned = self._planned
        stage = Stage(self._folder, planned, speed=SPEED, scenario=self._scenario)
        for each in planned[: len(CHANNELS)]:
            files = [stage.plan.reply(each.index, turn).attachment for turn in range(len(each.turns))]
            self.enclosed[each.channel.upper()] = sorted(file.size for file in files if file)
        providers = {name: made(stage.world, ACCOUNTS[name], QUIET) for name, made in MESSENGERS.items()}
        bot = BankBot(stage.world)
        core = Embedded(stage.plan.scenario, SPEED, self._folder / "core.log")
        try:
            urls = {ACCOUNTS[name]: await provider.start() for name, provider in providers.items()}
            await asyncio.to_thread(core.start, urls | {BANKS_BOT: await bot.start(LOOPBACK)})
            await asyncio.to_thread(core.add_operators, [1, 2, 3])
            stage.world.target = msgspec.convert(core.wire(), Target)
            for provider in providers.values():
                provider.begin()
                await provider.greet()
            history = HistoryReader(stage.world)
            uploads = Uploads(stage.world, history.http)
            office = Office(Link, history, uploads)
            seats = Seats(stage.world, stage.live, office, lambda n, on: stage.seated.append((n, on)))
            joins: dict[str, Join] = dict.fromkeys(("web", "app"), partial(Session, store=uploads.store))
            joins |= {name: provider.join for name, provider in providers.items()}
            customers = Customers(stage.world, stage.live, tuple(planned), joins)
            stage.world.t0_ns = now_ns()
            for number in range(1, 4):
                seats.set(number, on=True)
            await stage.until(lambda: len(stage.seated) == 3)
            customers.begin()
            await stage.until(lambda: stage.tally.started == len(planned))
            await stage.until(lambda: not customers.busy)
            await asyncio.to_thread(self._read, core)
            seats.shut()
            await history.close()
        finally:
            for provider in providers.values():
                await provider.close()
            await bot.close()
            await asyncio.to_thread(core.stop)
            stage.clock.close()
            stage.recorder.close()

    def _read(self, core: Embedded) -> None:
        reach = core.auditor()
        self.history = list(audit.history(reach["url"], reach["token"], reach["partitions"], RUN))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Service]:
    """The ledger of one dialog on each channel, and what there is besides."""
    played = Service(tmp_path_factory.mktemp("service"), scenario(), everywhere())
    return played.play(), played


def test_customers_of_every_channel_rate_once_asked(service: tuple[list[Row], Service]) -> None:
    """By a frame or in words, some time after the request; the platform keeps each rating once, and no dialog more."""
    ledger, history = service[0], service[1].history
    given = {(row["channel"], row["size"], row["place"]) for row in of(ledger, "RATING", outcome="OK")}
    assert given == {(channel.upper(), 2, 2) for channel in CHANNELS}
    kept = sorted((row["contact"], row["number"], row["size"]) for row in history if row["what"] == What.AUDIT_RATING)
    assert kept == sorted((row["contact"], 1, 2) for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS))
    assert {row["number"] for row in history} == {1}
    assert all(row["intended"] <= row["started"] < row["done"] for row in of(ledger, "RATING", outcome="OK"))
    assert {row["outcome"] for row in of(ledger, "DIALOG")} == {"COMPLETED"}


def test_operators_send_attachments_on_every_channel(service: tuple[list[Row], Service]) -> None:
    """Each is stored once, reaches its customer, and is whole where its messenger fetches it; SMS carries texts."""
    ledger, planned = service[0], service[1].enclosed
    assert {channel: len(sizes) for channel, sizes in planned.items()} == {
        channel.upper(): 0 if channel == "sms" else 2 for channel in CHANNELS
    }
    fetched = of(ledger, "FETCH")
    assert {channel: sorted(row["size"] for row in of(fetched, "FETCH", channel=channel)) for channel in LINKED} == {
        channel: planned[channel] for channel in LINKED
    }
    assert {row["outcome"] for row in fetched} == {"OK"}
    sent = of(ledger, "SEND", outcome="OK")
    for row in (row for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS)):
        replies = {
            (s["sender"], s["counter"]) for s in sent if s["contact"] == row["contact"] and s["sender"][0] == "o"
        }
        assert len(replies) == 2
        assert {(seen["sender"], seen["counter"]) for seen in of(ledger, "ENTRY", who=row["who"])} >= replies
    kept = {(row["sender"], row["counter"]) for row in service[1].history if str(row.get("sender", "")).startswith("o")}
    assert kept == {(row["sender"], row["counter"]) for row in sent if row["sender"][0] == "o"}


def test_customers_edit_wherever_a_messenger_lets_them(service: tuple[list[Row], Service]) -> None:
    """Each message is given new words, which the platform keeps behind it under its identity."""
    ledger = service[0]
    told = {(row["channel"], row["counter"]) for row in of(ledger, "SEND", kind="EDITED", outcome="OK")}
    assert told == {(channel, counter) for channel in EDITABLE for counter in (1, 2)}
    kept = [row for row in service[1].history if row.get("kind") == Kind.EDITED]
    assert sorted((row["channel"].name, row["counter"], row["cursor"]) for row in kept) == sorted(
        (channel, counter, 1) for channel, counter in told
    )


LED_TO = {
    "answer": ("MESSAGE", "bot", ""),
    "suggestion": ("MESSAGE", "bot", ""),
    "slow": ("QUEUED", "system", "bot_slow"),
    "broken": ("QUEUED", "system", "bot_broken"),
    "wrong": ("QUEUED", "system", "bot_wrong"),
}


@pytest.mark.parametrize("kind", sorted(LED_TO))
def test_the_banks_own_bot_answers_or_leads_to_an_operator(kind: str, service: tuple[list[Row], Service]) -> None:
    """What it makes of a message is the plan's; one that is slow, broken or wrong makes way for a person."""
    ledger, index = service[0], asking(scenario())[kind]
    (asked, *more) = of(ledger, "ASKED", plan=index)
    outcome = "INDETERMINATE" if kind == "slow" else "OK"
    assert (asked["sender"], asked["counter"], asked["reason"], asked["outcome"]) == (f"c{index}", 1, kind, outcome)
    first, *_ = of(ledger, "ENTRY", who=f"c{index}")
    assert (first["kind"], first["author"], first["sender"]) == LED_TO[kind]
    assert [row["outcome"] for row in of(ledger, "DIALOG", plan=index)] == ["COMPLETED"]
    queued = of(ledger, "ENTRY", who=f"c{index}", kind="QUEUED")
    assert columns(queued, "reason") == [("general",)]
    topics = {row["rule"] for row in more if row["reason"] == "handover"}
    assert topics <= {"cards"}


def test_customers_walk_the_menu_to_an_operator(tmp_path: Path) -> None:
    """The first words bring the menu up; then numbers alone, to a text and to a topic, whose operator answers."""
    lines = (Line(name="Rates", text="The rates are on our site."), Line(name="Cards", topic="cards"))
    bot = load("smoke").scenario.bot.model_copy(update={"menu": Menu(text="How can we help?", walks=1, lines=lines)})
    walker = dialog(1, "bot", "bot", "handover", "operator", walks=True)
    played = Service(tmp_path, scenario().model_copy(update={"bot": bot, "feedback": None}), [walker])
    ledger = played.play()
    sent = columns(of(ledger, "SEND", who="c1", outcome="OK"), "counter", "seq", "size")
    assert [(counter, seq) for counter, seq, _ in sent] == [(1, 1), (2, 3), (3, 5), (4, 9)]
    assert [size for _, _, size in sent[1:3]] == [1, 1]
    answers = of(ledger, "ENTRY", who="c1", author="bot")
    assert columns(answers, "rule", "cause_seq") == [("menu:", 1), ("menu:Rates", 3)]
    shown = {(row["sender"], row["counter"]) for row in of(ledger, "ENTRY", author="customer")}
    kept = {(row["sender"], row["counter"]) for row in played.history if row.get("author") == "customer"}
    assert shown == kept == {("c1", counter) for counter in (1, 2, 3, 4)}
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]
