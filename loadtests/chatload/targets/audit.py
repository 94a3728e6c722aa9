"""The auditor: the platform's final history and state as ledger rows. They are its claims, not our observations."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chatload.accounts import channel_of
from chatload.fleet.frames import provider_number
from chatload.fleet.identity import parse, sender_of
from chatload.targets.rest import Admin, Unanswered
from chatreport.rundir import MESSENGERS, ROW, TEXT_COLUMNS, Channel, Kind, Outcome, What

PAGE: Final = 5000
PATIENCE_S: Final = 60.0
_CHANNELS: Final = {channel.name.lower(): channel for channel in Channel}
_KINDS: Final = {kind.name.lower(): kind for kind in Kind}
_NAMES: Final = ROW.names or ()
_OWNED: Final = ("assigned", "on_hold")

Row = dict[str, Any]


class Rows:
    """Collects rows with their texts, and packs them as `rundir.write_part` takes them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._ids: dict[str, int] = {"": -1}

    def pack(self, rows: Iterable[Row]) -> npt.NDArray[Any]:
        """The rows as an array; columns that a row leaves out say "none"."""
        packed = [tuple(self._value(name, row) for name in _NAMES) for row in rows]
        return np.array(packed, dtype=ROW)

    def _value(self, name: str, row: Row) -> int:
        value = row.get(name)
        if name in TEXT_COLUMNS:
            return self._id(str(value or ""))
        if value is None:
            return 0 if ROW[name].kind == "u" else -1
        return int(value)

    def _id(self, text: str) -> int:
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = len(self.texts)
            self.texts.append(text)
        return known


def history(url: str, token: str, partitions: int, run: str) -> Iterator[Row]:
    """Every entry and receipt of every partition's log, in log order; texts of other runs keep their run's name.

    Raises:
        Unanswered: the platform stopped answering.
    """
    wall_ns = time.time_ns() - time.monotonic_ns()
    with Admin(url, token) as admin:
        for partition in range(partitions):
            for entry in _pages(admin, partition):
                yield _rated(entry) if entry["op"] == "rating" else _audited(entry, wall_ns, run)


def _pages(admin: Admin, partition: int) -> Iterator[Row]:
    after: Any = None
    while True:
        query = f"?limit={PAGE}" + ("" if after is None else f"&after={after}")
        page = _patiently(admin, f"/v1/audit/{partition}{query}")
        yield from page["entries"]
        after = page["next"]
        if after is None:
            return


def state(url: str, token: str) -> Iterator[Row]:
    """Every dialog that is not closed, where it is, and whether that place exists.

    Raises:
        Unanswered: the platform stopped answering.
    """
    with Admin(url, token) as admin:
        found = _patiently(admin, "/v1/state")
    nobody = not found["operators"].get("online", 0)
    for dialog in found["open"]:
        orphan = dialog["state"] in _OWNED and (nobody or not dialog.get("present", True))
        yield {
            **_dialog(dialog["dialog"]),
            "what": What.STATE,
            "who": "auditor",
            "reason": dialog["state"],
            "author": dialog.get("operator"),
            "outcome": Outcome.REJECTED if orphan else Outcome.OK,
            "done": time.monotonic_ns(),
        }


def bills(url: str, token: str) -> Iterator[Row]:
    """What each account is billed for, over all months.

    Raises:
        Unanswered: the platform stopped answering.
    """
    with Admin(url, token) as admin:
        for bill in _patiently(admin, "/v1/billing")["bills"]:
            told = {"contact": bill["account"], "size": bill["notices_delivered"]}
            yield {"what": What.BILL, "who": "auditor", "outcome": Outcome.OK, **told}


def _patiently(admin: Admin, path: str) -> Row:
    """Ask again while the platform recovers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return admin.get(path)
        except Unanswered as error:
            if error.status not in (0, 503) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _audited(entry: Row, wall_ns: int, run: str) -> Row:
    row: Row = {**_dialog(entry["dialog"]), "seq": entry["seq"], "who": "auditor"}
    if entry.get("op") == "receipt" or "status" in entry:
        receipt = {"provider_id": provider_number(entry.get("provider_id")), "reason": entry["status"]}
        return row | {"what": What.AUDIT_RECEIPT, "outcome": Outcome.OK} | receipt
    cause, to = entry.get("cause") or {}, entry.get("to") or {}
    row |= {
        "what": What.AUDIT,
        "outcome": Outcome.OK,
        "kind": _KINDS.get(entry["kind"], Kind.NONE),
        "author": entry.get("author"),
        "reason": entry.get("department") or entry.get("reason") or entry.get("state") or to.get("department"),
        "assignment": entry.get("number"),
        "cause_seq": cause.get("seq"),
        "rule": cause.get("rule") or to.get("skill") or entry.get("skill") or entry.get("template"),
        "sender": to.get("operator") or (entry.get("reason") if entry.get("department") else None),
        "provider_id": provider_number(entry.get("call")),
        "done": int(entry["at"]) * 1_000_000 - wall_ns,
    }
    if entry.get("operator"):
        row["author"] = entry["operator"]
    text = entry.get("text")
    if text is not None:
        identity = parse(text) or parse(str(entry.get("id", "")))  # of a file, or a line of a menu: its sender's own id
        row["size"] = len(text)
        row["provider_id"] = provider_number(entry.get("id")) if row["channel"] in MESSENGERS else None
        if identity is not None:
            row |= {"sender": sender_of(identity, run), "counter": identity.counter, "cursor": identity.edit or None}
            row["plan"] = identity.n if identity.role == "c" else None
    return row


def _rated(entry: Row) -> Row:
    what = {"what": What.AUDIT_RATING, "outcome": Outcome.OK, "size": entry["score"], "place": entry["scale"]}
    return {**_dialog(entry["dialog"]), **what, "who": "auditor", "provider_id": provider_number(entry.get("id"))}


def _dialog(name: str) -> Row:
    contact, _, number = name.rpartition("#")
    channel = _CHANNELS.get(channel_of(contact.partition("/")[0]), Channel.NONE)
    return {"contact": contact, "number": int(number), "channel": channel}


def in_parts(rows: Iterable[Row], size: int = 100_000) -> Iterator[list[Row]]:
    """`rows` in lists of at most `size`."""
    source = iter(rows)
    while part := list(islice(source, size)):
        yield part
