"""Attachments: stored once, fetched by reference, both ways; what cannot be had is said; edits append."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from chatcore.edges import fetcher
from chatcore.edges.files import MAX_FILE
from chatcore.edges.gateway import MAX_SAID
from chatcore.journal.memory import Disk
from tests.chatcore.client import BOT_TOKEN, SECRET, Client, Frame, message, plain, system, token, until, update
from tests.chatcore.cores import inside, play, restarting, running, telegram
from tests.chatcore.provider import Answer, Asked, Provider, serve

PICTURE = b"\x89PNG\r\n" + bytes(range(256)) * 40
CUSTOMER = token("customer", "web/u1")
BUSY = [{"id": "o1", "slots": 100}]


class FileServer(Provider):
    """Telegram's side: it has pictures to give, and takes every message."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.fails = 0
        self.pictures: dict[str, bytes] = {"AgAC": PICTURE}

    def named(self, method: str) -> list[Any]:
        """The bodies of the calls of a method."""
        return [asked.json() for asked in self.asked if asked.path == f"/bot{BOT_TOKEN}/{method}"]

    def _say(self, asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        if asked.path == f"/file/bot{BOT_TOKEN}/photos/{name}":
            return 200, self.pictures[name]
        if name == "getFile":
            return self._path(asked.json()["file_id"])
        return 200, {"ok": True, "result": {"message_id": 1_000}}

    def _path(self, file_id: str) -> Answer:
        if self.fails:
            self.fails -= 1
            return 500, {"ok": False}
        if file_id not in self.pictures:
            return 400, {"ok": False, "description": "Bad Request: wrong file_id"}
        return 200, {"ok": True, "result": {"file_id": file_id, "file_path": f"photos/{file_id}"}}


def photo(message_id: int, file_id: str = "AgAC", size: int = len(PICTURE), caption: str = "") -> Frame:
    """An Update with a photo in two sizes."""
    small = {"file_id": "small", "file_unique_id": "s", "width": 9, "height": 9, "file_size": 10}
    large = small | {"file_id": file_id, "file_size": size}
    bare = update(message_id, None)
    return bare | {"message": bare["message"] | {"photo": [small, large], "caption": caption}}


def shown(**changes: Any) -> Frame:
    """The attachment as entries show it before its bytes are here."""
    return {"kind": "image", "name": "photo.jpg", "mime": "image/jpeg", "size": len(PICTURE), "ref": ""} | changes


def test_a_customers_picture_is_fetched_and_shown() -> None:
    """A photo's entry comes at once; where its bytes are follows, after trouble, too; who has the ref reads them."""

    async def acts() -> None:
        async with serve(FileServer()) as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            server.fails = 1
            desk = await core.client.desk("o1", presence="online")
            assert await core.client.webhook(update(1)) == (200, {})
            await desk.own("tg/77#1")
            assert await core.client.webhook(photo(2, caption="my card")) == (200, {})
            entry = await desk.until(op="entry", kind="message")
            assert (entry["text"], entry["files"]) == ("my card", [shown()])
            told = await desk.until(op="attachment")
            assert (told["seq"], told["index"], told["status"]) == (entry["seq"], 0, "stored")
            assert (told["size"], told["mime"]) == (len(PICTURE), "image/png")
            assert server.named("getFile") == [{"file_id": "AgAC"}] * 2
            assert await core.client.bytes(f"/v1/files/{told['ref']}", token("operator", "o1")) == (200, PICTURE)

    play(acts)


@pytest.mark.parametrize(
    "sent, reason", [(photo(2, "gone"), "getFile: status 400"), (photo(2, size=MAX_FILE + 1), "too_big")]
)
def test_what_cannot_be_had_is_said(sent: Frame, reason: str) -> None:
    """An attachment that its provider has not, or that is too big, ends visibly, and the dialog goes on."""

    async def acts() -> None:
        async with serve(FileServer()) as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await core.client.webhook(update(1))
            await desk.own("tg/77#1")
            await core.client.webhook(sent)
            told = await desk.until(op="attachment")
            assert (told["seq"], told["status"], told["reason"]) == (4, "missing", reason)
            assert [each.unfetched for each in core.core.partitions[0].state.contacts.active.values()] == [[]]

    play(acts)


def test_fetching_goes_on_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were not here before a crash are fetched after it."""
    monkeypatch.setattr(fetcher, "FIRST_DELAY_S", 30.0)

    async def acts() -> None:
        disk = Disk()
        async with serve(FileServer()) as server:
            async with restarting(disk, accounts=[telegram(server.api)]) as core:
                server.fails = 1
                await core.client.webhook(photo(1))
                await until(lambda: server.asked)
                await core.crash()
            async with restarting(disk, accounts=[telegram(server.api)]) as core:
                contact = core.core.partitions[0].state.contacts[1]
                await until(lambda: not contact.unfetched)
                rows = (await core.client.rest("GET", "/v1/audit/0", bearer=token("admin", "a")))[1]["entries"]
                assert [row["status"] for row in rows if row["op"] == "attachment"] == ["stored"]

    play(acts)


def test_an_operators_document_reaches_the_messenger() -> None:
    """A stored attachment is sent by an address that the provider can read, without a token of its own."""

    async def acts() -> None:
        async with serve(FileServer()) as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await core.client.webhook(update(1))
            offer = await desk.own("tg/77#1")
            ref = await core.client.store(b"%PDF contract", token("operator", "o1"))
            file = {"kind": "document", "ref": ref, "name": "contract №7.pdf", "mime": "application/pdf"}
            place = {"op": "send", "dialog": offer["dialog"], "number": offer["number"], "text": ""}
            await desk.send(**place, cid="1", files=[file])
            assert (await desk.until(cid="1"))["op"] == "ack"
            assert (await desk.until(op="receipt"))["status"] == "sent"
            (sent,) = server.named("sendDocument")
            address = urlsplit(sent.pop("document"))
            assert (sent, unquote(address.path).rpartition("/")[2]) == ({"chat_id": 77}, "contract №7.pdf")
            assert await core.client.bytes(f"{address.path}?{address.query}") == (200, b"%PDF contract")
            for files, reason in (([file, file], "too_many_files"), ([file | {"ref": "0" * 64}], "unknown_file")):
                await desk.send(**place, cid="2", files=files)
                assert (await desk.until(cid="2"))["reason"] == reason
            await desk.send(**place | {"text": "both"}, cid="3", files=[file])
            assert (await desk.until(cid="3"))["reason"] == "bad_frame"

    play(acts)


def test_a_customer_on_the_site_sends_a_picture(tmp_path: Path) -> None:
    """It is stored once however often it comes, survives `kill -9`, and the entry names it; a wrong one is refused."""

    async def acts() -> None:
        async with running(tmp_path) as core:
            async with Client(core.url) as client:
                customer = await client.customer("web/u1")
                ref = await client.store(PICTURE, CUSTOMER)
                assert await client.store(PICTURE, CUSTOMER) == ref
                file = {"kind": "image", "ref": ref, "name": "card.png", "mime": "image/png"}
                await customer.send(op="send", cid="1", text="", files=[file])
                assert (await customer.until(cid="1"))["op"] == "ack"
                await customer.send(op="send", cid="2", text="", files=[file | {"ref": "../../core.json"}])
                assert (await customer.until(cid="2"))["reason"] == "unknown_file"
            await core.end()
            await core.start()
            async with Client(core.url) as client:
                entries = [plain(entry) for entry in await client.history("web/u1")]
                named = shown(name="card.png", mime="image/png", ref=ref)
                assert entries == [
                    message("web/u1#1", 1, "customer", "", "1") | {"files": [named]},
                    system("web/u1#1", 2, "queued", department="general"),
                ]
                assert await client.bytes(f"/v1/files/{ref}", CUSTOMER) == (200, PICTURE)
        kept = [path for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()]
        assert len(kept) == 1

    play(acts)


def test_attachments_are_for_those_who_were_shown_them() -> None:
    """Without a token, with another file's link, or for a name that is none, nothing is given; too big is refused."""

    async def acts() -> None:
        async with inside() as core:
            client = core.client
            one, other = await client.store(b"one", CUSTOMER), await client.store(b"other", CUSTOMER)
            link = token("file", one)
            assert await client.bytes(f"/v1/files/{one}/x.pdf?token={link}") == (200, b"one")
            for path, status in (
                (f"/v1/files/{one}", 401),
                (f"/v1/files/{other}/x?token={link}", 401),
                (f"/v1/files/{one}?token={token('file', one, -1)}", 401),
                (f"/v1/files/{one}?token={token('file', one, secret=SECRET + 'x')}", 401),
                (f"/v1/files/{'0' * 64}?token={token('file', '0' * 64)}", 404),
                (f"/v1/files/..%2Fcore.json?token={token('file', '../core.json')}", 404),
            ):
                assert (await client.bytes(path))[0] == status, path
            assert (await client.rest("POST", "/v1/files", b"x", token("file", one)))[0] == 403
            assert (await client.rest("POST", "/v1/files", b"", CUSTOMER))[0] == 400
            await asyncio.sleep(0)

    play(acts)


def test_a_long_text_is_taken_whole_and_a_longer_one_says_so() -> None:
    """What any messenger lets through is stored whole, also as an edit; beyond that, an entry says what is missing."""

    async def acts() -> None:
        async with inside(accounts=[telegram("http://127.0.0.1:9")], operators=BUSY) as core:
            whole, longer = "ж" * MAX_SAID, "ж" * (MAX_SAID + 7)
            for number, text in enumerate((whole, longer, longer), 1):
                await core.client.webhook(update(number, text, message_id=min(number, 2)))
            edited = update(4, longer, message_id=1)
            edited["edited_message"] = edited.pop("message")
            await core.client.webhook(edited)
            texts = [entry["text"] for entry in await core.client.history("tg/77") if "text" in entry]
            cut = f"{whole}\n[7 more characters]"
            assert texts == [whole, cut, cut]
            assert (await core.client.state())["counters"] == {"text_cut": 3}

    play(acts)


def test_an_edit_appends() -> None:
    """A new text takes a place of its own and names the old one's, also after closing; a repeat of it takes none."""

    async def acts() -> None:
        async with inside(accounts=[telegram("http://127.0.0.1:9")], operators=BUSY) as core:
            client = core.client
            await client.webhook(update(1, "my card is los"))
            changed = update(2)
            body = changed["message"] | {"message_id": 1, "text": "my card is lost", "edit_date": 1_700_000_001}
            edit = {"update_id": 2, "edited_message": body}
            for again in (edit, edit, edit | {"update_id": 3, "edited_message": body | {"message_id": 9}}):
                assert await client.webhook(again) == (200, {})
            entries = [plain(entry) for entry in await client.history("tg/77")]
            assert entries[2:] == [
                system("tg/77#1", 3, "edited")
                | {"author": "customer", "id": "1", "text": "my card is lost", "of": "1.1"}
            ]
            assert (await client.state())["counters"] == {"webhook_unknown_message": 1}

    play(acts)
