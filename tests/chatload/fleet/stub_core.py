"""A small honest chat platform for the fleet's tests: the reference core's wire protocol, in memory, without timers.

It stores before it answers, deduplicates by the client's id, numbers entries densely, offers the oldest waiting dialog
to a free seat and posts operators' messages to the messenger. Tests may break its sockets or have it refuse.
"""

import asyncio
import base64
import contextlib
from collections import deque
from typing import Any

import aiohttp
import orjson
from aiohttp import WSMsgType, web

SLOTS = 3
HOOK_SECRET = "hook"
BOT_TOKEN = "111:bot"
Frame = dict[str, Any]
Socket = web.WebSocketResponse


class Contact:
    def __init__(self, key: str) -> None:
        self.key = key
        self.number = 0
        self.seq = 0
        self.state = "none"
        self.assignment = -1
        self.operator = ""
        self.entries: list[Frame] = []  # of all dialogs
        self.seen: dict[str, Frame] = {}  # acknowledgements by the client's id
        self.sessions: list[Socket] = []

    @property
    def dialog(self) -> str:
        return f"{self.key}#{self.number}"


class StubCore:
    """`refuse` holds reasons, by op, for the next frames, "" lets one pass; `swallow` breaks so many acks' sockets."""

    def __init__(self, answers: dict[str, str], handover: tuple[str, ...]) -> None:
        self.answers = answers
        self.handover = handover
        self.api = ""
        self.url = ""
        self.contacts: dict[str, Contact] = {}
        self.desks: dict[str, Socket] = {}
        self.online: set[str] = set()
        self.away: set[str] = set()
        self.queue: deque[Contact] = deque()
        self.refuse: dict[str, deque[str]] = {}
        self.swallow = 0
        self.please_wait = ""  # what whoever is queued is told
        self.down = False
        self.customers_role = "customer"
        self.hellos: list[Frame] = []
        self.updates: list[Frame] = []
        self._numbers = 0
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self._posting: set[asyncio.Task[None]] = set()
        self._requests: dict[Socket, web.Request] = {}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/chat", self._chat)
        app.router.add_get("/v1/desk", self._desk)
        app.router.add_get("/v1/history/{account}/{user}", self._history)
        app.router.add_post("/webhooks/telegram/{account}", self._telegram)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._http = aiohttp.ClientSession()

    async def stop(self) -> None:
        self.break_all()
        await asyncio.gather(*self._posting, return_exceptions=True)
        if self._runner is not None and self._http is not None:
            await self._runner.cleanup()
            await self._http.close()

    def break_all(self) -> None:
        """Break every socket, as a crash would."""
        for socket in list(self._requests):
            self._break(socket)

    def _break(self, socket: Socket) -> None:
        transport = self._requests[socket].transport
        if transport is not None:
            transport.abort()

    def contact(self, key: str) -> Contact:
        return self.contacts.setdefault(key, Contact(key))

    # --- customers -------------------------------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.json_response({"error": "not_stored"}, status=503)
        socket, hello, role, key = await self._greet(request)
        if role != self.customers_role:
            await socket.close(code=4401)
            return socket
        contact = self.contact(key)
        head = {"dialog": contact.number, "state": contact.state, "cursor": f"{contact.number}.{contact.seq}"}
        await _send(socket, {"op": "welcome", "contact": key, **head})
        for entry in contact.entries:
            if hello["cursor"] is not None and _place(entry) > tuple(map(int, hello["cursor"].split("."))):
                await _send(socket, entry)
        contact.sessions.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._customer_said(contact, socket, orjson.loads(message.data))
        finally:
            contact.sessions.remove(socket)
        return socket

    async def _customer_said(self, contact: Contact, socket: Socket, frame: Frame) -> None:
        if frame["op"] == "end":
            await self.close(contact, "customer")
        elif (reasons := self.refuse.get("send")) and (reason := reasons.popleft()):
            await _send(socket, {"op": "refused", "cid": frame["cid"], "reason": reason})
        else:
            ack = await self.store(contact, frame["cid"], frame["text"], socket)
            if self.swallow:
                self.swallow -= 1
                self._break(socket)
            else:
                await _send(socket, {"op": "ack", "cid": frame["cid"], **ack})

    async def store(self, contact: Contact, cid: str, text: str, origin: Socket | None = None) -> Frame:
        """Store a customer's message once, and let the bot or the queue take it."""
        if cid in contact.seen:
            return contact.seen[cid]
        if contact.state in {"none", "closed"}:
            contact.number, contact.seq = contact.number + 1, 0
            contact.state = "bot" if not contact.key.startswith("tg/") else "none"
        entry = await self._enter(contact, "message", author="customer", text=text, id=cid, origin=origin)
        contact.seen[cid] = {"dialog": contact.dialog, "seq": entry["seq"]}
        if contact.state == "none" or (contact.state == "bot" and any(word in text for word in self.handover)):
            await self._enqueue(contact)
        elif contact.state == "bot":
            for word, answer in self.answers.items():
                if word in text:
                    cause = {"seq": entry["seq"], "rule": f"bot:{word}"}
                    asyncio.get_running_loop().call_soon(self._soon, contact, "message", answer, cause)
        return contact.seen[cid]

    def _soon(self, contact: Contact, kind: str, text: str, cause: Frame) -> None:
        self._spawn(self._enter(contact, kind, author="bot", text=text, cause=cause))

    async def close(self, contact: Contact, reason: str) -> None:
        if contact.state in {"none", "closed"}:
            return
        if contact in self.queue:
            self.queue.remove(contact)
        await self._enter(contact, "closed", author="system", reason=reason)
        contact.state, contact.operator = "closed", ""
        await self._offer()

    # --- the floor -------------------------------------------------------------------------------------------------

    async def _desk(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.json_response({"error": "not_stored"}, status=503)
        socket, hello, role, name = await self._greet(request)
        if role != "operator":
            await socket.close(code=4401)
            return socket
        mine = [contact for contact in self.contacts.values() if contact.operator == name]
        listed = [{"dialog": c.dialog, "number": c.assignment, "state": c.state, "seq": c.seq} for c in mine]
        presence = "online" if name in self.online else "away" if name in self.away else "offline"
        await _send(socket, {"op": "welcome", "operator": name, "presence": presence, "open": listed})
        for contact in mine:
            if contact.state == "offered":
                await self._send_offer(socket, contact)
            for entry in contact.entries if contact.state == "assigned" else ():
                if entry["dialog"] == contact.dialog and entry["seq"] > hello["cursors"].get(contact.dialog, 0):
                    await _send(socket, entry)
        self.desks[name] = socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._operator_said(name, socket, orjson.loads(message.data))
        return socket

    async def _operator_said(self, name: str, socket: Socket, frame: Frame) -> None:
        if frame["op"] == "presence":
            await self._presence(name, socket, frame["state"])
            return
        contact = self.contact(frame["dialog"].rpartition("#")[0])
        ours = contact.assignment == frame["number"] and contact.operator == name
        about = {"dialog": frame["dialog"], "number": frame["number"], "cid": frame.get("cid")}
        if (reasons := self.refuse.get(frame["op"])) and (reason := reasons.popleft()):
            await _send(socket, {"op": "refused", **about, "reason": reason})
        elif not ours:
            await _send(socket, {"op": "refused", **about, "reason": "not_owner"})
        elif frame["op"] == "accept":
            contact.state = "assigned"
            entry = await self._enter(contact, "assigned", author="system", operator=name, number=frame["number"])
            await _send(socket, {"op": "accepted", **about, "seq": entry["seq"]})
            entries = [entry for entry in contact.entries if entry["dialog"] == contact.dialog]
            await _send(socket, {"op": "entries", "dialog": contact.dialog, "entries": entries})
        elif frame["op"] == "send":
            await self._operator_sent(contact, name, socket, frame)
        elif frame["op"] == "close":
            await self.close(contact, "operator")

    async def _operator_sent(self, contact: Contact, name: str, socket: Socket, frame: Frame) -> None:
        known = contact.seen.get(frame["cid"])
        if known is None:
            entry = await self._enter(
                contact, "message", author=name, text=frame["text"], id=frame["cid"], origin=socket
            )
            known = contact.seen[frame["cid"]] = {"dialog": contact.dialog, "seq": entry["seq"]}
            if contact.key.startswith("tg/"):
                self._spawn(self._outbound(contact, name, entry))
        await _send(socket, {"op": "ack", "cid": frame["cid"], **known})

    async def _outbound(self, contact: Contact, name: str, entry: Frame) -> None:
        assert self._http is not None
        body = {"chat_id": int(contact.key.partition("/")[2]), "text": entry["text"]}
        async with self._http.post(f"{self.api}/bot{BOT_TOKEN}/sendMessage", json=body) as response:
            answer = await response.json()
        receipt = {"op": "receipt", "dialog": entry["dialog"], "seq": entry["seq"], "status": "sent"}
        await _send(self.desks[name], receipt | {"provider_id": str(answer["result"]["message_id"])})

    async def _presence(self, name: str, socket: Socket, state: str) -> None:
        for names, held in ((self.online, "online"), (self.away, "away")):
            (names.add if state == held else names.discard)(name)
        if state == "offline":
            for contact in [contact for contact in self.contacts.values() if contact.operator == name]:
                await self.release(contact, "offline")
        await _send(socket, {"op": "presence", "state": state})
        await self._offer()

    async def release(self, contact: Contact, reason: str) -> None:
        """Take a dialog or an offer from its operator, back to the head of the queue."""
        if contact.state == "assigned":
            about: Frame = {"operator": contact.operator, "number": contact.assignment, "reason": reason}
            await self._enter(contact, "released", author="system", **about)
        else:
            withdrawn = {"op": "withdrawn", "dialog": contact.dialog, "number": contact.assignment}
            await _send(self.desks[contact.operator], withdrawn)
        contact.operator, contact.state = "", "queued"
        self.queue.appendleft(contact)
        await self._offer()

    async def _enqueue(self, contact: Contact) -> None:
        contact.state = "queued"
        entry = await self._enter(contact, "queued", author="system", department="general")
        if self.please_wait:
            cause = {"seq": entry["seq"], "rule": "auto:waiting"}
            await self._enter(contact, "message", author="system", text=self.please_wait, cause=cause)
        self.queue.append(contact)
        await self._offer()

    async def _offer(self) -> None:
        for name in sorted(self.online):
            held = sum(contact.operator == name for contact in self.contacts.values())
            while self.queue and held < SLOTS:
                contact = self.queue.popleft()
                self._numbers += 1
                contact.operator, contact.state, contact.assignment = name, "offered", self._numbers
                await self._send_offer(self.desks[name], contact)
                held += 1

    async def _send_offer(self, socket: Socket, contact: Contact) -> None:
        place = {"place": contact.assignment, "priority": 0, "department": "general"}
        await _send(socket, {"op": "offered", "dialog": contact.dialog, "number": contact.assignment, **place})

    # --- both sides ------------------------------------------------------------------------------------------------

    async def _enter(self, contact: Contact, kind: str, origin: Socket | None = None, **content: Any) -> Frame:
        contact.seq += 1
        entry = {"op": "entry", "dialog": contact.dialog, "seq": contact.seq, "kind": kind, "at": 0, **content}
        contact.entries.append(entry)
        audience = list(contact.sessions)
        if contact.state == "assigned" and kind != "assigned" and contact.operator in self.desks:
            audience.append(self.desks[contact.operator])
        for socket in audience:
            if socket is not origin:
                await _send(socket, entry)
        return entry

    async def _history(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "") not in {f"Bearer {hello['token']}" for hello in self.hellos}:
            return web.json_response({"error": "unauthorized"}, status=401)
        contact = self.contact(f"{request.match_info['account']}/{request.match_info['user']}")
        number, seq = (int(part) for part in request.query.get("after", "0.0").split("."))
        later = [entry for entry in contact.entries if _place(entry) > (number, seq)]
        page = later[:4]  # small pages, so that reading on is exercised
        cursor = "{}.{}".format(*_place(page[-1])) if page else f"{number}.{seq}"
        body = {"contact": contact.key, "entries": page, "cursor": cursor, "more": len(later) > 4}
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def _telegram(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != HOOK_SECRET:
            return web.json_response({"error": "unauthorized"}, status=401)
        update = orjson.loads(await request.read())
        self.updates.append(update)
        if message := update.get("message"):
            contact = self.contact(f"tg/{message['from']['id']}")
            await self.store(contact, str(message["message_id"]), message["text"])
        return web.json_response({})

    async def _greet(self, request: web.Request) -> tuple[Socket, Frame, str, str]:
        socket = Socket(compress=False)
        self._requests[socket] = request
        await socket.prepare(request)
        hello = orjson.loads((await socket.receive()).data)
        self.hellos.append(hello)
        role, subject, _, _ = hello["token"].split(".")
        return socket, hello, role, base64.urlsafe_b64decode(subject + "==").decode()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)


async def _send(socket: Socket, frame: Frame) -> None:
    with contextlib.suppress(ConnectionError):  # who is gone will come back and ask
        await socket.send_str(orjson.dumps(frame).decode())


def _place(entry: Frame) -> tuple[int, int]:
    return int(entry["dialog"].rpartition("#")[2]), entry["seq"]
