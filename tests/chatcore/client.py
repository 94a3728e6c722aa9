"""Small honest peers of the core: a customer, a desk, a messenger's webhooks, and who reads over REST."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, Self, TypeVar

import aiohttp
import orjson
from yarl import URL

from chatcore.tokens import sign

SECRET = "a secret for tests"
BOT_TOKEN = "42:token"
HOOK_SECRET = "a webhook secret"
PATIENCE_S = 60.0

Frame = dict[str, Any]
T = TypeVar("T")


def token(role: str, subject: str, ttl_s: int = 3_600, secret: str = SECRET) -> str:
    """A token that is valid for `ttl_s`."""
    return sign(secret, role, subject, int(time.time()) + ttl_s)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], object]) -> T:
    """What `look` finds, once it is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(found := await look()):  # noqa: ASYNC110 - what is looked at may be in another process
            await asyncio.sleep(0.002)
        return found


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition of this process."""

    async def look() -> object:
        return holds()

    await eventually(look, bool)


class Peer:
    """One WebSocket: its frames in order, and the code with which it ended."""

    def __init__(self, client: "Client", socket: aiohttp.ClientWebSocketResponse) -> None:
        self.client = client
        self.socket = socket
        self.taken: list[Frame] = []

    async def send(self, **frame: Any) -> None:
        await self.socket.send_str(orjson.dumps(frame).decode())

    async def next(self) -> Frame:
        """The next frame."""
        message = await self.socket.receive(PATIENCE_S)
        assert message.type is aiohttp.WSMsgType.TEXT, f"{message} after {self.taken[-3:]}"
        self.taken.append(orjson.loads(message.data))
        return self.taken[-1]

    async def until(self, **wanted: Any) -> Frame:
        """The next frame that has these values; those before it are in `taken`."""
        while True:
            frame = await self.next()
            if all(frame.get(key) == value for key, value in wanted.items()):
                return frame

    async def asked(self) -> list[Frame]:
        """Every frame not taken yet, once all that was sent to the core until now has had its effects."""
        before = len(self.taken)
        await self.send(op="ping")
        await self.until(op="pong")
        await self.client.settled()
        await self.send(op="ping")
        await self.until(op="pong")
        return [frame for frame in self.taken[before:] if frame != {"op": "pong"}]

    async def ended(self) -> int | None:
        """The code with which the core closed the socket, None if it broke; frames before that are in `taken`."""
        while (message := await self.socket.receive(PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
            self.taken.append(orjson.loads(message.data))
        return int(message.data) if message.type is aiohttp.WSMsgType.CLOSE else None

    async def hang_up(self) -> None:
        await self.socket.close()


class Customer(Peer):
    """A contact's session on the web widget or the app."""

    welcome: Frame

    async def say(self, cid: str, text: str) -> Frame:
        """Send a message; its acknowledgement or refusal."""
        await self.send(op="send", cid=cid, text=text)
        return await self.until(cid=cid)


class Desk(Peer):
    """An operator's seat."""

    welcome: Frame

    async def presence(self, state: str) -> None:
        await self.send(op="presence", state=state)
        await self.until(op="presence", state=state)

    async def accept(self, offer: Frame) -> Frame:
        """Accept an offer; the `entries` that follow."""
        await self.send(op="accept", dialog=offer["dialog"], number=offer["number"])
        await self.until(op="accepted", dialog=offer["dialog"], number=offer["number"])
        return await self.until(op="entries", dialog=offer["dialog"])

    async def own(self, dialog: str) -> Frame:
        """Accept the offer of a dialog; the offer."""
        offer = await self.until(op="offered", dialog=dialog)
        await self.accept(offer)
        return offer

    async def say(self, offer: Frame, cid: str, text: str) -> Frame:
        """Send a message; its acknowledgement or refusal."""
        await self.send(op="send", dialog=offer["dialog"], number=offer["number"], cid=cid, text=text)
        return await self.until(cid=cid)

    async def end(self, offer: Frame) -> Frame:
        """Close the dialog; the entry, or the refusal."""
        await self.send(op="close", dialog=offer["dialog"], number=offer["number"])
        return await self.until_any(("closed", offer["dialog"]), ("refused", offer["dialog"]))

    async def until_any(self, *wanted: tuple[str, str]) -> Frame:
        while True:
            frame = await self.next()
            if (frame.get("kind", frame["op"]), frame.get("dialog")) in wanted:
                return frame


class Client:
    """Makes peers of the core at `url`, and speaks REST."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = aiohttp.ClientSession()
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets if not socket.closed))
        await self.http.close()

    async def ended(self) -> None:
        """Read every socket that is open until the core has closed it, and answer that."""
        await asyncio.gather(*(Peer(self, socket).ended() for socket in self._sockets if not socket.closed))

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """A bare WebSocket."""
        timeout = aiohttp.ClientWSTimeout(ws_close=2.0)
        socket = await self.http.ws_connect(self.url + path, timeout=timeout, max_msg_size=1 << 24)
        self._sockets.append(socket)
        return socket

    async def customer(self, contact: str, session: str = "s1", cursor: str | None = None) -> Customer:
        """A session of the contact, welcomed."""
        peer = Customer(self, await self.socket("/v1/chat"))
        await peer.send(op="hello", token=token("customer", contact), session=session, cursor=cursor)
        peer.welcome = await peer.next()
        assert peer.welcome["op"] == "welcome"
        return peer

    async def desk(self, operator: str, cursors: dict[str, int] | None = None, presence: str | None = None) -> Desk:
        """An operator's desk, welcomed, and after that with a presence if one is given."""
        peer = Desk(self, await self.socket("/v1/desk"))
        await peer.send(op="hello", token=token("operator", operator), cursors=cursors or {})
        peer.welcome = await peer.next()
        assert peer.welcome["op"] == "welcome"
        if presence is not None:
            await peer.presence(presence)
        return peer

    async def webhook(self, update: Any, secret: str = HOOK_SECRET, account: str = "tg") -> tuple[int, Any]:
        """Post an Update as Telegram does; (status, answer)."""
        body = update if isinstance(update, bytes) else orjson.dumps(update)
        status, answer = await self.hook(f"telegram/{account}", body, {"X-Telegram-Bot-Api-Secret-Token": secret})
        return status, orjson.loads(answer)

    async def hook(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Post to `/webhooks/{path}` as a provider does; (status, body)."""
        sent = {"Content-Type": "application/json"} | headers
        async with self.http.post(f"{self.url}/webhooks/{path}", data=BytesIO(body), headers=sent) as answer:
            return answer.status, await answer.read()

    async def rest(self, method: str, path: str, body: Any = None, bearer: str | None = None) -> tuple[int, Any]:
        """(status, answer) of a REST call, as an administrator unless told otherwise."""
        headers = {"Authorization": f"Bearer {token('admin', 'tests') if bearer is None else bearer}"}
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def store(self, data: bytes, bearer: str) -> str:
        """Store an attachment; its reference."""
        status, answer = await self.rest("POST", "/v1/files", data, bearer)
        assert (status, answer["size"]) == (201, len(data))
        return str(answer["ref"])

    async def bytes(self, path: str, bearer: str | None = None) -> tuple[int, bytes]:
        """(status, body) of a GET, with a token or without one."""
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        async with self.http.get(URL(self.url + path, encoded=True), headers=headers) as answer:
            return answer.status, await answer.read()

    async def state(self) -> Frame:
        status, body = await self.rest("GET", "/v1/state")
        assert status == 200
        return dict(body)

    async def settled(self) -> None:
        """Wait until all that was decided is durable on every log that it leads to: dialog, floor, dialog."""
        for _ in range(3):
            await self.state()

    async def until_state(self, holds: Callable[[Frame], bool]) -> Frame:
        """The state, once it is as wanted."""
        return await eventually(self.state, holds)

    async def history(self, contact: str) -> list[Frame]:
        """All stored entries of the contact."""
        status, body = await self.rest("GET", f"/v1/history/{contact}?limit=10000")
        assert status == 200
        return list(body["entries"])


def update(number: int, text: str | None = "hello", chat: int = 77, message_id: int | None = None) -> Frame:
    """A Telegram Update with a message of a private chat."""
    user = {"id": chat, "is_bot": False, "first_name": "Ann"}
    message: Frame = {
        "message_id": message_id or number,
        "from": user,
        "chat": {"id": chat, "type": "private", "first_name": "Ann"},
        "date": 1_700_000_000,
    }
    return {"update_id": number, "message": message | ({} if text is None else {"text": text})}


def plain(frame: Frame) -> Frame:
    """An entry without its time."""
    return {key: value for key, value in frame.items() if key != "at"}


def message(dialog: str, seq: int, author: str, text: str, cid: str | None = None, **more: Any) -> Frame:
    """The entry of a message, as every observer sees it, without its time."""
    entry = {"op": "entry", "dialog": dialog, "seq": seq, "kind": "message", "author": author, "text": text}
    return entry | ({} if cid is None else {"id": cid}) | more


def system(dialog: str, seq: int, kind: str, **more: Any) -> Frame:
    """The entry of something that is no message, without its time."""
    return {"op": "entry", "dialog": dialog, "seq": seq, "kind": kind, "author": "system"} | more
