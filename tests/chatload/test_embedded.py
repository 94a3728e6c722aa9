"""The embedded target: a real core, started, killed, restarted, audited, and gone at the end."""

import json
import signal
import smtplib
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from chatload.accounts import BANKS_BOT
from chatload.errors import BadOption, PortTaken, TargetFailed
from chatload.scenario import load
from chatload.targets import audit
from chatload.targets.configuration import configuration, new_keys
from chatload.targets.embedded import Embedded
from chatload.targets.rest import Admin
from chatreport.rundir import What
from tests.chatload.processes import until

SMOKE = load("smoke").scenario


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Embedded]:
    target = Embedded(SMOKE, 60, tmp_path / "core.log")
    target.start({"tg": "http://127.0.0.1:1"})
    yield target
    target.stop()


def state(core: Embedded) -> dict[str, Any]:
    with Admin(core.url, core.auditor()["token"]) as admin:
        return admin.get("/v1/state")


def say(core: Embedded, text: str) -> None:
    """One message of a Telegram customer, as Telegram would post it."""
    wire = core.wire()["accounts"]["tg"]
    sender = {"id": 5001, "is_bot": False, "first_name": "A"}
    chat = {"id": 5001, "type": "private"}
    update = {"update_id": 7, "message": {"message_id": 7, "date": 1, "from": sender, "chat": chat, "text": text}}
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": wire["webhook_secret"]}
    request = urllib.request.Request(f"{core.url}/webhooks/telegram/tg", json.dumps(update).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def test_operators_are_made_known(core: Embedded) -> None:
    """Through REST, a thousand at once if need be; nobody is on duty yet."""
    core.add_operators(list(range(1, 1001)))
    assert state(core)["operators"].get("online", 0) == 0


def test_where_nobody_plays_the_banks_own_bot_keywords_answer() -> None:
    """As when the core is served alone."""
    scenario = load("tbank").scenario
    assert scenario.bot.service is not None
    callbacks: tuple[dict[str, str], ...] = ({}, {BANKS_BOT: "http://127.0.0.1:1"})
    found = [configuration(scenario, 1, {}, asked) for asked in callbacks]
    assert [[account["bot"] for account in each["accounts"]] for each in found] == [["keywords"] * 2, ["http"] * 2]
    assert found[0]["bot"] == {"misses": scenario.bot.misses}


def test_what_was_acknowledged_is_audited_after_a_kill(core: Embedded) -> None:
    """On the same port, with the same data; and the two faults are on record."""
    say(core, "[ab12cd:c7:1] hello")
    before = core.processes()["core"]
    core.kill()
    assert core.processes() == {}
    core.restart()
    assert core.processes()["core"] != before
    reach = core.auditor()
    history = list(audit.history(reach["url"], reach["token"], reach["partitions"], "ab12cd"))
    first = {
        key: history[0].get(key)
        for key in ("what", "contact", "number", "seq", "sender", "counter", "plan", "provider_id")
    }
    assert first == {
        "what": What.AUDIT, "contact": "tg/5001", "number": 1, "seq": 1,
        "sender": "c7", "counter": 1, "plan": 7, "provider_id": 7,
    }  # fmt: skip
    [open_dialog] = audit.state(reach["url"], reach["token"])
    assert (open_dialog["what"], open_dialog["contact"], open_dialog["reason"]) == (What.STATE, "tg/5001", "queued")
    assert [fault.verb for fault in core.faults] == ["kill", "restart"]
    assert all(fault.started_ns <= fault.done_ns for fault in core.faults)


def test_a_core_that_ends_by_itself_is_started_again(core: Embedded) -> None:
    """By the next look after it."""
    process = psutil.Process(core.processes()["core"])
    process.send_signal(signal.SIGKILL)
    until(lambda: not core.processes())
    core.tend()
    assert state(core)["waiting"] == 0
    assert [fault.verb for fault in core.faults] == ["kill", "restart"]
    core.tend()
    assert len(core.faults) == 2


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop ends the process and removes its data; also twice, and also if it never started."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    target = Embedded(SMOKE, 60, tmp_path / "core.log")
    target.start({})
    pid = target.processes()["core"]
    target.stop()
    target.stop()
    assert not psutil.pid_exists(pid)
    Embedded(SMOKE, 60, tmp_path / "core.log").stop()
    assert [path.name for path in tmp_path.iterdir()] == ["core.log"]


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """With its number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            Embedded(SMOKE, 60, tmp_path / "core.log", port=port)


def test_a_core_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code and its last line."""
    monkeypatch.setattr(Embedded, "command", (sys.executable, "-c", "raise SystemExit('no room on this disk')"))
    target = Embedded(SMOKE, 60, tmp_path / "core.log")
    with pytest.raises(TargetFailed, match="the core ended with 1: no room on this disk"):
        target.start({})
    target.stop()


def test_data_that_cannot_be_kept_is_bad_input(tmp_path: Path) -> None:
    """Where the user wants it, there is a file."""
    (tmp_path / "data").write_text("not a directory")
    target = Embedded(SMOKE, 60, tmp_path / "core.log", data=tmp_path / "data" / "below")
    with pytest.raises(BadOption, match="--data"):
        target.start({})
    target.stop()


def test_business_timers_are_divided_and_limits_multiplied_by_the_speed(core: Embedded) -> None:
    """The grace of a lost connection is the network's and stays; secrets are in no file."""
    command = psutil.Process(core.processes()["core"]).cmdline()
    path = Path(command[command.index("--config") + 1])
    config = json.loads(path.read_text())
    times = {"offer": 333, "grace": 5000, "inactivity": 6000, "transfer": 2000, "window": 1_440_000}
    assert config["timers_ms"] == times
    [telegram] = [account for account in config["accounts"] if account["id"] == "tg"]
    assert (telegram["rate_per_s"], telegram["chat_rate_per_s"], telegram["burst"]) == (1800, 60, 3)
    wire = core.wire()
    secrets = [wire["secret"], *wire["accounts"]["tg"].values()]
    assert not any(secret in path.read_text() for secret in secrets)


def test_workers_have_accounts_of_their_own_and_share_the_limits(tmp_path: Path) -> None:
    """Each with its own provider and secrets, together with the rate of the scenario's one; a chat's rate is whole."""
    callbacks = {"tg-0": "http://127.0.0.1:1", "tg-1": "http://127.0.0.1:2"}
    core = Embedded(SMOKE, 60, tmp_path / "core.log")
    try:
        core.start(callbacks)
        config = core._config()  # what it was started with is told to nobody else
        accounts = {account["id"]: account for account in json.loads(config.read_text())["accounts"]}
        wire = core.wire()["accounts"]
    finally:
        core.stop()
    assert list(accounts) == ["web", "app", "tg-0", "tg-1"]
    assert {name: accounts[name]["api"] for name in callbacks} == callbacks
    limits = ("rate_per_s", "chat_rate_per_s", "burst")
    assert [[accounts[name][limit] for limit in limits] for name in callbacks] == [[900, 60, 3]] * 2
    assert len({secret for bot in wire.values() for secret in bot.values()}) == 4


def test_a_messenger_has_the_keys_that_its_handshake_and_sends_need(tmp_path: Path) -> None:
    """VK's group and confirmation string beside token and secret; the fleet and the core are told the same."""
    vk = {**SMOKE.channels.model_dump()["telegram"], "share": 0.0}
    channels = SMOKE.channels.model_validate(SMOKE.channels.model_dump(exclude_none=True) | {"vk": vk})
    core = Embedded(SMOKE.model_copy(update={"channels": channels}), 1, tmp_path / "core.log")
    core._keys = {"vk": new_keys("vk")}
    try:
        accounts = {account["id"]: account for account in core._configured({"vk": "http://127.0.0.1:1"})["accounts"]}
        wire = core.wire()["accounts"]
    finally:
        core.stop()
    assert set(wire["vk"]) == {"token", "webhook_secret", "sender", "verify_token"}
    assert {key: accounts["vk"][key] for key in wire["vk"]} == {
        "token": "env:VK_TOKEN", "webhook_secret": "env:VK_WEBHOOK_SECRET", "sender": wire["vk"]["sender"],
        "verify_token": "env:VK_VERIFY_TOKEN",
    }  # fmt: skip


def test_each_worker_has_a_mailbox_of_its_own_at_the_bank(tmp_path: Path) -> None:
    """The core listens for both where the fleet is told, before and after a kill, and tells their addresses apart."""
    email = {**SMOKE.channels.model_dump()["telegram"], "share": 0.0}
    channels = SMOKE.channels.model_validate(SMOKE.channels.model_dump(exclude_none=True) | {"email": email})
    core = Embedded(SMOKE.model_copy(update={"channels": channels}), 60, tmp_path / "core.log")
    try:
        core.start({"mail-0": "smtp://127.0.0.1:1", "mail-1": "smtp://127.0.0.1:2"})
        wire = core.wire()
        mailboxes = [wire["accounts"][name]["sender"] for name in ("mail-0", "mail-1")]
        replies = [recipient_reply(wire["mail"], mailbox) for mailbox in [*mailboxes, "nobody@bank.example"]]
        core.kill()
        core.restart()
        replies.append(recipient_reply(wire["mail"], mailboxes[0]))
    finally:
        core.stop()
    assert len(set(mailboxes)) == 2
    assert replies == [250, 250, 550, 250]


def recipient_reply(url: str, recipient: str) -> int:
    """What a mail server says to a mail for this recipient."""
    where = urlsplit(url)
    with smtplib.SMTP(where.hostname or "", where.port or 0, timeout=60) as client:
        client.ehlo()
        client.mail("a@customers.example")
        return client.rcpt(recipient)[0]
