"""What is read over REST, by whom, and how wrong requests and wrong configurations are told."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.__main__ import main
from chatcore.errors import Unauthorized
from chatcore.tokens import ROLES, sign, verify
from tests.chatcore.client import SECRET, Client, plain, token
from tests.chatcore.cores import inside, play, settings, telegram
from tests.chatcore.post import account as mailbox
from tests.chatcore.provider import serving


def test_health() -> None:
    """A ready core says so, with its epoch and its number of partitions, to anybody."""

    async def acts() -> None:
        async with inside(partitions=4) as core:
            ready = {"status": "ready", "epoch": 1, "partitions": 4}
            assert await core.client.rest("GET", "/healthz", bearer="") == (200, ready)

    play(acts)


async def filled(client: Client) -> None:
    """A dialog of five entries and the beginning of a second one."""
    customer = await client.customer("web/u1")
    await customer.say("c1", "balance")
    await customer.say("c2", "balance")
    await customer.send(op="end")
    await customer.until(kind="closed")
    await customer.say("c3", "operator")


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_history_in_pages(limit: int) -> None:
    """Pages of any size, each from the cursor of the one before, make up the whole history."""

    async def acts() -> None:
        async with inside(partitions=4) as core:
            await filled(core.client)
            whole, cursor, more = await core.client.history("web/u1"), "0.0", True
            found: list[Any] = []
            while more:
                path = f"/v1/history/web/u1?after={cursor}&limit={limit}"
                status, page = await core.client.rest("GET", path, bearer=token("customer", "web/u1"))
                assert (status, page["contact"]) == (200, "web/u1")
                assert len(page["entries"]) <= limit
                found, cursor, more = found + page["entries"], page["cursor"], page["more"]
            assert (found, cursor) == (whole, "2.2")
            assert [entry["dialog"] for entry in whole] == ["web/u1#1"] * 5 + ["web/u1#2"] * 2

    play(acts)


def test_who_may_read_a_history() -> None:
    """The customer its own, an operator only while owning the dialog, an administrator any; nobody else."""

    async def acts() -> None:
        async with inside() as core:
            client = core.client
            desk = await client.desk("o1", presence="online")
            await filled(client)
            offer = await desk.until(op="offered")

            async def status(bearer: str) -> int:
                return (await client.rest("GET", "/v1/history/web/u1", bearer=bearer))[0]

            operator = token("operator", "o1")
            assert await status(operator) == 403
            await desk.accept(offer)
            assert await status(operator) == 200
            assert await status(token("operator", "o2")) == 403
            assert await status(token("customer", "web/u2")) == 403
            assert await status(token("customer", "web/u1")) == 200
            assert await status(token("admin", "anyone")) == 200
            assert await status(token("auditor", "anyone")) == 200
            await desk.end(offer)
            assert await status(operator) == 403
            nobody = {"contact": "web/nobody", "entries": [], "cursor": "0.0", "more": False}
            assert await client.rest("GET", "/v1/history/web/nobody") == (200, nobody)

    play(acts)


def test_the_audit_is_the_whole_log_in_order() -> None:
    """Pages of the audit make up every entry and every receipt, in log order."""

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[
            {"id": "web", "channel": "web", "bot": "keywords"}, telegram(provider.api, bot="keywords")
        ]) as core:  # fmt: skip
            client = core.client
            await filled(client)
            for number in (1, 2):
                await client.webhook({"update_id": number, "message": {
                    "message_id": number, "chat": {"id": 77, "type": "private"}, "text": "balance"}})  # fmt: skip
                await client.until_state(lambda found: found["unsettled"] == 0)
            rows: list[Any] = []
            after: int | None = 0
            while after is not None:
                status, page = await client.rest("GET", f"/v1/audit/0?after={after}&limit=2")
                assert (status, len(page["entries"]) <= 2) == (200, True)
                rows, after = rows + page["entries"], page["next"]
            kinds = [(row["dialog"], row["seq"], row.get("kind", row["op"])) for row in rows]
            assert kinds == [
                *[("web/u1#1", seq, "message") for seq in (1, 2, 3, 4)], ("web/u1#1", 5, "closed"),
                ("web/u1#2", 1, "message"), ("web/u1#2", 2, "queued"),
                ("tg/77#1", 1, "message"), ("tg/77#1", 2, "message"), ("tg/77#1", 2, "receipt"),
                ("tg/77#1", 3, "message"), ("tg/77#1", 4, "message"), ("tg/77#1", 4, "receipt"),
            ]  # fmt: skip
            delivered = {"op": "receipt", "dialog": "tg/77#1", "seq": 2, "status": "sent"}
            assert plain(rows[9]) == delivered | {"provider_id": "1001", "reason": ""}
            assert rows[:7] == await client.history("web/u1")

    play(acts)


@pytest.mark.parametrize("partitions", [1, 4])
def test_state_counts_everything(partitions: int) -> None:
    """The state names every dialog and operator once, by what they are in now, and lists what is open."""

    async def acts() -> None:
        async with inside(partitions=partitions) as core:
            client = core.client
            await client.desk("o2", presence="away")
            await filled(client)
            desk = await client.desk("o1", presence="online")
            await desk.accept(await desk.until(op="offered"))
            for contact, text in (("web/u2", "operator"), ("web/u3", "operator"), ("web/u4", "balance")):
                await (await client.customer(contact)).say("c1", text)
            await client.settled()
            found = await client.state()
            opened = found.pop("open")
            assert found == {
                "dialogs": {"bot": 1, "queued": 1, "offered": 1, "assigned": 1, "closed": 1, "on_hold": 0}
                | {"callback": 0},
                "waiting": 1,
                "unsettled": 0, "operators": {"online": 1, "lost": 0, "away": 1, "offline": 1},
                "messages": 9, "inert": 0, "counters": {},
            }  # fmt: skip
            assert sorted((row["dialog"], row["state"], row["operator"], row["present"]) for row in opened) == [
                ("web/u1#2", "assigned", "o1", True), ("web/u2#1", "offered", "o1", True),
                ("web/u3#1", "queued", None, False), ("web/u4#1", "bot", None, False),
            ]  # fmt: skip

    play(acts)


ADMIN = token("admin", "tests")
WRONG: list[tuple[str, str, Any, str, int, str]] = [
    ("GET", "/v1/state", None, "", 401, "unauthorized"),
    ("GET", "/v1/state", None, "rubbish", 401, "unauthorized"),
    ("GET", "/v1/state", None, "a.b.c.d", 401, "unauthorized"),
    ("GET", "/v1/state", None, token("admin", "x", ttl_s=-1), 401, "unauthorized"),
    ("GET", "/v1/state", None, token("admin", "x", secret="other"), 401, "unauthorized"),
    ("GET", "/v1/state", None, token("operator", "o1"), 403, "forbidden"),
    ("GET", "/v1/state", None, ADMIN.replace("admin.", "admin.x"), 401, "unauthorized"),
    ("GET", "/v1/audit/0", None, token("customer", "web/u1"), 403, "forbidden"),
    ("POST", "/v1/operators", {"operators": []}, token("operator", "o1"), 403, "forbidden"),
    ("GET", "/v1/history/web/u1", None, token("customer", "web/u2"), 403, "forbidden"),
    ("GET", "/v1/nothing", None, ADMIN, 404, "not_found"),
    ("GET", "/v1/audit/1", None, ADMIN, 404, "unknown_partition"),
    ("GET", "/v1/audit/-1", None, ADMIN, 404, "not_found"),
    ("GET", "/v1/audit/one", None, ADMIN, 404, "not_found"),
    ("DELETE", "/v1/state", None, ADMIN, 405, "method_not_allowed"),
    ("GET", "/v1/audit/0?after=x", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?after=1", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?after=-1.0", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?after=99999999999999999999.0", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?limit=ten", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?limit=10001", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?limit=0", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?limit=1&limit=1", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/history/web/u1?after=1.0%0A", None, ADMIN, 400, "bad_query"),
    ("GET", f"/v1/history/web/{'u' * 513}", None, ADMIN, 404, "not_found"),
    ("GET", "/v1/audit/0?after=99999999999999999999999", None, ADMIN, 400, "bad_query"),
    ("GET", "/v1/state?all=1", None, ADMIN, 400, "bad_query"),
    ("PUT", "/v1/blocked/web/nobody", None, ADMIN, 404, "unknown_contact"),
    ("DELETE", "/v1/blocked/web/nobody", None, ADMIN, 404, "unknown_contact"),
    ("POST", "/v1/operators", b"{", ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", b"\xff", ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", b"[" * 60_000, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", b'{"operators":' + b"[" * 60_000, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", {"operators": [{"id": "bot"}]}, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", {"operators": [{"id": "o1\n"}]}, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", {"operators": [{"id": "o1"}] * 1_001}, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", {"operators": [{"id": "o1", "slotz": 1}]}, ADMIN, 400, "unreadable"),
    ("POST", "/v1/operators", b"[" * 70_000, ADMIN, 413, "request_entity_too_large"),
    ("GET", "/v1/chat", None, "", 400, "bad_request"),
]


def test_wrong_requests_have_one_shape() -> None:
    """Every wrong request gets its status with an error code and a detail, and changes nothing."""

    async def acts() -> None:
        async with inside() as core:
            before = core.states()
            for method, path, body, bearer, status, code in WRONG:
                found, answer = await core.client.rest(method, path, body, bearer)
                assert (found, answer["error"], set(answer)) == (status, code, {"error", "detail"}), (method, path)
            last = await core.client.rest("GET", "/v1/audit/0?after=9007199254740992&limit=10000")
            assert last == (200, {"entries": [], "next": None})
            assert core.states() == before

    play(acts)


ROLE = st.sampled_from(ROLES)


@given(role=ROLE, subject=st.text(st.characters(exclude_categories=["Cs"])), expires_s=st.integers(0, 2**40))
def test_a_token_says_what_was_signed(role: str, subject: str, expires_s: int) -> None:
    """A token verifies to its role and subject until it expires, and not after, nor under another secret."""
    signed = sign("secret", role, subject, expires_s)
    assert verify("secret", signed, expires_s) == (role, subject)
    for secret, now_s in (("secret", expires_s + 1), ("other", 0)):
        with pytest.raises(Unauthorized):
            verify(secret, signed, now_s)


@given(role=ROLE, at=st.integers(0, 200), other=st.characters())
def test_a_changed_token_is_worthless(role: str, at: int, other: str) -> None:
    """Whatever character is changed, the token is not valid any more."""
    signed = sign("secret", role, "web/u1", 2_000)
    at %= len(signed)
    changed = signed[:at] + other + signed[at + 1 :]
    if changed != signed:
        with pytest.raises(Unauthorized):
            verify("secret", changed, 1_000)


@given(st.text())
def test_rubbish_is_no_token(text: str) -> None:
    """No text that was not signed is a token."""
    with pytest.raises(Unauthorized):
        verify("secret", text, 0)


BROKEN: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "Input data was truncated"),
    "an unknown key": (settings(prot=1), "Object contains unknown field `prot`"),
    "a wrong type": (settings(partitions="4"), "Expected `int`, got `str` - at `$.partitions`"),
    "no partition": (settings(partitions=0), "Expected `int` >= 1 - at `$.partitions`"),
    "a secret that is not set": (settings(secret="env:NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE is not set"),
    "a secret file that is not there": (settings(secret="file:/nonexistent"), "/nonexistent"),
    "two accounts of one name": (settings(accounts=[{"id": "a", "channel": "web"}] * 2), "each needs an id of its own"),
    "a messenger without its secret": (settings(accounts=[telegram("http://x", webhook_secret="")]), "account tg:"),
    "mail to a web server": (settings(accounts=[mailbox("http://x")]), "account mail: e-mail needs an smtp:// api"),
    "mail to nobody": (settings(accounts=[mailbox("smtp://x", sender="help")]), "and an address as sender"),
    "one address twice": (
        settings(accounts=[mailbox("smtp://x"), mailbox("smtp://x", id="mail2", sender="Help@bank.example")]),
        "each e-mail account needs a sender of its own",
    ),
    "codes that nobody mails": (
        settings(bank={"api": "http://x", "mail_account": "web"}),
        "bank.mail_account: it needs",
    ),
    "a template without a second place": (
        settings(templates=[{"name": "due", "text": "{1} {3}"}]),
        "the places of due are to be numbered",
    ),
    "an address of another machine": (settings(host="192.0.2.1"), "192.0.2.1:0 cannot be listened on"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_wrong_configuration_is_told_in_one_line(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with the configuration is said in one line, with exit code 2 and nothing left behind."""
    content, told = BROKEN[fault]
    path = tmp_path / "core.json"
    data = tmp_path / "data"
    path.write_text(content if isinstance(content, str) else json.dumps(content | {"data": str(data)}))
    monkeypatch.setattr(sys, "argv", ["chatcore", "--config", str(path)])
    assert main() == 2
    written = capsys.readouterr()
    assert (written.out, len(written.err.splitlines())) == ("", 1)
    assert told in written.err
    assert not data.exists()


def started(path: Path) -> "subprocess.CompletedProcess[str]":
    """The core, which is expected to end at once."""
    command = [sys.executable, "-m", "chatcore", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    """A port that somebody else listens on is said in one line, with exit code 2 and nothing left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / "core.json"
        path.write_text(json.dumps(settings(port=port, data=str(tmp_path / "data"))))
        ended = started(path)
    wanted = f"chatcore: 127.0.0.1:{port} is taken; stop what listens there, or choose another port (0 = any)\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", wanted)
    assert not (tmp_path / "data").exists()
    assert SECRET not in ended.stderr
