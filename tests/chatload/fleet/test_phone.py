"""The simulated telephone exchange and its callers: its formats, its API, and whole calls with the real core."""

from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from chatcore.channels import phone
from chatcore.channels.shapes import Ring
from chatcore.config import Account
from chatload.accounts import user_of
from chatload.fleet.clock import now_ns
from chatload.fleet.frames import Entry, provider_number
from chatload.fleet.identity import Identity
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.providers.phone import BANK, Line
from chatload.fleet.world import MessengerAccount, Target
from chatload.plan import Call, Dialog
from tests.chatcore.client import SECRET, eventually
from tests.chatcore.cores import Inside, inside
from tests.chatcore.exchange import ACCOUNT, account
from tests.chatload.fleet.bank import KEYS, Bank, ask, at_a_bank
from tests.chatload.fleet.stage import SPEED, Row, Stage, columns, dialog, of, played

ACCOUNT_KEYS = MessengerAccount(ACCOUNT.token, ACCOUNT.webhook_secret)
BEARER = {"Authorization": f"Bearer {KEYS.token}"}
CALLER = user_of(1, "phone")
TWICE = ["abandoned", "abandoned", "ringing", "ringing"]
QUICK: dict[str, Any] = {"connect_ms": 1000.0, "read_ms": 1000.0, "repeat_share": 1.0, "late_ms": 20_000.0}


class Ear:
    """A caller without a script: remembers what the line told."""

    def __init__(self, stage: Stage, index: int = 1) -> None:
        self.told: list[str] = []
        subject = Subject(stage.world, f"ph/{user_of(index, 'phone')}", index)
        line = stage.provider.join(Actor(stage.world, f"c{index}"), subject, self)
        assert isinstance(line, Line)
        self.line = line

    def ring(self) -> None:
        self.line.ring(now_ns())

    def hang_up(self) -> None:
        self.line.hang_up(now_ns())

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        raise AssertionError("a caller writes nothing")

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        self.told.append(entry.state or entry.kind)

    def failed(self, reason: str) -> None:
        raise AssertionError(reason)


# --- formats ---------------------------------------------------------------------------------------------------------


def test_events_look_like_the_neutral_ones(tmp_path: Path) -> None:
    """Each has the sheet's keys, a signature that the core accepts, and one id for all its attempts."""
    bank = Bank("phone", [500])

    async def act(stage: Stage) -> None:
        ear = Ear(stage)
        ear.ring()
        await stage.until(lambda: ear.told == ["queued"])
        ear.hang_up()
        await stage.until(lambda: len(bank.calls) == 3)

    ledger = at_a_bank(tmp_path, bank, act, time_scale=20.0, shuffle_ms=0.0)
    assert [call.path for call in bank.calls] == ["/webhooks/phone/ph"] * 3
    first, again, missed = (call.body for call in bank.calls)
    assert first == again
    call = {
        "id": first["call"]["id"], "direction": "inbound", "from": CALLER, "to": BANK, "queue": "general",
        "ivr_path": [], "started_at": first["call"]["started_at"], "answered_at": None, "ended_at": None,
        "wait_s": 0, "disposition": None, "hangup_cause": None, "callback_requested": False,
    }  # fmt: skip
    assert first == {
        "event_id": f"{call['id']}-call.queued", "type": "call.queued", "occurred_at": call["started_at"], "call": call,
    }  # fmt: skip
    over = {"ended_at": missed["occurred_at"], "disposition": "abandoned", "hangup_cause": 16}
    assert missed["call"] | {"wait_s": 0} == call | over | {"callback_requested": True}
    headers = [{name.lower(): value for name, value in call.headers.items()} for call in bank.calls]
    assert [found["x-ps-attempt"] for found in headers] == ["1", "2", "1"]
    assert [found["x-ps-event-id"] for found in headers] == [event["event_id"] for event in (first, again, missed)]
    signed = Account("ph", "phone", token=KEYS.token, webhook_secret=KEYS.webhook_secret)
    assert all(phone.verify(signed, found, call.raw) for found, call in zip(headers, bank.calls, strict=True))
    assert columns(of(ledger, "CALL"), "who", "reason", "attempt", "outcome", "provider_id", "plan") == [
        ("phone", state, attempt, outcome, provider_number(call["id"]), 1)
        for state, attempt, outcome in [("ringing", 1, "INDETERMINATE"), ("ringing", 2, "OK"), ("abandoned", 1, "OK")]
    ]


def test_the_core_reads_every_event_as_it_is_meant(tmp_path: Path) -> None:
    """Of a call that comes in, in the menu and in the queue, and of one that is dialled; connecting is sped up, too."""
    bank = Bank("phone")

    async def act(stage: Stage) -> None:
        ear = Ear(stage)
        ear.ring()
        await stage.until(lambda: len(bank.calls) == 2)
        name = bank.calls[0].body["call"]["id"]
        await ask(stage, f"/calls/{name}/connect", BEARER, {"operator": "o1", "request_id": "r1"})
        await stage.until(lambda: "answered" in ear.told)
        ear.hang_up()
        await ask(stage, "/calls", BEARER, {"operator": "o1", "request_id": "r2", "to": CALLER})
        await stage.until(lambda: ear.told.count("answered") == 2)
        ear.hang_up()
        await stage.until(lambda: len(bank.calls) == 6)

    at_a_bank(tmp_path, bank, act, SPEED, **QUICK | {"repeat_share": 0.0, "other_share": 1.0, "connect_ms": 150_000.0})
    read: dict[str, list[str]] = {}
    for call in sorted(bank.calls, key=lambda call: str(call.body["occurred_at"])):
        assert call.body["type"] != "call.started" or phone.parse(ACCOUNT, call.raw) == []
        for ring in phone.parse(ACCOUNT, call.raw):
            assert isinstance(ring, Ring)
            assert ring.user == CALLER
            read.setdefault(ring.call, []).append(ring.state)
    assert [set(states) for states in read.values()] == [{"ringing", "answered", "finished"}, {"answered", "finished"}]


def test_orders_are_answered_as_documented(tmp_path: Path) -> None:
    """Taken under the call's id, the same for a repeat, carried out once; or refused with a status and a word."""
    found: list[tuple[int, Any]] = []

    async def act(stage: Stage) -> None:
        ear, names = Ear(stage), count(1)

        async def order(path: str, **changes: Any) -> str:
            body = {"operator": "o1", "request_id": f"n{next(names)}"} | changes
            headers = {"Authorization": "Bearer no"} if changes.pop("stranger", False) else BEARER
            status, answer = await ask(stage, path, headers, body)
            found.append((status, orjson.loads(answer)))
            return str(found[-1][1].get("call", {}).get("id", ""))

        ear.ring()
        name = stage.provider._calls[CALLER].id  # type: ignore[attr-defined]  # the exchange's own view of the line
        await order(f"/calls/{name}/connect", stranger=True)
        await order(f"/calls/{name}/connect", operator="")
        await order("/calls", to="+70000000000")
        await order("/calls", to=CALLER)
        await order(f"/calls/{name}x/connect")
        assert await order(f"/calls/{name}/connect", request_id="r1") == name
        await stage.until(lambda: ear.told[-1:] == ["answered"])
        assert await order(f"/calls/{name}/connect", request_id="r1") == name
        assert await order(f"/calls/{name}/connect") == name
        ear.hang_up()
        assert await order(f"/calls/{name}/connect", request_id="r1") == name
        await order(f"/calls/{name}/connect")
        dialled = await order("/calls", to=CALLER, request_id="r2")
        assert await order("/calls", to=CALLER, request_id="r2") == dialled != name
        await order("/calls", to=CALLER)
        assert ear.told.count("answered") == 1

    ledger = at_a_bank(tmp_path, Bank("phone"), act, **QUICK | {"read_ms": 600_000.0})
    refused = {401: "wrong token", 400: "call, operator and request_id are required", 404: "no such call", 409: "busy"}
    statuses = [401, 400, 404, 409, 404, 200, 200, 200, 200, 404, 200, 200, 409]
    assert [status for status, _ in found] == statuses
    assert [answer["error"] for status, answer in found if status != 200] == [
        refused[status] for status in statuses if status != 200
    ]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "attempt") == [
        ("REJECTED", 1), ("REJECTED", 1), ("OK", 1), ("OK", 2), ("OK", 1), ("OK", 1), ("REJECTED", 1), ("OK", 1),
        ("OK", 2), ("REJECTED", 1),
    ]  # fmt: skip


# --- with the core ---------------------------------------------------------------------------------------------------


def called(
    folder: Path, act: Callable[[Stage, Inside], Awaitable[None]], planned: list[Dialog] | None = None, **settings: Any
) -> list[Row]:
    """The ledger after `act` on a stage whose exchange is a real core's; every event is told twice, in any order."""

    async def aimed(stage: Stage) -> None:
        async with inside(accounts=[account(stage.provider.url)]) as core:
            stage.aim(Target(core.client.url, SECRET, {"ph": ACCOUNT_KEYS}))
            await act(stage, core)
            stage.seats.shut()
            await core.client.until_state(lambda found: not found["open"] and not found["unsettled"])
            assert core.fatal == []

    dialogs = planned or [dialog(1, channel="phone", call=Call(0.0, None))]
    return played(folder, dialogs, aimed, channel="phone", **QUICK | settings)


def shown(ledger: list[Row]) -> list[str]:
    """What the operator was shown of calls, but for "answered", which the end of a call may overtake."""
    states = (row["reason"] for row in of(ledger, "ENTRY", who="o1", kind="CALL"))
    return [state for state in states if state != "answered"]


async def waits(core: Inside, state: str) -> None:
    """Until the caller's dialog is so."""
    await core.client.until_state(lambda found: [each["state"] for each in found["open"]] == [state])


def test_who_gave_up_is_called_back(tmp_path: Path) -> None:
    """The exchange dials for the operator who accepts, and the dialog ends with the call."""

    async def act(stage: Stage, core: Inside) -> None:
        ear = Ear(stage)
        ear.ring()
        await stage.until(lambda: ear.told == ["queued"])
        ear.hang_up()
        await waits(core, "callback")
        await stage.seat(1)
        await stage.until(lambda: ear.told[1:] == ["answered"])
        ear.hang_up()
        await core.client.until_state(lambda found: not found["open"])

    ledger = called(tmp_path, act)
    assert shown(ledger) == ["ringing", "abandoned", "dialling", "finished"]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "reason") == [("OK", "")]


def test_who_calls_again_and_gets_through_is_not_called_back(tmp_path: Path) -> None:
    """The new call is connected at the old place, nobody is dialled, and nothing is left of the call-back."""

    async def act(stage: Stage, core: Inside) -> None:
        ear = Ear(stage)
        ear.ring()
        await waits(core, "queued")
        ear.hang_up()
        await waits(core, "callback")
        ear.ring()
        await waits(core, "queued")
        await stage.seat(1)
        await stage.until(lambda: "answered" in ear.told)
        ear.hang_up()
        await core.client.until_state(lambda found: not found["open"])

    ledger = called(tmp_path, act)
    assert shown(ledger) == ["ringing", "abandoned", "ringing", "connecting", "finished"]
    second = of(ledger, "CALL", reason="answered")[0]["provider_id"]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "provider_id") == [("OK", second)]


def test_who_does_not_pick_up_has_been_called(tmp_path: Path) -> None:
    """The dialog is closed as unreached, and the caller is dialled once."""

    async def act(stage: Stage, core: Inside) -> None:
        ear = Ear(stage)
        ear.ring()
        ear.hang_up()
        await stage.seat(1)
        await stage.until(lambda: "unreached" in ear.told)
        await core.client.until_state(lambda found: not found["open"])

    ledger = called(tmp_path, act, failed_share=1.0)
    assert columns(of(ledger, "ENTRY", who="o1", kind="CLOSED"), "reason") == [("unreached",)]
    assert len(of(ledger, "ATTEMPT", outcome="OK")) == 1


def test_callers_play_what_is_planned(tmp_path: Path) -> None:
    """One waits until an operator comes, one has given up by then, one has twice: all are talked to at last."""
    planned = [
        dialog(1, channel="phone", call=Call(1000.0, None), patience_ms=36e6),
        dialog(2, channel="phone", call=Call(1000.0, None), patience_ms=50e3),
        dialog(3, channel="phone", call=Call(1000.0, 1000.0), patience_ms=50e3),
    ]

    async def act(stage: Stage, core: Inside) -> None:
        stage.customers.begin()
        await eventually(
            lambda: core.client.history(f"ph/{user_of(3, 'phone')}"),
            lambda found: sorted(entry["state"] for entry in found if entry["kind"] == "call") == TWICE,
        )
        await core.client.until_state(lambda found: found["dialogs"]["callback"] == 2)
        await stage.seat(1)
        assert await stage.customers.drain(now_ns() + 20 * 10**9)

    ledger = called(tmp_path, act, planned)
    assert sorted(columns(of(ledger, "DIALOG"), "who", "outcome", "counter", "size")) == [
        (f"c{index}", "COMPLETED", 0, 0) for index in (1, 2, 3)
    ]
    inbound = of(ledger, "CALL", reason="ringing", outcome="OK")
    dialled = {row["provider_id"] for row in of(ledger, "ATTEMPT", outcome="OK")} - {
        row["provider_id"] for row in inbound
    }
    assert len(dialled) == 2
