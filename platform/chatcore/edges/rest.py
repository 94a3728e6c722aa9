"""What is read and done over REST; `routes` says by whom."""

import asyncio
from itertools import islice
from typing import cast

from chatcore import wire
from chatcore.edges import census, histories
from chatcore.edges import views as v
from chatcore.edges.api import Call
from chatcore.errors import Problem
from chatcore.machines.commands import Block, Hire, Refused, Unblock
from chatcore.machines.contacts import Contact
from chatcore.machines.events import Presence


async def healthz(call: Call) -> v.Health:
    """Whether the core is ready; 503 while it recovers or stops."""
    core = call.gateway.core
    if not call.gateway.ready:
        raise Problem(503, "recovering", "come back in a moment")
    return v.Health("ready", core.epoch, len(core.partitions))


async def operators(call: Call) -> v.Added:
    """Add operators, or change their departments, slots, skills and languages."""
    wanted = cast(v.Operators, call.body).operators
    floor = call.gateway.core.floor
    if wanted:
        floor.submit(Hire([operator.hired() for operator in wanted]))
        await floor.settled()
    return v.Added(len(wanted))


async def history(call: Call) -> v.History:
    """A contact's entries, for itself, for who owns a dialog of the same person, and for auditors.

    With scope=person those of the person's other contacts come beside them, as many as the limit leaves room for; each
    goes on after its own cursor. What happens after the request came is left out: by then its reader may own the dialog
    no more. So are, for an operator, dialogs of internal departments other than theirs.
    """
    key, query, core = _key(call), cast(v.HistoryQuery, call.query), call.gateway.core
    contact = core.partition_of(key).state.by_key.get(key)
    if not _may_read(call, key, contact):
        raise Problem(403, "forbidden", "only the customer, an owner of the person's dialog or an auditor may read it")
    if contact is None:
        await core.partition_of(key).settled()
        return v.History(key, [], "0.0", more=False)
    operator = call.subject if call.role == "operator" else ""
    asked = histories.part(core, contact, operator)
    others = histories.others(core, contact, operator) if query.scope == "person" else histories.NOBODY
    of_others = core.partitions if contact.person else ()
    await asyncio.gather(*(partition.settled() for partition in of_others))
    found = await histories.page(core, asked, wire.split_cursor(query.after), query.limit)
    left = query.limit - len(found.entries)
    for each in others.parts:
        found.further.append(await histories.page(core, each, (0, 0), left))
        left -= len(found.further[-1].entries)
    found.person, found.left_out = others.person, others.left_out
    return found


def _key(call: Call) -> str:
    path = cast(v.ContactPath, call.path)
    return f"{path.account}/{path.user}"


def _may_read(call: Call, key: str, contact: Contact | None) -> bool:
    """Customers read their own history, operators those of a person of whom they own a dialog, the others any."""
    if call.role == "customer":
        return call.subject == key and cast(v.HistoryQuery, call.query).scope == "contact"
    if call.role == "operator":
        return contact is not None and histories.owns(call.gateway.core, contact, call.subject)
    return True


async def audit(call: Call) -> v.Audit:
    """Everything stored in a partition, in log order, receipts included."""
    query, partitions = cast(v.AuditQuery, call.query), call.gateway.core.partitions
    number = cast(v.PartitionPath, call.path).partition
    if number >= len(partitions):
        raise Problem(404, "unknown_partition", f"partitions are numbered 0 to {len(partitions) - 1}")
    partition = partitions[number]
    await partition.settled()
    stored = call.gateway.core.journal.history
    page = await stored.audit(partition.log, query.after, query.limit)
    keys = await stored.keys(partition.log, {row.contact for row in page.rows})
    return v.Audit(cast(list[v.Entry], [wire.stored(keys[row.contact], row.blob) for row in page.rows]), page.next)


async def state(call: Call) -> v.State:
    """How many dialogs and operators are in which state, and the open dialogs."""
    core = call.gateway.core
    found = v.State(
        dialogs=census.dialogs(core),
        open=[_open(call, contact) for contact in islice(census.open_contacts(core), v.MAX_LIMIT)],
        waiting=core.floor.state.waiting,
        unsettled=sum(partition.unsettled() for partition in core.partitions),
        operators=census.operators(core),
        messages=census.messages(core).total(),
        inert=sum(owner.inert for owner in core.owners),
        counters=dict(call.gateway.counters),
    )
    for owner in core.owners:  # the state was read before it was durable; the answer waits until it is
        await owner.settled()
    return found


def _open(call: Call, contact: Contact) -> v.OpenDialog:
    there = call.gateway.core.floor.state.operators.get(contact.operator)
    present = there is not None and there.presence is not Presence.OFFLINE
    return v.OpenDialog(contact.dialog, census.stage(contact), contact.operator or None, present)


async def blocked(call: Call) -> v.BlockedContacts:
    """The contacts whose messages are refused."""
    query, core = cast(v.BlockedQuery, call.query), call.gateway.core
    states = [partition.state for partition in core.partitions]
    keys = sorted(key for state in states for key in state.blocked.values() if key > query.after)
    for partition in core.partitions:
        await partition.settled()
    return v.BlockedContacts(keys[: query.limit], more=len(keys) > query.limit)


async def block(call: Call) -> v.Blocking:
    """Refuse a contact's messages from now on; its open dialog ends."""
    return await _decide(call, Block(_key(call), call.subject), blocked=True)


async def unblock(call: Call) -> v.Blocking:
    """Take a contact's messages again."""
    return await _decide(call, Unblock(_key(call), call.subject), blocked=False)


async def _decide(call: Call, command: Block | Unblock, *, blocked: bool) -> v.Blocking:
    partition = call.gateway.core.partition_of(command.contact)
    try:
        partition.submit(command)
    except Refused as refusal:
        raise Problem(404, "unknown_contact", "nobody of this name has written yet") from refusal
    await partition.settled()
    return v.Blocking(command.contact, blocked)
