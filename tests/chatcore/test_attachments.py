"""Attachments: stored once, fetched by reference, both ways; what cannot be had is said; edits append."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from chatcore.edges import fetcher
from chatcore.edges.files import MAX_FILE
from chatcore.journal.memory import Disk
from tests.chatcore.client import BOT_TOKEN, SECRET, Client, Desk, Frame, message, plain, system, token, until, update
from tests.chatcore.cores import inside, play, restarting, running, telegram

PICTURE = b"\x89PNG\r\n" + bytes(range(256)) * 40
CUSTOMER = token("customer", "web/u1")
BUSY = [{"id": "o1", "slots": 100}]


class FileServer:
    """Telegram's side: it has pictures to give, and fetches what it is told to show."""

    def __init__(self) -> None:
        self.api = ""
        self.asked: list[str] = []
        self.shown: list[tuple[str, str, bytes]] = []
        self.fails = 0
        self.pictures: dict[str, bytes] = {"AgAC": PICTURE}

    async def get_file(self, request: web.Request) -> web.Response:
        file_id = (await request.json())["file_id"]
        self.asked.append(file_id)
        if self.fails:
            self.fails -= 1
            return web.json_response({"ok": False}, status=500)
        if file_id not in self.pictures:
            return web.json_response({"ok": False, "description": "Bad Request: wrong file_id"}, status=400)
        return web.json_response({"ok": True, "result": {"file_id": file_id, "file_path": f"photos/{file_id}"}})

    async def give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.pictures[request.match_info["name"]], content_type="image/png")

    async def show(self, request: web.Request) -> web.Response:
        body = await request.json()
        kind = "photo" if request.path.endswith("sendPhoto") else "document"
        async with ClientSession() as session, session.get(body[kind]) as answer:
            self.shown.append((kind, answer.url.name, await answer.read()))
        return web.json_response({"ok": True, "result": {"message_id": 1_000 + len(self.shown)}})


@asynccontextmanager
async def serving() -> AsyncIterator[FileServer]:
    """Telegram's files and methods on a free loopback port."""
    found, app = FileServer(), web.Application()
    base = f"/bot{BOT_TOKEN}"
    app.add_routes(
        [
            web.post(f"{base}/getFile", found.get_file),
            web.get(f"/file{base}/photos/{{name}}", found.give),
            web.post(f"{base}/sendPhoto", found.show),
            web.post(f"{base}/sendDocument", found.show),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.api = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield found
    finally:
        await runner.cleanup()


def photo(message_id: int, file_id: str = "AgAC", size: int = len(PICTURE), caption: str = "") -> Frame:
    """An Update with a photo in two sizes."""
    small = {"file_id": "small", "file_unique_id": "s", "width": 9, "height": 9, "file_size": 10}
    large = small | {"file_id": file_id, "file_size": size}
    bare = update(message_id, None)
    return bare | {"message": bare["message"] | {"photo": [small, large], "caption": caption}}


async def own(client: Client, desk: Desk, dialog: str) -> Frame:
    """Accept the offer of a dialog."""
    offer = await desk.until(op="offered", dialog=dialog)
    await desk.accept(offer)
    return offer


async def stored(client: Client, data: bytes, bearer: str = CUSTOMER) -> str:
    """Store an attachment; its reference."""
    status, answer = await client.rest("POST", "/v1/files", data, bearer)
    assert (status, answer["size"]) == (201, len(data))
    return str(answer["ref"])


def shown(**changes: Any) -> Frame:
    """The attachment as entries show it before its bytes are here."""
    return {"kind": "image", "name": "photo.jpg", "mime": "image/jpeg", "size": len(PICTURE), "ref": ""} | changes


def test_a_customers_picture_is_fetched_and_shown() -> None:
    """A photo's entry comes at once; where its bytes are follows, after trouble, too; who has the ref reads them."""

    async def acts() -> None:
        async with serving() as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            server.fails = 1
            desk = await core.client.desk("o1", presence="online")
            assert await core.client.webhook(update(1)) == (200, {})
            await own(core.client, desk, "tg/77#1")
            assert await core.client.webhook(photo(2, caption="my card")) == (200, {})
            entry = await desk.until(op="entry", kind="message")
            assert (entry["text"], entry["files"]) == ("my card", [shown()])
            told = await desk.until(op="attachment")
            assert (told["seq"], told["index"], told["status"]) == (entry["seq"], 0, "stored")
            assert (told["size"], told["mime"]) == (len(PICTURE), "image/png")
            assert server.asked == ["AgAC", "AgAC"]
            assert await core.client.bytes(f"/v1/files/{told['ref']}", token("operator", "o1")) == (200, PICTURE)

    play(acts)


@pytest.mark.parametrize(
    "sent, reason", [(photo(2, "gone"), "getFile: status 400"), (photo(2, size=MAX_FILE + 1), "too_big")]
)
def test_what_cannot_be_had_is_said(sent: Frame, reason: str) -> None:
    """An attachment that its provider has not, or that is too big, ends visibly, and the dialog goes on."""

    async def acts() -> None:
        async with serving() as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await core.client.webhook(update(1))
            await own(core.client, desk, "tg/77#1")
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
        async with serving() as server:
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
        async with serving() as server, inside(accounts=[telegram(server.api)], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await core.client.webhook(update(1))
            offer = await own(core.client, desk, "tg/77#1")
            ref = await stored(core.client, b"%PDF contract", token("operator", "o1"))
            file = {"kind": "document", "ref": ref, "name": "contract №7.pdf", "mime": "application/pdf"}
            place = {"op": "send", "dialog": offer["dialog"], "number": offer["number"], "text": ""}
            await desk.send(**place, cid="1", files=[file])
            assert (await desk.until(cid="1"))["op"] == "ack"
            assert (await desk.until(op="receipt"))["status"] == "sent"
            assert server.shown == [("document", "contract №7.pdf", b"%PDF contract")]
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
                ref = await stored(client, PICTURE)
                assert await stored(client, PICTURE) == ref
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
            one, other = await stored(client, b"one"), await stored(client, b"other")
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
