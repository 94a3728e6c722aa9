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
            return _message(dialog, event)
        case e.Edited():
            view = _view(dialog, event, "edited", "customer")
            view |= {"id": event.id, "text": event.text, "of": f"{event.of[0]}.{event.of[1]}"}
        case e.Noticed():
            view = _view(dialog, event, "notice") | {"id": event.id, "template": event.template, "text": event.text}
        case e.Queued():
            view = _view(dialog, event, "queued") | {"department": event.department}
            view |= _asked(skill=event.wish.skill, language=event.wish.language, topic=event.topic, reason=event.reason)
        case e.Assigned() | e.Held() | e.Resumed() | e.Transferred() | e.Released():
            view = _ownership(dialog, event)
        case e.Called():
            view = _view(dialog, event, "call")
            view |= _asked(call=event.call, state=event.state, operator=event.operator)
        case e.Closed():
            view = _view(dialog, event, "closed") | {"reason": event.reason}
        case _:
            raise TypeError(f"a {type(event).__name__} is no entry")
    return view


def _message(dialog: str, event: e.Said) -> dict[str, Any]:
    view = _view(dialog, event, "message", event.author)
    view["text"] = event.text
    if event.id:
        view["id"] = shown_id(event.id)
    if event.rule:
        view["cause"] = {"seq": event.cause_seq, "rule": event.rule}
    if event.files:
        view["files"] = [_file(file) for file in event.files]
    return view


def _view(dialog: str, event: e.Entry, kind: str, author: str = "system") -> dict[str, Any]:
    return {"op": "entry", "dialog": dialog, "seq": event.seq, "kind": kind, "author": author, "at": event.at}


def _ownership(dialog: str, event: e.Assigned | e.Held | e.Resumed | e.Transferred | e.Released) -> dict[str, Any]:
    view = _view(dialog, event, type(event).__name__.lower())
    view |= {"operator": event.operator, "number": event.assignment}
    if isinstance(event, e.Released):
        view["reason"] = event.reason
    elif isinstance(event, e.Transferred):
        view["to"] = _asked(operator=event.to_operator, department=event.department, skill=event.skill)
    return view


def _asked(**of: str) -> dict[str, str]:
    """What is asked for, by name; what nobody asks for is not in it."""
    return {name: asked for name, asked in of.items() if asked}


def _file(file: e.File) -> dict[str, Any]:
    return {"kind": file.kind, "name": file.name, "mime": file.mime, "size": file.size, "ref": file.ref}


def receipt(dialog: str, event: e.Sent | e.Undelivered | e.Receipted) -> dict[str, Any]:
    """What became of an outbound message: sent, delivered, read or failed."""
    view = {"op": "receipt", "dialog": dialog, "seq": event.seq, "at": event.at}
    match event:
        case e.Sent():
            return view | {"status": "sent", "provider_id": event.provider_id, "reason": ""}
        case e.Receipted():
            return view | {"status": event.state, "provider_id": "", "reason": event.reason}
    return view | {"status": "failed", "provider_id": "", "reason": event.reason}


def attachment(dialog: str, event: e.Stored | e.Unfetched) -> dict[str, Any]:
    """Where the bytes of a message's attachment are, or why they are not to be had."""
    view = {"op": "attachment", "dialog": dialog, "seq": event.seq, "index": event.index, "at": event.at}
    if isinstance(event, e.Stored):
        return view | {"status": "stored", "ref": event.ref, "size": event.size, "mime": event.mime, "reason": ""}
    return view | {"status": "missing", "ref": "", "size": 0, "mime": "", "reason": event.reason}


def rating(dialog: str, event: e.Rated) -> dict[str, Any]:
    """How the customer rated a dialog, and by which message, if by one."""
    view = {"op": "rating", "dialog": dialog, "at": event.at, "score": event.score, "scale": event.scale}
    return view | ({"id": event.id, "text": event.text} if event.id else {})


def review(dialog: str, event: e.Reviewed) -> dict[str, Any]:
    """How somebody scored a dialog."""
    view = {"op": "review", "dialog": dialog, "at": event.at, "by": event.by}
    return view | {"score": event.score, "comment": event.comment}


def stored(key: str, blob: bytes) -> dict[str, Any]:
    """The view of a history row of contact `key`."""
    event = e.decode_event(blob)
    dialog = f"{key}#{event.number}"
    if isinstance(event, e.RECEIPT_TYPES):
        return receipt(dialog, event)
    if isinstance(event, e.Rated):
        return rating(dialog, event)
    if isinstance(event, e.Reviewed):
        return review(dialog, event)
    return attachment(dialog, event) if isinstance(event, e.FILE_TYPES) else entry(dialog, event)


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
