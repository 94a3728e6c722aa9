"""How entries and receipts look on sockets and in REST answers; one view for every observer."""

import re
from typing import Any

import orjson

from chatcore.machines import events as e
from chatcore.machines.ownership import shown_id

dumps = orjson.dumps
CURSOR = re.compile(r"[0-9]{1,15}\.[0-9]{1,15}")


def entry(dialog: str, event: e.Event) -> dict[str, Any]:
    """The entry that `event` shows in `dialog`.

    Raises:
        TypeError: the event takes no seq.
    """
    match event:
        case e.Said():
            view = _view(dialog, event.seq, "message", event.author, event.at)
            view["text"] = event.text
            if event.id:
                view["id"] = shown_id(event.id)
            if event.rule:
                view["cause"] = {"seq": event.cause_seq, "rule": event.rule}
        case e.Queued():
            view = _view(dialog, event.seq, "queued", "system", event.at)
            view["department"] = event.department
            view |= {name: asked for name in ("skill", "language") if (asked := getattr(event.wish, name))}
        case e.Assigned():
            view = _view(dialog, event.seq, "assigned", "system", event.at)
            view |= {"operator": event.operator, "number": event.assignment}
        case e.Held() | e.Resumed():
            view = _view(dialog, event.seq, type(event).__name__.lower(), "system", event.at)
            view |= {"operator": event.operator, "number": event.assignment}
        case e.Transferred():
            view = _view(dialog, event.seq, "transferred", "system", event.at)
            view |= {"operator": event.operator, "number": event.assignment}
            to = {"operator": event.to_operator, "department": event.department, "skill": event.skill}
            view["to"] = {name: asked for name, asked in to.items() if asked}
        case e.Released():
            view = _view(dialog, event.seq, "released", "system", event.at)
            view |= {"operator": event.operator, "number": event.assignment, "reason": event.reason}
        case e.Closed():
            view = _view(dialog, event.seq, "closed", "system", event.at)
            view["reason"] = event.reason
        case _:
            raise TypeError(f"a {type(event).__name__} is no entry")
    return view


def _view(dialog: str, seq: int, kind: str, author: str, at: int) -> dict[str, Any]:
    return {"op": "entry", "dialog": dialog, "seq": seq, "kind": kind, "author": author, "at": at}


def receipt(dialog: str, event: e.Delivered | e.Undelivered) -> dict[str, Any]:
    """What became of an outbound message."""
    view = {"op": "receipt", "dialog": dialog, "seq": event.seq, "at": event.at}
    if isinstance(event, e.Delivered):
        return view | {"status": "delivered", "provider_id": event.provider_id, "reason": ""}
    return view | {"status": "failed", "provider_id": "", "reason": event.reason}


def stored(key: str, blob: bytes) -> dict[str, Any]:
    """The view of a history row of contact `key`."""
    event = e.decode_event(blob)
    dialog = f"{key}#{event.number}"
    return receipt(dialog, event) if isinstance(event, e.RECEIPT_TYPES) else entry(dialog, event)


def split_dialog(dialog: str) -> tuple[str, int]:
    """`web/u1#3` as ("web/u1", 3).

    Raises:
        ValueError: not a dialog id.
    """
    key, _, number = dialog.rpartition("#")
    return key, int(number)


def split_cursor(cursor: str) -> tuple[int, int]:
    """`3.7` as (3, 7): dialog number and seq.

    Raises:
        ValueError: not a cursor.
    """
    if not CURSOR.fullmatch(cursor):
        raise ValueError(cursor)
    number, _, seq = cursor.partition(".")
    return int(number), int(seq)
