"""Messengers' webhooks: one way for all of them; what differs stands in `chatcore.channels`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiohttp import web

from chatcore.channels import CHANNELS, Inbound
from chatcore.config import Account
from chatcore.edges.gateway import GATEWAY, MAX_TEXT, Gateway, error
from chatcore.edges.messages import receive
from chatcore.machines.commands import Refused
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner


class Refusal(NamedTuple):
    """Why a webhook is not taken: the HTTP status, a stable code and a sentence."""

    status: int
    code: str
    detail: str = ""


NOT_STORED = Refusal(503, "not_stored", "recovering or stopping: come back in a moment")
TOO_FAST = Refusal(429, "too_fast", "too many requests: come back later")


def take(
    gateway: Gateway,
    channel_name: str,
    account_id: str,
    headers: Mapping[str, str],
    body: bytes,
    done: Callable[[], None],
) -> Refusal | None:
    """Take what a webhook brings; `done` is called once all of it is durable, or was ignored on purpose.

    Nothing is taken, and `done` is not called, when a refusal is returned.
    """
    if not gateway.ready:
        return NOT_STORED
    account = gateway.accounts.get(account_id)
    channel = CHANNELS.get(channel_name)
    if account is None or channel is None or account.channel != channel_name:
        return Refusal(404, "unknown_account")
    if not channel.verify(account, headers, body):
        gateway.count("webhook_secret_wrong")
        return Refusal(401, "wrong_secret")
    if not gateway.guard.account(account_id):
        gateway.count("webhook_too_fast")
        return TOO_FAST
    try:
        messages = channel.parse(body)
    except (ValueError, RecursionError):  # the latter from msgspec, for what is nested too deeply
        gateway.count("webhook_unreadable")
        return Refusal(400, "unreadable")
    if not messages:
        gateway.count("webhook_ignored")
        done()
        return None
    gateway.webhooks_taken += 1
    partitions = {_take(gateway, account, message) for message in messages}
    settled = done if len(partitions) == 1 else _after(len(partitions), done)
    for partition in partitions:
        partition.hold(settled)
    return None


def _after(calls: int, done: Callable[[], None]) -> Callable[[], None]:
    """What calls `done` when it was called itself so many times."""
    left = calls

    def one_less() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    return one_less


def _take(gateway: Gateway, account: Account, message: Inbound) -> PartitionOwner:
    """Submit one message; a refusal is counted, for a refused webhook would block the provider's queue."""
    try:
        return receive(gateway, account, message.user, message.id, message.text[:MAX_TEXT])
    except Refused as refusal:
        gateway.count(f"webhook_{refusal.reason}")
    except Poisoned:
        gateway.count("webhook_unprocessable")
    return gateway.core.partition_of(f"{account.id}/{message.user}")


async def webhook(request: web.Request) -> web.Response:
    """`POST /webhooks/{channel}/{account}` in any form that the door leaves to aiohttp, such as a chunked body."""
    body = await request.read()
    taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    found = request.match_info
    headers = {name.lower(): value for name, value in request.headers.items()}
    refusal = take(
        request.app[GATEWAY], found["channel"], found["account"], headers, body, lambda: taken.set_result(None)
    )
    if refusal is not None:
        return error(*refusal)
    await taken
    return web.Response(body=b"{}", content_type="application/json")
