"""Messengers' webhooks: one handler for all of them; what differs stands in `chatcore.channels`."""

from aiohttp import web

from chatcore.channels import CHANNELS, Inbound
from chatcore.config import Account
from chatcore.edges.gateway import GATEWAY, MAX_TEXT, Gateway, error
from chatcore.edges.messages import receive
from chatcore.machines.commands import Refused
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner


async def webhook(request: web.Request) -> web.Response:
    """`POST /webhooks/{channel}/{account}`: 200 once everything in the body is durable, or was ignored on purpose."""
    gateway = request.app[GATEWAY]
    account = gateway.accounts.get(request.match_info["account"])
    channel = CHANNELS.get(request.match_info["channel"])
    if account is None or channel is None or account.channel != request.match_info["channel"]:
        return error(404, "unknown_account")
    body = await request.read()
    if not channel.verify(account, request.headers, body):
        gateway.count("webhook_secret_wrong")
        return error(401, "wrong_secret")
    try:
        messages = channel.parse(body)
    except ValueError:
        gateway.count("webhook_unreadable")
        return error(400, "unreadable")
    if not messages:
        gateway.count("webhook_ignored")
    if not gateway.ready:
        return error(503, "not_stored", "stopping")
    for partition in {_take(gateway, account, message) for message in messages}:
        await partition.settled()
    return web.Response(body=b"{}", content_type="application/json")


def _take(gateway: Gateway, account: Account, message: Inbound) -> PartitionOwner:
    """Submit one message; a refusal is counted, for a refused webhook would block the provider's queue."""
    try:
        return receive(gateway, account, message.user, message.id, message.text[:MAX_TEXT])
    except Refused as refusal:
        gateway.count(f"webhook_{refusal.reason}")
    except Poisoned:
        gateway.count("webhook_unprocessable")
    return gateway.core.partition_of(f"{account.id}/{message.user}")
