"""What a messenger does not carry is refused before it is sent; MAX, which takes less than the core, stands for all."""

from pathlib import Path
from typing import Any

import orjson

from tests.chatcore.cores import inside, play
from tests.chatcore.provider import serve
from tests.chatcore.test_max import Max, new, take


def test_no_text_is_longer_than_max_takes(tmp_path: Path) -> None:
    """A longer reply is refused at the desk, with the limit, and so is a notice; a longer automatic text fails."""
    answers = tmp_path / "answers.json"
    answers.write_bytes(orjson.dumps({"replies": [{"event": "greeting", "text": "g" * 4_001}]}))
    templates = [{"name": "long", "text": "n" * 4_001}]

    async def acts() -> None:
        changes: dict[str, Any] = {"answers": str(answers), "templates": templates}
        async with serve(Max()) as provider, inside(accounts=[provider.account()], **changes) as core:
            desk = await core.client.desk("o1", presence="online")
            await take(core, new())
            offer = await desk.own("max/5001#1")
            refused = {"op": "refused", "cid": "m1", "dialog": offer["dialog"], "most": 4_000, "reason": "too_long"}
            assert await desk.say(offer, "m1", "я" * 4_001) == refused
            assert (await desk.say(offer, "m2", "я" * 4_000))["op"] == "ack"
            seq = (await desk.until(op="receipt", status="sent"))["seq"]
            notice = {"template": "long", "id": "n1", "contacts": ["max/5001"], "parameters": []}
            told = (await core.client.rest("POST", "/v1/notices", notice))[1]["notices"]
            assert told == [{"contact": "max/5001", "accepted": False, "reason": "too_long"}]
            rows = (await core.client.rest("GET", "/v1/audit/0"))[1]["entries"]
            ends = [(row["seq"], row["status"], row["reason"]) for row in rows if row["op"] == "receipt"]
            assert ends == [(2, "failed", "longer than 4000 characters"), (seq, "sent", "")]
            assert [body["text"] for body in provider.sent] == ["я" * 4_000]

    play(acts)
