"""Messengers' webhooks: one way for all of them; what differs stands in `chatcore.channels`."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from aiohttp import web

from chatcore.channels import CHANNELS, Channel
from chatcore.channels.shapes import UNREADABLE, Consent, Event, Inbound, Receipt, Ring
from chatcore.config import MAX_TEXT, Account
from chatcore.edges.gateway import GATEWAY, MAX_ID, Gateway, error
from chatcore.edges.messages import admit, consent, edit, receive, whole
from chatcore.machines import commands
from chatcore.machines.commands import Refused, Told
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

EVENTS_MOST = 1_000
"""Of one webhook; no provider sends more."""


class Refusal(NamedTuple):
    """Why a webhook is not taken: the HTTP status, a stable code and a sentence."""

    status: int
    code: str
    detail: str = ""


NOT_STORED = Refusal(503, "not_stored", "recovering or stopping: come back in a moment")
TOO_FAST = Refusal(429, "too_fast", "too many requests: come back later")
UNKNOWN_ACCOUNT = Refusal(404, "unknown_account")
Done = Callable[[bytes], None]


def take(
    gateway: Gateway, channel_name: str, account_id: str, headers: Mapping[str, str], body: bytes, done: Done
) -> Refusal | None:
    """Take what a webhook brings; `done` is called with the answer's body once all of it is durable.

    Nothing is taken, and `done` is not called, when a refusal is returned.
    """
    if not gateway.ready:
        return NOT_STORED
    found = _find(gateway, channel_name, account_id)
    if found is None:
        return UNKNOWN_ACCOUNT
    account, channel = found
    if not channel.verify(account, headers, body):
        gateway.count("webhook_secret_wrong")
        return Refusal(401, "wrong_secret")
    if not gateway.guard.account(account_id):
        gateway.count("webhook_too_fast")
        return TOO_FAST
    try:
        events = channel.parse(account, body)
    except UNREADABLE:
        gateway.count("webhook_unreadable")
        return Refusal(400, "unreadable")
    if not events:
        gateway.count("webhook_ignored")
        done(channel.handshake(account, {}, body) or channel.OK)
        return None
    gateway.webhooks_taken += 1
    if len(events) == 1:  # as nearly always
        take_event(gateway, account, events[0]).hold(done, channel.OK)
        return None
    partitions = {take_event(gateway, account, event) for event in events[:EVENTS_MOST]}
    settled = _after(len(partitions), partial(done, channel.OK))
    for partition in partitions:
        partition.hold(settled)
    return None


def _find(gateway: Gateway, channel_name: str, account_id: str) -> tuple[Account, Channel] | None:
    account = gateway.accounts.get(account_id)
    channel = CHANNELS.get(channel_name)
    if account is None or channel is None or account.channel != channel_name:
        return None
    return account, channel


def _after(calls: int, done: Callable[[], None]) -> Callable[[], None]:
    """What calls `done` when it was called itself so many times."""
    left = calls

    def one_less() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    return one_less


def take_event(gateway: Gateway, account: Account, event: Event) -> PartitionOwner:
    """Submit one event; a refusal is counted, for a refused webhook would block the provider's queue."""
    try:
        match event:
            case Inbound(edits=""):
                return receive(gateway, account, event.user, event.id, whole(gateway, event.text), event.files)
            case Inbound():
                return edit(gateway, account, event)
            case Receipt():
                return _receipt(gateway, account, event)
            case Ring():
                return _ring(gateway, account, event)
            case Consent():
                admit(gateway, f"{account.id}/{event.user}", "")
                return consent(gateway, account, event.user, given=event.given)
    except Refused as refusal:
        gateway.count(f"webhook_{refusal.reason}")
    except Poisoned:
        gateway.count("webhook_unprocessable")
    return gateway.core.partition_of(f"{account.id}/{event.user}")


def _receipt(gateway: Gateway, account: Account, receipt: Receipt) -> PartitionOwner:
    if len(receipt.id) > MAX_ID:
        raise Refused("bad_id")
    contact = f"{account.id}/{receipt.user}"
    partition = gateway.core.partition_of(contact)
    partition.submit(Told(contact, receipt.state, receipt.id, receipt.through, receipt.reason[:MAX_TEXT]))
    return partition


def _ring(gateway: Gateway, account: Account, ring: Ring) -> PartitionOwner:
    """A call waits in the department that its queue is called after; where there is no such, in the account's."""
    contact = f"{account.id}/{ring.user}"
    if len(ring.call) > MAX_ID:
        raise Refused("bad_id")
    staff = gateway.core.floor.state.operators.values()
    there = any(ring.queue in operator.departments for operator in staff)
    asked = ring.queue if there else account.department, account.priority, gateway.wishes[account.id]
    partition = gateway.core.partition_of(contact)
    partition.submit(commands.Ring(contact, ring.call, ring.state, ring.at, *asked))
    return partition


def content_type(answer: bytes) -> str:
    """Of the answer to a webhook."""
    return "application/json" if answer.startswith(b"{") else "text/plain"


async def webhook(request: web.Request) -> web.Response:
    """`POST /webhooks/{channel}/{account}` in any form that the door leaves to aiohttp, such as a chunked body."""
    body = await request.read()
    taken: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    found = request.match_info
    headers = {name.lower(): value for name, value in request.headers.items()}
    refusal = take(request.app[GATEWAY], found["channel"], found["account"], headers, body, taken.set_result)
    if refusal is not None:
        return error(*refusal)
    answer = await taken
    return web.Response(body=answer, content_type=content_type(answer))


async def handshake(request: web.Request) -> web.Response:
    """`GET /webhooks/{channel}/{account}`: a provider makes sure that the address is ours."""
    found = _find(request.app[GATEWAY], request.match_info["channel"], request.match_info["account"])
    if found is None:
        return error(*UNKNOWN_ACCOUNT)
    account, channel = found
    answer = channel.handshake(account, request.query, b"")
    if answer is None:
        return error(403, "wrong_token")
    return web.Response(body=answer, content_type="text/plain")
