"""VK over HTTP: the address is confirmed, customers write, operators reply, and nothing is sent twice."""

from urllib.parse import parse_qs

import orjson
import pytest

from chatcore.edges import outbox
from chatcore.journal.memory import Disk
from tests.chatcore.calls import Part, parts
from tests.chatcore.client import Frame, plain, token, until
from tests.chatcore.cores import inside, play, restarting
from tests.chatcore.provider import serve
from tests.chatcore.vk_api import DOC, READ, SIZES, Vk, event, new, take, written

BEARER = token("operator", "o1")


def receipt(seq: int, status: str, provider_id: str = "", reason: str = "") -> Frame:
    """The receipt of a reply to 5001, without its time."""
    about = {"op": "receipt", "dialog": "vk/5001#1", "seq": seq, "status": status}
    return about | {"provider_id": provider_id, "reason": reason}


def test_a_customer_writes() -> None:
    """The address is confirmed, messages and their repeats are taken once, files are fetched, edits append."""

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            assert await take(core, {"type": "confirmation", "group_id": 1001}) == (200, b"c0nf1rm")
            assert await take(core, {"type": "confirmation", "group_id": 1002}) == (200, b"ok")
            assert (await take(core, new(written(), secret="wrong")))[0] == 401
            assert (await core.client.hook("vk/vk", b'{"object":' + b"[" * 60_000, {}))[0] == 401
            for event_id in ("e1", "e1", "e2"):
                assert await take(core, new(written("один"), event_id=event_id)) == (200, b"ok")
            desk = await core.client.desk("o1", presence="online")
            await desk.own("vk/5001#1")
            photo = {"type": "photo", "photo": {"sizes": [SIZES[1] | {"url": f"{provider.api}/card.png"}]}}
            doc = {"type": "doc", "doc": DOC["doc"] | {"url": f"{provider.api}/passport.pdf"}}
            assert await take(core, new(written("вот", photo, doc, id=42))) == (200, b"ok")
            told = [await desk.until(op="attachment") for _ in range(2)]
            fetched = {each["index"]: await core.client.bytes(f"/v1/files/{each['ref']}", BEARER) for each in told}
            assert fetched == {0: (200, b"/card.png"), 1: (200, b"/passport.pdf")}
            assert await take(core, event("message_edit", written("два"))) == (200, b"ok")
            texts = [entry.get("text") for entry in await core.client.history("vk/5001")]
            assert [text for text in texts if text is not None] == ["один", "вот", "два"]

    play(acts)


def test_an_operator_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply whose answer was lost goes out once, a document over the upload server; reading and refusals are told."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.01)

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            desk = await core.client.desk("o1", presence="online")
            await take(core, new(written()))
            offer = await desk.own("vk/5001#1")
            provider.loses = 2
            await desk.say(offer, "m1", "Чем помочь?")
            assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "43")
            assert (len(provider.asked), [*provider.sent.values()]) == (
                3,
                [{"peer_id": "5001", "message": "Чем помочь?"}],
            )
            ref = await core.client.store(b"%PDF", BEARER)
            file = {"kind": "document", "ref": ref, "name": "договор.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", cid="m2", text="", files=[file], **place)
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "44")
            assert [*provider.sent.values()][1] == {"peer_id": "5001", "attachment": "doc-1001_66"}
            uploaded = next(asked for asked in provider.asked if asked.path == "/upload")
            assert await parts({"Content-Type": uploaded.headers["content-type"]}, uploaded.body) == [
                Part("file", b"%PDF", "договор.pdf", "application/pdf")
            ]
            await take(core, event("message_read", READ | {"read_message_id": 44}))
            read = [plain(await desk.until(op="receipt")) for _ in range(2)]
            assert read == [receipt(4, "read"), receipt(5, "read")]
            assert await take(core, event("message_deny", {"user_id": 5001})) == (200, b"ok")
            provider.denied = True
            await desk.say(offer, "m3", "Вы здесь?")
            words = "Can't send messages for users without permission"
            assert plain(await desk.until(op="receipt")) == receipt(6, "failed", reason=words)

    play(acts)


def test_a_crash_sends_nothing_twice() -> None:
    """A reply that was under way when the core died goes out again under the same number, which VK knows."""

    async def acts() -> None:
        disk = Disk()
        async with serve(Vk()) as provider:
            async with restarting(disk, accounts=[provider.account()]) as core:
                desk = await core.client.desk("o1", presence="online")
                await take(core, new(written()))
                offer = await desk.own("vk/5001#1")
                provider.hold()
                await desk.say(offer, "m1", "Чем помочь?")
                await until(lambda: len(provider.asked) == 1)
                await core.crash()
            provider.release()
            async with restarting(disk, accounts=[provider.account()]) as core:
                await core.client.until_state(lambda found: found["unsettled"] == 0)
            sends = [parse_qs(asked.body.decode()) for asked in provider.asked]
            assert sends[0] == sends[1]
            assert (len(sends), [*provider.sent.values()]) == (2, [{"peer_id": "5001", "message": "Чем помочь?"}])

    play(acts)


def test_answers_are_plain_text() -> None:
    """VK is told `ok` as text, at the door and behind it."""

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            body, url = orjson.dumps(new(written())), f"{core.client.url}/webhooks/vk/vk"
            for chunked in (False, True):
                async with core.client.http.post(url, data=body, chunked=chunked or None) as answer:
                    assert (answer.content_type, await answer.read()) == ("text/plain", b"ok")

    play(acts)
