"""What customers and operators do besides writing, on every channel at once, with the reference core as a process."""

import asyncio
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pytest
import uvloop

from chatload.accounts import BANK, BANKS_BOT, RELAY, channel_of
from chatload.fleet.bank import Bank
from chatload.fleet.bankbot import BankBot
from chatload.fleet.clock import now_ns
from chatload.fleet.providers import PROVIDERS, media
from chatload.fleet.providers.settings import Settings
from chatload.host import LOOPBACK
from chatload.plan import Dialog
from chatload.plan.model import Attachment, Rating
from chatload.scenario import Scenario, load
from chatload.scenario.bot import Service as BankService
from chatload.scenario.channels import Channels, Messenger
from chatload.scenario.people import Feedback
from chatload.scenario.service import Replies
from chatload.targets import audit
from chatload.targets.embedded import Embedded
from chatload.targets.rest import Admin
from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.ledger import Ledger
from chatreport.rundir import Kind, What, write_part
from chatreport.verify import check_all
from chatreport.verify.finding import Finding
from tests.chatload.fleet.stage import LONG_MS, RUN, Row, Stage, attached, columns, dialog, make_plan, of, rows
from tests.chatreport.ledgers import manifest

SPEED = 500.0
QUIET = Settings(
    rate_per_s=1000, chat_rate_per_s=1000, burst=100, failed_share=0, late_ms=100.0, repeat_share=0.5, other_share=2.0
)  # of two: all messages that can be edited are
EDITABLE = ("MAX", "MESSENGER", "TELEGRAM", "VK")
LINKED = ("INFOBIP", "MESSENGER", "TELEGRAM", "VIBER", "WHATSAPP")  # which fetch what is sent by its address
REPLIES = Replies(greeting="Welcome.", waiting="Everybody is busy, please wait.", closing="Good bye.")
MESSENGERS = {name: made for name, made in PROVIDERS.items() if name != "phone"}  # where customers write
CHANNELS = ("web", "app", *sorted(MESSENGERS))
FILES = {name: None if name == "sms" else Attachment("png", 1000 + len(name)) for name in CHANNELS}  # of customers
BACK = 200  # the index of who comes back, beyond that of their first dialog
LATER_MS = 3_600_000_000.0  # when: not before the test turns the clock forward


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
    service = BankService(timeout="1500 ms", suggests=0.2, slow=0.2, broken=0.2, wrong=0.2, topics={"cards": "general"})
    bot = smoke.bot.model_copy(update={"service": service})
    timers = smoke.timers.model_copy(update={"offer": LONG_MS, "inactivity": LONG_MS})
    channels = Channels.model_construct(None, web=played.web, app=played.app, **dict.fromkeys(MESSENGERS, messenger))
    return smoke.model_copy(
        update={
            "channels": channels, "feedback": feedback, "timers": timers, "operators": people, "bot": bot,
            "replies": REPLIES,
        }
    )  # fmt: skip


def asking(played: Scenario) -> dict[str, int]:
    """By what the bank's bot makes of a first message: the index of a dialog with that."""
    indices = range(1000, 1200)
    plan = make_plan([dialog(index, "bot") for index in indices], scenario=played)
    return {plan.bot_says(index, 0).kind: index for index in indices}


def everywhere() -> list[Dialog]:
    """Two dialogs of one customer on each channel, the first in the order of `CHANNELS`, with a file and a burst.

    And one dialog for each thing that the bank's bot can say.
    """
    score = Rating(score=2, after_ms=1000.0)
    first = [
        with_file(dialog(index, "handover", "operator", "more", channel=channel, rating=score), FILES[channel])
        for index, channel in enumerate(CHANNELS, 1)
    ]
    asked = [dialog(index, "bot", "handover") for index in asking(scenario()).values()]
    again = [
        dialog(BACK + n, "handover", channel=one.channel, start_ms=LATER_MS, user=one.user, person=n)
        for n, one in enumerate(first, 1)
    ]
    return [*first, *asked, *again]


def with_file(planned: Dialog, file: Attachment | None) -> Dialog:
    """The dialog with a file in place of its last text."""
    *turns, last = planned.turns
    return msgspec.structs.replace(planned, turns=(*turns, msgspec.structs.replace(last, attachment=file)))


def judged(folder: Path, claims: list[Row]) -> dict[str, Finding]:
    """What the checkers find in a ledger and a platform's claims."""
    collected = audit.Rows()
    write_part(folder / "ledger", "audit", 0, collected.pack(claims), collected.texts)
    known = manifest(now_ns(), 0, 0, 3)
    evidence = Evidence(Ledger.read(folder, known), known)
    return check_all(evidence, Floor(evidence))[0]


class Service:
    """Some dialogs played to their end with a core of this scenario."""

    def __init__(self, folder: Path, scenario: Scenario, planned: list[Dialog]) -> None:
        self._folder = folder
        self._scenario = scenario
        self._planned = planned
        self.history: list[Row] = []
        self.sent: list[tuple[str, str]] = []  # customers' files: channel, and the name if they came whole with it
        self.state: list[Row] = []
        self.enclosed: dict[str, list[int]] = {}  # by channel: bytes of what operators are planned to send

    def play(self) -> list[Row]:
        """The ledger; the platform's own history is in `history`."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._play())
        return rows(self._folder)

    async def _play(self) -> None:
        planned = self._planned
        stage = Stage(self._folder, planned, speed=SPEED, scenario=self._scenario)
        for each in planned:
            files = [stage.plan.reply(each.index, burst.start).attachment for burst in each.bursts()]
            self.enclosed.setdefault(each.channel.upper(), []).extend(file.size for file in files if file)
        core = Embedded(stage.plan.scenario, SPEED, self._folder / "core.log")
        bot, bank = BankBot(stage.world), Bank(stage.world)
        service, relay = await bank.start(LOOPBACK)
        callbacks = {BANK: service, RELAY: relay, BANKS_BOT: await bot.start(LOOPBACK)}
        try:
            async with attached(stage, core, MESSENGERS, QUIET, callbacks) as messengers:
                await asyncio.to_thread(core.add_operators, [1, 2, 3])
                stage.cast(messengers)
                await stage.seat(1, 2, 3)
                await self._to_the_end(stage, sum(each.start_ms < LATER_MS for each in planned))
                stage.world.t0_ns -= stage.world.wall(LATER_MS)
                await self._to_the_end(stage, len(planned))
                await asyncio.to_thread(self._read, core)
                stage.seats.shut()
                await stage.history.close()
        finally:
            await bot.close()
            await bank.close()

    async def _to_the_end(self, stage: Stage, dialogs: int) -> None:
        stage.customers.begin()
        await stage.until(lambda: stage.tally.started == dialogs)
        await stage.until(lambda: not stage.customers.busy)

    def judged(self) -> dict[str, Finding]:
        """What the checkers find in the ledger and the platform's own history."""
        return judged(self._folder, [*self.history, *self.state])

    def _read(self, core: Embedded) -> None:
        reach = core.auditor()
        self.history = list(audit.history(reach["url"], reach["token"], reach["partitions"], RUN))
        self.state = list(audit.state(reach["url"], reach["token"]))
        with Admin(reach["url"], reach["token"]) as admin:
            kept = [entry for partition in range(reach["partitions"]) for entry in audit._pages(admin, partition)]
        for entry in kept:
            if entry.get("author") == "customer" and entry["kind"] == "message" and entry.get("files"):
                (file,) = entry["files"]
                name = self._name_of(f"{reach['url']}/v1/files/{file['ref']}", reach["token"]) if file["ref"] else ""
                self.sent.append((channel_of(entry["dialog"].partition("/")[0]), name))

    @staticmethod
    def _name_of(url: str, token: str) -> str:
        with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"})) as answer:
            return media.name_in(answer.read())


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
    assert all(row["intended"] <= row["started"] < row["done"] for row in of(ledger, "RATING", outcome="OK"))
    assert {row["outcome"] for row in of(ledger, "DIALOG")} == {"COMPLETED"}


def test_who_comes_back_has_another_dialog_of_the_same_contact(service: tuple[list[Row], Service]) -> None:
    """Begun by the first word after the rating, on every channel; both are known by what is in their texts."""
    ledger, history = service[0], service[1].history
    contacts = {row["contact"]: row["plan"] for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS)}
    back = of(ledger, "DIALOG", counter=1)
    assert {row["contact"]: row["plan"] - BACK for row in back} == contacts
    said = [row for row in history if row.get("author") == "customer" and row.get("sender")]  # and not a rating's words
    assert {(row["sender"], row["contact"], row["number"]) for row in said if row["contact"] in contacts} == {
        (f"c{index + more}", contact, number)
        for contact, index in contacts.items()
        for more, number in ((0, 1), (BACK, 2))
    }
    assert {row["number"] for row in history} == {1, 2}
    for row in (row for row in ledger if row["what"] in ("SEND", "CLOSE") and row["who"][0] == "o"):
        assert (row["number"] == 2) == (row["plan"] > BACK and row["contact"] in contacts)


def test_customers_write_at_once_and_get_one_answer(service: tuple[list[Row], Service]) -> None:
    """An operator answers the hand-over, then the two messages after it together, on every channel."""
    ledger = service[0]
    for row in (row for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS)):
        shown = of(ledger, "ENTRY", author="customer", contact=row["contact"], number=1)
        seen = [entry for entry in shown if entry["sender"]]  # and not the words of a rating
        assert sorted({(entry["sender"], entry["counter"]) for entry in seen}) == [(row["who"], n) for n in (1, 2, 3)]
        mine = [s for s in of(ledger, "SEND", outcome="OK", contact=row["contact"], number=1) if s["sender"][0] == "o"]
        assert len({(s["sender"], s["counter"]) for s in mine}) == 2
        assert max(s["done"] for s in mine) > max(entry["done"] for entry in seen)


def test_customers_send_files_on_every_channel(service: tuple[list[Row], Service]) -> None:
    """In place of the text on sockets and Messenger, with it where there are captions; each kept whole."""
    ledger, played = service
    said = [row for row in played.history if row.get("kind") == Kind.MESSAGE and row.get("author") == "customer"]
    third = [row for row in said if row.get("counter") == 3]
    assert {row["channel"].name for row in third if not row["size"]} == {"WEB", "APP", "MESSENGER"}
    assert sorted(row["sender"] for row in third) == sorted(row["who"] for row in of(ledger, "DIALOG", counter=3))
    whole = {name: media.named(f"[{RUN}:c{n}:3]", 1000 + len(name), "png") for n, name in enumerate(CHANNELS, 1)}
    enclosing = ("web", "app", "email")  # the others' files are fetched from their messengers
    sent = {name: whole[name] if name in enclosing else "" for name, file in FILES.items() if file}
    assert sorted(played.sent) == sorted(sent.items())


def test_the_platform_speaks_by_itself_on_every_channel(service: tuple[list[Row], Service]) -> None:
    """Greeted, asked to wait and taken leave of, once each and by the platform; nobody takes that for an answer."""
    ledger, history = service[0], service[1].history
    events = [f"auto:{event}" for event in (*REPLIES.by_event(), "feedback")]
    for row in (row for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS)):
        stored = [each for each in history if each["contact"] == row["contact"] and each["number"] == 1]
        said = [each for each in stored if each["what"] == What.AUDIT and each["author"] == "system"]
        assert [each["rule"] for each in said if each["rule"]] == events
        seen = [each for each in of(ledger, "ENTRY", who=row["who"], kind="MESSAGE") if each["author"] == "system"]
        assert {each["size"] for each in seen} >= {len(text) for text in REPLIES.by_event().values()}
        assert (row["outcome"], row["counter"]) == ("COMPLETED", 3)


def test_operators_send_attachments_on_every_channel(service: tuple[list[Row], Service]) -> None:
    """Each is stored once, reaches its customer, and is whole where its messenger fetches it; SMS carries texts."""
    ledger, planned = service[0], service[1].enclosed
    assert {channel: len(sizes) for channel, sizes in planned.items() if channel not in ("WEB", "APP")} == {
        channel: 0 if channel == "SMS" else 3 for channel in planned if channel not in ("WEB", "APP")
    }
    fetched = of(ledger, "FETCH")
    assert {channel: sorted(row["size"] for row in of(fetched, "FETCH", channel=channel)) for channel in LINKED} == {
        channel: sorted(planned[channel]) for channel in LINKED
    }
    assert {row["outcome"] for row in fetched} == {"OK"}
    sent = of(ledger, "SEND", outcome="OK")
    for row in (row for row in of(ledger, "DIALOG") if row["plan"] <= len(CHANNELS)):
        replies = {(s["sender"], s["counter"]) for s in sent if s["plan"] == row["plan"] and s["sender"][0] == "o"}
        assert len(replies) == 2
        assert {(seen["sender"], seen["counter"]) for seen in of(ledger, "ENTRY", who=row["who"])} >= replies
    kept = {(row["sender"], row["counter"]) for row in service[1].history if str(row.get("sender", "")).startswith("o")}
    assert kept == {(row["sender"], row["counter"]) for row in sent if row["sender"][0] == "o"}


def test_customers_edit_wherever_a_messenger_lets_them(service: tuple[list[Row], Service]) -> None:
    """Each message is given new words, a caption, too, which the platform keeps behind it under its identity."""
    ledger = service[0]
    told = {(row["channel"], row["counter"]) for row in of(ledger, "SEND", kind="EDITED", outcome="OK")}
    back = {row["channel"] for row in of(ledger, "SEND", kind="EDITED", outcome="OK") if row["plan"] > BACK}
    assert back == set(EDITABLE)
    without_words = {("MESSENGER", 3)}  # a file, which has no caption there
    assert told == {(channel, counter) for channel in EDITABLE for counter in (1, 2, 3)} - without_words
    kept = [row for row in service[1].history if row.get("kind") == Kind.EDITED]
    assert sorted((row["channel"].name, row["counter"], row["cursor"]) for row in kept) == sorted(
        [(channel, counter, 1) for channel, counter in told] + [(channel, 1, 1) for channel in back]
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
    first = next(row for row in of(ledger, "ENTRY", who=f"c{index}") if row["rule"] != "auto:greeting")
    assert (first["kind"], first["author"], first["sender"]) == LED_TO[kind]
    assert [row["outcome"] for row in of(ledger, "DIALOG", plan=index)] == ["COMPLETED"]
    queued = of(ledger, "ENTRY", who=f"c{index}", kind="QUEUED")
    assert columns(queued, "reason") == [("general",)]
    topics = {row["rule"] for row in more if row["reason"] == "handover"}
    assert topics <= {"cards"}
