"""WhatsApp Cloud API over HTTP: what customers write, what becomes of replies, and attachments both ways."""

import hmac
from itertools import pairwise

import pytest

from chatcore.channels import whatsapp
from tests.chatcore.client import Client, Desk, Frame, token, until
from tests.chatcore.cores import inside, play
from tests.chatcore.provider import serve
from tests.chatcore.whatsapp import ANN, BOB, PICTURE, Graph, change, envelope, said, status

CONTRACT = b"%PDF contract"
BUSY = [{"id": "o1", "slots": 100}]


async def post(client: Client, body: bytes, secret: str = "secret") -> tuple[int, bytes]:
    """Post a webhook as Meta does."""
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    return await client.hook("whatsapp/wa", body, {"X-Hub-Signature-256": f"sha256={signature}"})


async def own(desk: Desk, user: str = ANN) -> Frame:
    """Accept the offer of a user's dialog."""
    offer = await desk.until(op="offered", dialog=f"wa/{user}#1")
    await desk.accept(offer)
    return offer


async def wrote(client: Client, user: str) -> list[tuple[str, str]]:
    """Ids and texts of a user's messages in the history."""
    entries = await client.history(f"wa/{user}")
    return [(entry["id"], entry["text"]) for entry in entries if entry["author"] == "customer"]


async def told(desk: Desk, seq: int) -> tuple[str, str, str]:
    """The next receipt of Ann's dialog: state, provider's id, reason."""
    frame = await desk.until(op="receipt", dialog=f"wa/{ANN}#1")
    assert frame["seq"] == seq
    return frame["status"], frame["provider_id"], frame["reason"]


def test_a_conversation() -> None:
    """Meta makes sure of us; two users write in one batch; replies, faster statuses, a picture and a document pass."""

    async def acts() -> None:
        async with (
            serve(Graph()) as graph,
            inside(accounts=[graph.account], operators=BUSY, partitions=4) as core,
        ):
            client, desk = core.client, await core.client.desk("o1", presence="online")
            asked = "/webhooks/whatsapp/wa?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
            assert await client.bytes(asked + "shared") == (200, b"1158201444")
            assert (await client.bytes(asked + "other"))[0] == 403
            body = envelope([change(messages=[said(1), said(2, BOB)]), change(messages=[said(3)])])
            assert (await post(client, body, "wrong"))[0] == 401
            assert await post(client, body) == await post(client, body) == (200, b"{}")
            offer = await own(desk)
            assert await wrote(client, ANN) == [("wamid.in1", "text 1"), ("wamid.in3", "text 3")]
            assert await wrote(client, BOB) == [("wamid.in2", "text 2")]

            graph.hold()
            await desk.say(offer, "r1", "Добрый день")
            await until(lambda: graph.asked)
            early = [status("wamid.1", "read"), status("wamid.1", "delivered"), status("wamid.1", "sent")]
            assert await post(client, envelope([change(statuses=early)])) == (200, b"{}")
            graph.release()
            assert [await told(desk, 5) for _ in range(2)] == [("sent", "wamid.1", ""), ("read", "", "")]
            assert [frame for frame in await desk.asked() if frame["op"] == "receipt"] == []

            await desk.say(offer, "r2", "second")
            assert await told(desk, 6) == ("sent", "wamid.2", "")
            failure = status("wamid.2", "failed", errors=[{"code": 131026, "title": "Message undeliverable"}])
            for found in (failure, failure, status("wamid.2", "delivered"), failure, status("wamid.2", "read")):
                assert await post(client, envelope([change(statuses=[found])])) == (200, b"{}")
            assert [await told(desk, 6) for _ in range(3)] == [
                ("failed", "", "131026 Message undeliverable"),
                ("delivered", "", ""),
                ("read", "", ""),
            ]

            picture = said(4, kind="image", caption="my card", mime_type="image/png", id="880")
            await post(client, envelope([change(messages=[picture])]))
            kept = await desk.until(op="attachment")
            assert (kept["status"], kept["size"], kept["mime"]) == ("stored", len(PICTURE), "image/png")

            ref = (await client.rest("POST", "/v1/files", CONTRACT, token("operator", "o1")))[1]["ref"]
            file = {"kind": "document", "ref": ref, "name": "№7.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", **place, cid="r3", text="", files=[file])
            assert await told(desk, 8) == ("sent", "wamid.3", "")
            async with client.http.get(graph.sent[2]["document"]["link"]) as answer:
                assert await answer.read() == CONTRACT
            assert [(each["to"], each["type"], each["biz_opaque_callback_data"]) for each in graph.sent] == [
                (ANN, "text", f"wa/{ANN}#1.5"),
                (ANN, "text", f"wa/{ANN}#1.6"),
                (ANN, "document", f"wa/{ANN}#1.8"),
            ]

    play(acts)


def test_replies_to_one_user_wait_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts after 131056 keep the growing pause; a window that is over fails at once, and the next reply goes."""
    monkeypatch.setattr(whatsapp, "PAUSE_S", 1.2)

    async def acts() -> None:
        async with serve(Graph()) as graph, inside(accounts=[graph.account], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await post(core.client, envelope([change(messages=[said(1)])]))
            offer = await own(desk)
            graph.errors = [131056, 131056, 131056, 131047]
            for number in (1, 2, 3):
                await desk.say(offer, f"r{number}", f"reply {number}")
            assert await told(desk, 4) == ("failed", "", "131047 (#131047) words")
            assert [await told(desk, seq) for seq in (5, 6)] == [("sent", "wamid.1", ""), ("sent", "wamid.2", "")]
            gaps_ms = [round(1000 * (later - sooner)) for sooner, later in pairwise(graph.at_s[:4])]
            pauses_ms = (1000, 1200, 1440)
            assert [gap >= pause for gap, pause in zip(gaps_ms, pauses_ms, strict=True)] == [True] * 3

    play(acts)
