"""Infobip over HTTP: what customers write, what becomes of replies, and attachments both ways."""

import pytest

from chatcore.edges import outbox
from tests.chatcore.client import Client, Desk, Frame, token, until
from tests.chatcore.cores import inside, play
from tests.chatcore.infobip import ANN, BOB, PNG, Api, basic, envelope, newer, older, report, said, seen, texted
from tests.chatcore.provider import serve

CONTRACT = b"%PDF contract"
BUSY = [{"id": "o1", "slots": 100}]


async def post(client: Client, channel: str, body: bytes, password: str = "secret") -> tuple[int, bytes]:
    """Post a webhook as Infobip does, to `channel/account`."""
    return await client.hook(channel, body, {"Authorization": basic(f"infobip:{password}")["authorization"]})


async def own(desk: Desk, dialog: str) -> Frame:
    """Accept the offer of a dialog."""
    offer = await desk.until(op="offered", dialog=dialog)
    await desk.accept(offer)
    return offer


async def told(desk: Desk, seq: int) -> tuple[str, str]:
    """The next receipt: state and reason."""
    frame = await desk.until(op="receipt")
    assert frame["seq"] == seq
    return frame["status"], frame["reason"]


def test_a_conversation_on_whatsapp() -> None:
    """Two users write in one batch; a reply, reports faster than its answer, a picture and a document pass."""

    async def acts() -> None:
        async with serve(Api()) as api, inside(accounts=api.accounts, operators=BUSY) as core:
            client, desk = core.client, await core.client.desk("o1", presence="online")
            body = envelope(said(1), said(2, BOB), said(3))
            assert (await post(client, "infobip/ib", body, "wrong"))[0] == 401
            assert (await post(client, "sms/ib", body))[0] == 404
            assert await post(client, "infobip/ib", body) == await post(client, "infobip/ib", body) == (200, b"{}")
            offer = await own(desk, f"ib/{ANN}#1")
            written = [await client.history(f"ib/{user}") for user in (ANN, BOB)]
            texts = [[entry["text"] for entry in entries if entry["kind"] == "message"] for entries in written]
            assert texts == [["text 1", "text 3"], ["text 2"]]

            api.hold()
            await desk.say(offer, "r1", "Добрый день")
            await until(lambda: api.asked)
            name = api.asked[0].json()["messageId"]
            await post(client, "infobip/ib", envelope(seen(name), report(name, "PENDING"), report(name, "DELIVERED")))
            api.release()
            assert [await told(desk, 5) for _ in range(2)] == [("sent", ""), ("read", "")]

            await post(client, "infobip/ib", envelope(said(4, type="IMAGE", url=f"{api.api}/media/1", caption="card")))
            kept = await desk.until(op="attachment")
            assert (kept["status"], kept["size"], kept["mime"]) == ("stored", len(PNG), "image/png")

            ref = (await client.rest("POST", "/v1/files", CONTRACT, token("operator", "o1")))[1]["ref"]
            file = {"kind": "document", "ref": ref, "name": "№7.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", **place, cid="r2", text="", files=[file])
            assert await told(desk, 7) == ("sent", "")
            async with client.http.get(api.sent[1]["content"]["mediaUrl"]) as answer:
                assert await answer.read() == CONTRACT
            paths = [asked.path.rpartition("/")[2] for asked in api.asked if asked.method == "POST"]
            assert (paths, [each["to"] for each in api.sent]) == (["text", "document"], [ANN, ANN])

    play(acts)


def test_a_conversation_by_sms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit is waited for under the same message id, a failure is told, and an attachment fails visibly."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.02)

    async def acts() -> None:
        async with serve(Api()) as api, inside(accounts=api.accounts, operators=BUSY) as core:
            client, desk = core.client, await core.client.desk("o1", presence="online")
            assert await post(client, "sms/sms", envelope(texted(1))) == (200, b"{}")
            offer = await own(desk, f"sms/{ANN}#1")
            api.errors = [newer("E429"), older("TOO_MANY_REQUESTS"), newer("E400")]
            await desk.say(offer, "r1", "refused")
            assert await told(desk, 4) == ("failed", "E400: words")
            await desk.say(offer, "r2", "taken")
            assert await told(desk, 5) == ("sent", "")
            names = [asked.json()["messages"][0]["destinations"][0]["messageId"] for asked in api.asked]
            assert names[0] == names[1] == names[2] != names[3]
            await post(client, "sms/sms", envelope(report(names[3], "UNDELIVERABLE", error="Absent subscriber")))
            assert await told(desk, 5) == ("failed", "UNDELIVERABLE_X: Absent subscriber")

            ref = (await client.rest("POST", "/v1/files", CONTRACT, token("operator", "o1")))[1]["ref"]
            file = {"kind": "document", "ref": ref, "name": "№7.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", **place, cid="r3", text="", files=[file])
            assert await told(desk, 6) == ("failed", "SMS carries no attachments")
            assert len(api.asked) == 4

    play(acts)
