"""REST: health, operators, history, and what an auditor reads."""

from collections import Counter

import msgspec
from aiohttp import web

from chatcore import wire
from chatcore.config import OperatorSeed
from chatcore.edges.gateway import GATEWAY, Gateway, error
from chatcore.errors import Unauthorized
from chatcore.machines.commands import Hire
from chatcore.machines.contacts import OPEN
from chatcore.machines.events import Presence, State
from chatcore.runtime.partition import PartitionOwner

MAX_LIMIT = 10_000
LAST_ROW = 2**53


class _Operators(msgspec.Struct, forbid_unknown_fields=True):
    operators: list[OperatorSeed]


_operators = msgspec.json.Decoder(_Operators)


async def healthz(request: web.Request) -> web.Response:
    """`GET /healthz`: ready, or recovering with 503."""
    gateway = request.app[GATEWAY]
    if not gateway.ready:
        return web.json_response({"status": "recovering"}, status=503)
    body = {"status": "ready", "epoch": gateway.core.epoch, "partitions": len(gateway.core.partitions)}
    return web.json_response(body)


async def operators(request: web.Request) -> web.Response:
    """`POST /v1/operators`: add operators, or change their departments and slots."""
    gateway = request.app[GATEWAY]
    _require(gateway, request, "admin")
    try:
        wanted = _operators.decode(await request.read()).operators
    except ValueError as fault:
        return error(400, "unreadable", str(fault))
    floor = gateway.core.floor
    if wanted:
        floor.submit(Hire([(operator.id, operator.departments, operator.slots) for operator in wanted]))
        await floor.settled()
    return web.json_response({"added": len(wanted)})


async def history(request: web.Request) -> web.Response:
    """`GET /v1/history/{account}/{user}`: a contact's entries, for itself, its owner, or an administrator.

    What happens after the request came is left out: by then its reader may own the dialog no more.
    """
    gateway = request.app[GATEWAY]
    key = f"{request.match_info['account']}/{request.match_info['user']}"
    partition = gateway.core.partition_of(key)
    contact = partition.state.by_key.get(key)
    through = (contact.number, contact.seq) if contact is not None else (0, 0)
    role, subject = gateway.bearer(request)
    owner = contact.operator if contact is not None and contact.state is State.ASSIGNED else ""
    if not (role == "admin" or (role, subject) == ("customer", key) or (role == "operator" and subject == owner)):
        return error(403, "forbidden", "only the customer, the dialog's owner or an administrator may read it")
    try:
        after = wire.split_cursor(request.query.get("after", "0.0"))
        limit = _limit(request, 1_000)
    except ValueError:
        return error(400, "bad_query", "after is a cursor like 1.7, limit a number")
    await partition.settled()
    if contact is None:
        return web.json_response({"contact": key, "entries": [], "cursor": "0.0", "more": False})
    rows = await gateway.core.journal.history.entries(partition.log, contact.id, after, limit + 1)
    rows = [row for row in rows if (row.dialog, row.seq) <= through]
    page = rows[:limit]
    cursor = f"{page[-1].dialog}.{page[-1].seq}" if page else f"{after[0]}.{after[1]}"
    views = [wire.stored(key, row.blob) for row in page]
    return _json({"contact": key, "entries": views, "cursor": cursor, "more": len(rows) > limit})


async def audit(request: web.Request) -> web.Response:
    """`GET /v1/audit/{partition}`: everything stored in a partition, in log order, receipts included."""
    gateway = request.app[GATEWAY]
    _require(gateway, request, "admin")
    partition = {str(known.index): known for known in gateway.core.partitions}.get(request.match_info["partition"])
    if partition is None:
        return error(404, "unknown_partition", f"partitions are numbered 0 to {len(gateway.core.partitions) - 1}")
    try:
        after, limit = min(LAST_ROW, int(request.query.get("after", "0"))), _limit(request, 5_000)
    except ValueError:
        return error(400, "bad_query", "after and limit are numbers")
    await partition.settled()
    stored = gateway.core.journal.history
    page = await stored.audit(partition.log, after, limit)
    keys = await stored.keys(partition.log, {row.contact for row in page.rows})
    views = [wire.stored(keys[row.contact], row.blob) for row in page.rows]
    return _json({"entries": views, "next": page.next})


async def state(request: web.Request) -> web.Response:
    """`GET /v1/state`: how many dialogs and operators are in which state, and every open dialog."""
    gateway = request.app[GATEWAY]
    _require(gateway, request, "admin")
    core = gateway.core
    dialogs = Counter({known.name.lower(): 0 for known in State if known not in (State.NONE, State.RATED)})
    listed: list[dict[str, object]] = []
    for partition in core.partitions:
        _count_dialogs(partition, gateway, dialogs, listed)
    body = {
        "dialogs": dict(dialogs),
        "open": listed,
        "waiting": core.floor.state.waiting,
        "unsettled": sum(partition.unsettled() for partition in core.partitions),
        "operators": dict(_presences(gateway)),
        "messages": sum(partition.messages for partition in core.partitions),
        "inert": sum(owner.inert for owner in core.owners),
        "counters": dict(gateway.counters),
    }
    for owner in core.owners:  # the state was read before it was durable; the answer waits until it is
        await owner.settled()
    return _json(body)


def _count_dialogs(
    partition: PartitionOwner, gateway: Gateway, dialogs: Counter[str], listed: list[dict[str, object]]
) -> None:
    operators = gateway.core.floor.state.operators
    contacts = partition.state.contacts
    dialogs["closed"] += contacts.dialogs
    for _, contact in sorted(contacts.active.items()):
        if contact.state not in OPEN:
            continue
        name = contact.state.name.lower()
        dialogs[name] += 1
        dialogs["closed"] -= 1
        if len(listed) < MAX_LIMIT:
            there = operators.get(contact.operator)
            present = there is not None and there.presence is not Presence.OFFLINE
            listed.append(
                {
                    "dialog": contact.dialog,
                    "state": name,
                    "operator": contact.operator or None,
                    "present": present,
                }
            )


def _presences(gateway: Gateway) -> Counter[str]:
    found = Counter(dict.fromkeys(("online", "lost", "away", "offline"), 0))
    for operator in gateway.core.floor.state.operators.values():
        lost = operator.grace and operator.presence is not Presence.OFFLINE
        found["lost" if lost else operator.presence.name.lower()] += 1
    return found


def _require(gateway: Gateway, request: web.Request, role: str) -> None:
    if gateway.bearer(request)[0] != role:
        raise Unauthorized


def _limit(request: web.Request, default: int) -> int:
    return max(1, min(MAX_LIMIT, int(request.query.get("limit", default))))


def _json(body: dict[str, object]) -> web.Response:
    return web.Response(body=wire.dumps(body), content_type="application/json")
