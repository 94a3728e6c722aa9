"""REST for what the bank writes of its own accord: notices, who agreed to them, and what they are billed by."""

import asyncio
from typing import cast

from chatcore.config import MAX_TEXT
from chatcore.edges import views as v
from chatcore.edges.api import Call
from chatcore.edges.messages import consent, digest
from chatcore.errors import Problem
from chatcore.machines.commands import Notify, Refused
from chatcore.runtime.owner import Poisoned


async def notify(call: Call) -> v.Notices:
    """Write to contacts by a template; who did not agree to broadcasts, and whom no messenger reaches, is refused."""
    wanted = cast(v.Notice, call.body)
    template = next((each for each in call.gateway.config.templates if each.name == wanted.template), None)
    if template is None:
        raise Problem(404, "unknown_template", "the configuration names the templates that there are")
    try:
        text = template.filled(wanted.parameters)
    except ValueError as fault:
        raise Problem(400, "wrong_parameters", str(fault)) from fault
    if len(text) > MAX_TEXT:
        raise Problem(400, "too_long", f"a text holds at most {MAX_TEXT} characters")
    said = wanted.id, digest(text), template.name, tuple(wanted.parameters), text, template.broadcast
    found = [_notified(call, Notify(contact, *said)) for contact in wanted.contacts]
    await _settled(call)
    return v.Notices(found)


def _notified(call: Call, command: Notify) -> v.Noticed:
    account = call.gateway.accounts.get(command.contact.partition("/")[0])
    if account is None or not account.api:
        return v.Noticed(command.contact, False, "unknown_account")
    if len(command.text) > account.text_most:
        return v.Noticed(command.contact, False, "too_long")
    command.receipts, command.windowed = account.receipts, account.windowed
    try:
        call.gateway.core.partition_of(command.contact).submit(command)
    except Refused as refusal:
        return v.Noticed(command.contact, False, refusal.reason)
    except Poisoned:
        return v.Noticed(command.contact, False, "unprocessable")
    return v.Noticed(command.contact, True)


async def agree(call: Call) -> v.Agreement:
    """Note that the customer agrees to be written to."""
    return await _agreement(call, given=True)


async def disagree(call: Call) -> v.Agreement:
    """Note that the customer does not agree any more."""
    return await _agreement(call, given=False)


async def _agreement(call: Call, *, given: bool) -> v.Agreement:
    path = cast(v.ContactPath, call.path)
    account = call.gateway.accounts.get(path.account)
    if account is None or not account.api:
        raise Problem(404, "unknown_account", "it takes the account of a messenger")
    await consent(call.gateway, account, path.user, given=given).settled()
    return v.Agreement(f"{path.account}/{path.user}", given)


async def billing(call: Call) -> v.Bills:
    """What each account is billed by, month by month."""
    states = [partition.state for partition in call.gateway.core.partitions]
    keys = sorted({key for state in states for key in (*state.active, *state.delivered)})
    found = v.Bills([
        v.Bill(
            key.rpartition(" ")[0], int(key.rpartition(" ")[2]),
            sum(state.active.get(key, 0) for state in states), sum(state.delivered.get(key, 0) for state in states),
        )
        for key in keys
    ])  # fmt: skip
    await _settled(call)
    return found


async def _settled(call: Call) -> None:
    await asyncio.gather(*(partition.settled() for partition in call.gateway.core.partitions))
