"""Phone: calls are queued, connected and finished; who hung up too early is called back, unless they come first."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chatcore.channels import phone
from chatcore.channels.shapes import Order, Outbound, Outcome, Ring
from chatcore.journal.memory import Disk
from tests.chatcore.calls import played
from tests.chatcore.client import Client, Desk, Frame, plain, system
from tests.chatcore.cores import LONG_MS, inside, play, restarting
from tests.chatcore.exchange import ACCOUNT, AT, CALLER, Exchange, account, event, serving, signed, tell
from tests.chatcore.scenes import PARTITIONS

AT_MS = 1_767_225_631_000
KNOWN = "805c9e00861ee8009258de3507f5566fbfe798b48bd90aabc844b11686a91814"  # openssl dgst -sha256 -hmac secret
DIALOG = f"ph/{CALLER}#1"
SHEET = {
    "event_id": "ev-1", "type": "call.missed", "occurred_at": AT,
    "call": {
        "id": "c-1", "direction": "inbound", "from": CALLER, "to": "+74951234567",
        "queue": "cards", "ivr_path": ["1", "3"], "started_at": "2026-01-01T00:00:00.000Z", "answered_at": None,
        "ended_at": AT, "wait_s": 31, "disposition": "abandoned", "hangup_cause": 16, "callback_requested": True,
    },
}  # fmt: skip
TOLD: dict[str, tuple[Any, Any]] = {
    "in the menu": (event("call.started"), None),
    "started in a queue": (event("call.started", queue="cards"), "ringing"),
    "queued": (event("call.queued", queue="cards"), "ringing"),
    "a choice in the menu": (event("call.ivr_input"), None),
    "answered": (event("call.answered"), "answered"),
    "ended after it was answered": (event("call.ended", answered_at=AT), "finished"),
    "ended before it was answered": (event("call.ended"), "abandoned"),
    "missed": (event("call.missed"), "abandoned"),
    "a call-back asked for in the menu": (event("callback.requested"), "abandoned"),
    "recorded": (event("call.recording_ready", answered_at=AT), None),
    "a kind of next year": (event("call.dreamt"), None),
    "dialled": (event("call.started", "d-1", "outbound"), None),
    "the customer took our call": (event("call.answered", "d-1", "outbound"), "answered"),
    "the customer did not": (event("call.ended", "d-1", "outbound"), "unreached"),
}
ORDERS: dict[str, tuple[tuple[int, Any], Outcome]] = {
    "taken": ((200, {"call": {"id": "d-1"}}), Outcome("taken", "d-1")),
    "taken without a name": ((200, {}), Outcome("again")),
    "no JSON": ((201, b"ok"), Outcome("again")),
    "busy": ((409, {"error": "busy"}), Outcome("failed", reason="busy")),
    "nothing said": ((404, b""), Outcome("failed", reason="status 404")),
    "down": ((503, {"error": "restarting"}), Outcome("again", reason="restarting")),
    "too many": ((429, {}), Outcome("again")),
}


@pytest.mark.parametrize("kind", TOLD)
def test_an_event_says_what_becomes_of_a_call(kind: str) -> None:
    """Each documented type, of calls of either direction, and one that nobody knows yet."""
    body, state = TOLD[kind]
    call = body["call"]
    found = [] if state is None else [Ring(CALLER, call["id"], state, call["queue"] or "", AT_MS)]
    assert phone.parse(ACCOUNT, orjson.dumps(body)) == found


def test_the_sheets_event_is_an_abandoned_call() -> None:
    """The neutral format's example, whole; broken at any byte it is unreadable."""
    body = orjson.dumps(SHEET)
    assert phone.parse(ACCOUNT, body) == [Ring(CALLER, "c-1", "abandoned", "cards", AT_MS)]
    for end in range(len(body)):
        with pytest.raises(ValueError):  # noqa: PT011 - as every channel's `parse`
            phone.parse(ACCOUNT, body[:end])


@pytest.mark.parametrize("number", [None, "", "anonymous", "sip:anna@example.org", "+" + "7" * 21])
def test_who_withholds_the_number_has_a_dialog_alone(number: str | None) -> None:
    """Two such callers are never taken for one, and cannot be called back."""
    users = []
    for call in ("c-1", "c-2"):
        body = event("call.queued", call)
        body["call"]["from"] = number
        users += [ring.user for ring in phone.parse(ACCOUNT, orjson.dumps(body))]
    assert users == ["withheld:c-1", "withheld:c-2"]
    steps = phone.send(ACCOUNT, Outbound(users[0], "", "k", order=Order("", "o1")))
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == Outcome("failed", reason="the caller withheld the number")


def test_the_signature_covers_time_and_body() -> None:
    """HMAC-SHA256 over `t`, a dot and the body; a known answer, and every part of it wrong or missing."""
    value, body = f"t=1767225631,v1={KNOWN}", b'{"a":1}'
    good = {"x-ps-signature": value}
    assert phone.verify(ACCOUNT, good, body)
    assert signed(body)["X-PS-Signature"] == value
    wrong = ["", "v1=", value.replace("t=", "t=0"), value[:-1], value.partition(",")[2], "t=ж,v1=ж", ",,=,"]
    assert not [each for each in wrong if phone.verify(ACCOUNT, {"x-ps-signature": each}, body)]
    assert not phone.verify(ACCOUNT, good, body + b" ")
    assert not phone.verify(ACCOUNT, {}, body)


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_ends_as_the_exchange_says(kind: str) -> None:
    """Taken under the call's id, to be tried again, or failed with its reason."""
    answer, outcome = ORDERS[kind]
    calls, found = played(phone.send(ACCOUNT, Outbound(CALLER, "", "ph/1#1.4", order=Order("", "o1"))), answer)
    assert found == outcome
    assert (calls[0].url, orjson.loads(calls[0].body)) == (
        "http://127.0.0.1:9/calls",
        {"operator": "o1", "request_id": "ph/1#1.4", "to": CALLER},
    )


def test_a_text_has_nowhere_to_go() -> None:
    """It ends visibly, and nothing is asked of the exchange."""
    with pytest.raises(StopIteration) as end:
        next(phone.send(ACCOUNT, Outbound(CALLER, "hello", "k")))
    assert end.value.value == Outcome("failed", reason="a telephone takes no texts")


# --- over the wire ---------------------------------------------------------------------------------------------------


def now(kind: str, call: str = "c-1", direction: str = "inbound", **more: Any) -> Frame:
    """An event of this moment."""
    return event(kind, call, direction, **more) | {"occurred_at": datetime.now(UTC).isoformat()}


def scene(partitions: int, acts: Any, **changes: Any) -> None:
    """Play with a core of its own and an exchange."""

    async def whole() -> None:
        accounts = [{"id": "web", "channel": "web"}]
        async with (
            serving() as exchange,
            inside(partitions=partitions, **({"accounts": [*accounts, account(exchange.url)]} | changes)) as core,
        ):
            await acts(core.client, exchange)
            assert core.fatal == []

    play(whole)


async def shown(client: Client) -> list[Frame]:
    """The caller's history without times."""
    return [plain(entry) for entry in await client.history(f"ph/{CALLER}")]


def call(seq: int, state: str, call: str = "c-1", **more: str) -> Frame:
    """An entry of a call."""
    return system(DIALOG, seq, "call", state=state, **({"call": call} if call else {}), **more)


async def waits(client: Client, state: str) -> Frame:
    """The state, once the caller's dialog is so."""
    return await client.until_state(lambda found: [each["state"] for each in found["open"]] == [state])


@PARTITIONS
def test_a_call_is_connected_and_finished(partitions: int) -> None:
    """It waits in its queue's department, takes all slots of who accepts, is connected, and closes when it ends."""

    async def acts(client: Client, exchange: Exchange) -> None:
        desk = await client.desk("o1", presence="online")
        assert await tell(client, now("call.started"), now("call.queued", queue="cards")) == [200, 200]
        offer = await desk.until(op="offered")
        assert (offer["dialog"], offer["department"], offer["weight"]) == (DIALOG, "cards", 0)
        assert "callback" not in offer
        entries = (await desk.accept(offer))["entries"]
        assert [entry["kind"] for entry in entries] == ["call", "queued", "assigned", "call"]
        told = await desk.until(op="receipt")
        assert (told["seq"], told["status"], told["provider_id"]) == (4, "sent", "c-1")
        assert exchange.orders == [("/calls/c-1/connect", {"operator": "o1", "request_id": f"{DIALOG}.4"})]
        await (await client.customer("web/u1")).say("m1", "hello")
        await tell(client, now("call.answered"), now("call.answered"), now("call.queued"))
        assert plain(await desk.until(kind="call")) == call(5, "answered", operator="o1")
        assert "offered" not in [frame["op"] for frame in await desk.asked()], "nothing beside a call"
        await tell(client, now("call.ended", answered_at=AT))
        assert plain(await desk.until(kind="call")) == call(6, "finished", operator="o1")
        assert (await desk.until(kind="closed"))["reason"] == "finished"
        assert (await desk.until(op="offered"))["dialog"] == "web/u1#1"

    scene(partitions, acts, operators=[{"id": "o1", "slots": 3, "departments": ["cards", "general"]}])


@PARTITIONS
def test_an_abandoned_call_is_called_back(partitions: int) -> None:
    """It keeps its place before those who came later, says what it is, and is dialled for whoever accepts it."""

    async def acts(client: Client, exchange: Exchange) -> None:
        await tell(client, now("call.queued"))
        await (await client.customer("web/u1")).say("m1", "hello")
        await tell(client, now("call.missed"), now("call.ended"))
        found = await client.until_state(lambda state: state["dialogs"]["callback"] == 1)
        assert [each["state"] for each in found["open"] if each["dialog"] == DIALOG] == ["callback"]
        desk = await client.desk("o1", presence="online")
        offer = await desk.until(op="offered")
        assert (offer["dialog"], offer["place"], offer["callback"]) == (DIALOG, 1, True)
        again = await client.desk("o1")
        assert await again.until(op="offered") == offer, "a new desk is told, too"
        await again.accept(offer)
        assert (await again.until(op="receipt"))["provider_id"] == "d-1"
        assert exchange.orders == [("/calls", {"operator": "o1", "request_id": f"{DIALOG}.5", "to": CALLER})]
        await tell(client, now("call.answered", "d-1", "outbound"))
        await tell(client, now("call.ended", "d-1", "outbound", answered_at=AT))
        assert (await again.until(kind="closed"))["reason"] == "finished"
        assert (await shown(client))[2:] == [
            call(3, "abandoned"),
            system(DIALOG, 4, "assigned", operator="o1", number=1),
            call(5, "dialling", "", operator="o1"),
            call(6, "answered", "d-1", operator="o1"),
            call(7, "finished", "d-1", operator="o1"),
            system(DIALOG, 8, "closed", reason="finished"),
        ]

    scene(partitions, acts, operators=[{"id": "o1", "slots": 1}])


@PARTITIONS
def test_a_call_back_goes_when_the_person_gets_through_first(partitions: int) -> None:
    """The new call takes over dialog and place; nobody is dialled, and nothing is left when it ends."""

    async def acts(client: Client, exchange: Exchange) -> None:
        await tell(client, now("call.queued"), now("call.missed"))
        await waits(client, "callback")
        await tell(client, now("call.queued", "c-2"))
        await waits(client, "queued")
        desk = await client.desk("o1", presence="online")
        offer = await desk.until(op="offered")
        assert (offer["dialog"], offer["place"], offer.get("callback")) == (DIALOG, 1, None)
        await desk.accept(offer)
        await desk.until(op="receipt")
        await tell(client, now("call.answered", "c-2"), now("call.ended", "c-2", answered_at=AT))
        await desk.until(kind="closed")
        assert exchange.asked == [("/calls/c-2/connect", "o1")]
        assert (await client.state())["open"] == []

    scene(partitions, acts)


@PARTITIONS
@pytest.mark.parametrize("busy", [True, False])
def test_who_is_not_reached_is_closed_as_such(partitions: int, busy: bool) -> None:
    """A call-back is dialled once: refused by the exchange, or not taken by the customer, it ends as `unreached`."""

    async def acts(client: Client, exchange: Exchange) -> None:
        await tell(client, now("call.missed"))
        desk = await client.desk("o1", presence="online")
        exchange.answers = [(409, {"error": "busy"})] if busy else []
        await desk.accept(await desk.until(op="offered", callback=True))
        if not busy:
            assert (await desk.until(op="receipt"))["status"] == "sent"
            await tell(client, now("call.ended", "d-1", "outbound"))
        assert (await desk.until(kind="closed"))["reason"] == "unreached"
        pages = [(await client.rest("GET", f"/v1/audit/{index}"))[1]["entries"] for index in range(partitions)]
        ends = [(row["status"], row["reason"]) for page in pages for row in page if row["op"] == "receipt"]
        assert ends == [("failed", "busy") if busy else ("sent", "")]
        assert len(exchange.orders) == 1
        assert (await client.state())["open"] == []

    scene(partitions, acts)


@PARTITIONS
@pytest.mark.parametrize("taken", [True, False])
def test_an_operator_who_is_lost_while_the_exchange_dials_does_not_double_the_call(
    partitions: int, taken: bool
) -> None:
    """Whoever accepts meanwhile gets the call that was dialled; if there was none, it ends as `unreached`."""

    async def acts(client: Client, exchange: Exchange) -> None:
        await tell(client, now("call.missed"))
        desk, other = await client.desk("o1", presence="online"), await client.desk("o2")
        exchange.hold()
        exchange.answers = [] if taken else [(409, {"error": "busy"})]
        await desk.own(DIALOG)
        await client.until_state(lambda _: len(exchange.orders) == 1)
        await other.presence("online")
        await desk.hang_up()
        entries = await other.accept(await other.until(op="offered", callback=True))
        assert [entry["kind"] for entry in entries["entries"]][-2:] == ["released", "assigned"]
        exchange.release()
        if taken:
            assert plain(await other.until(op="receipt", seq=7))["provider_id"] == "d-1"
            assert exchange.asked == [("/calls", "o1"), ("/calls/d-1/connect", "o2")]
            await tell(client, now("call.ended", "d-1", "outbound", answered_at=AT))
        assert (await other.until(kind="closed"))["reason"] == ("finished" if taken else "unreached")
        assert len(exchange.orders) == (2 if taken else 1)

    scene(partitions, acts, timers_ms={"offer": LONG_MS, "grace": 1, "inactivity": LONG_MS})


@PARTITIONS
def test_who_hangs_up_before_the_connection_is_called_back(partitions: int) -> None:
    """An accepted call that the exchange cannot connect goes back to its place as a call-back."""

    async def acts(client: Client, exchange: Exchange) -> None:
        desk = await client.desk("o1", presence="online")
        await tell(client, now("call.queued"))
        exchange.answers = [(404, {"error": "no such call"})]
        await desk.accept(await desk.until(op="offered"))
        released = await desk.until(kind="released")
        assert (released["reason"], released["operator"]) == ("abandoned", "o1")
        assert (await desk.until(op="offered", callback=True))["place"] == 1
        await tell(client, now("call.queued"), now("call.missed"))
        assert [entry["kind"] for entry in await shown(client)][-2:] == ["call", "released"], (
            "late events say nothing new"
        )

    scene(partitions, acts)


@PARTITIONS
def test_the_order_of_webhooks_does_not_matter(partitions: int) -> None:
    """Late, repeated and early events, an end before its beginning and calls from nowhere change nothing wrong."""

    async def acts(client: Client, exchange: Exchange) -> None:
        ended = now("call.ended", "c-9", answered_at=AT)
        assert await tell(client, now("call.answered", "c-9"), ended, now("call.queued", "c-9"), ended) == [200] * 4
        assert (await client.state())["open"] == [], "its operator was found without us"
        await tell(client, now("call.missed"), now("call.queued"), now("call.missed"))
        await waits(client, "callback")
        old = now("call.queued", "c-8") | {
            "occurred_at": datetime.fromtimestamp(time.time() - 172_900, UTC).isoformat()
        }
        assert await tell(client, old) == [200]
        assert (await client.state())["counters"]["webhook_too_old"] == 1
        assert await tell(client, now("call.queued", "c-7"), secret="wrong") == [401]
        desk = await client.desk("o1", presence="online")
        early = now("call.answered", "d-1", "outbound"), now("call.ended", "d-1", "outbound", answered_at=AT)
        await tell(client, *early)
        await desk.accept(await desk.until(op="offered", callback=True))
        assert (await desk.until(kind="closed"))["reason"] == "finished", "told of before the exchange named the call"
        await tell(client, *early)
        assert (await client.state())["open"] == []
        assert exchange.asked == [("/calls", "o1")]

    scene(partitions, acts)


def test_an_operator_has_no_texts_for_a_caller() -> None:
    """A text is refused, and a hold says nothing that would go nowhere."""

    async def acts(client: Client, exchange: Exchange) -> None:
        desk = await client.desk("o1", presence="online")
        await tell(client, now("call.queued"))
        offer = await desk.until(op="offered")
        await desk.accept(offer)
        assert (await desk.say(offer, "m1", "hello"))["reason"] == "no_text"
        await desk.send(op="hold", dialog=DIALOG, number=offer["number"])
        await desk.until(kind="held")
        assert [entry["kind"] for entry in await shown(client)][-1] == "held"

    scene(1, acts)


def test_an_order_without_an_answer_is_given_again_after_a_restart() -> None:
    """It is the same order by its `request_id`, and the exchange dials once."""

    async def acts() -> None:
        disk = Disk()
        async with serving() as exchange:
            changes = {"accounts": [account(exchange.url)]}
            exchange.answers = [(503, {})]
            async with restarting(disk, **changes) as core:
                await tell(core.client, now("call.missed"))
                desk: Desk = await core.client.desk("o1", presence="online")
                await desk.accept(await desk.until(op="offered"))
                await core.client.until_state(lambda _: len(exchange.orders) == 1)
                await core.crash()
            async with restarting(disk, **changes) as core:
                await core.client.until_state(lambda found: found["unsettled"] == 0)
                assert exchange.asked == [("/calls", "o1")] * len(exchange.orders)
                assert {body["request_id"] for _, body in exchange.orders} == {f"{DIALOG}.4"}
                await tell(core.client, now("call.ended", "d-1", "outbound"))
                assert (await core.client.state())["open"] == []

    play(acts)
