"""Key figures counted anew from a made-up record, row by row in plain Python: what `chatreport.kpi` must agree with."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from chatreport.rundir import Kind, Outcome, Phase, What
from tests.chatreport.ledgers import Record, Row

Key = tuple[str, int]
Span = tuple[int, int]
Keep = Callable[[Key], bool]
FOREVER = 1 << 62
ENDS = (Kind.RELEASED, Kind.CLOSED)


def key_of(row: Row) -> Key:
    """The dialog a row is about."""
    return row.get("contact", ""), row.get("number", -1)


@dataclass
class Owned:
    """An ownership."""

    key: Key
    operator: str
    begin: int
    seq: int
    end: int


@dataclass
class Dialog:
    """A dialog of the main part; times in ns, None is never."""

    key: Key
    plan: int
    entries: list[Row]
    script: Row
    queued: int | None = None
    accepted: int | None = None
    replied: int | None = None
    owned: list[Owned] = field(default_factory=list)

    def has(self, kind: Kind) -> bool:
        """Whether there is an entry of this kind."""
        return any(entry["kind"] == kind for entry in self.entries)

    @property
    def left(self) -> int | None:
        """When the customer gave up."""
        return self.script["done"] if self.script["outcome"] == Outcome.ABANDONED else None

    @property
    def answered(self) -> bool:
        """Whether somebody accepted it while the customer was there."""
        return self.accepted is not None and (self.left is None or self.accepted < self.left)

    @property
    def abandoned(self) -> bool:
        """Whether the customer left from the queue."""
        return self.queued is not None and self.left is not None and not self.answered


class Recount:
    """The record's dialogs and ownerships."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.speed = record.manifest["speed"]
        self.window = (record.manifest["t0_ns"], record.manifest["end_ns"])
        self.sends: dict[tuple[str, int], list[Row]] = {}
        for row in record.find(What.SEND):
            if row.get("kind", 0) != Kind.EDITED:
                self.sends.setdefault((row["sender"], row["counter"]), []).append(row)
        self.history: dict[Key, list[Row]] = {}
        for row in record.find(What.AUDIT):
            if row["number"]:
                self.history.setdefault(key_of(row), []).append(row)
        self.owned = list(self._owned())
        self.dialogs = list(self._dialogs())

    def _owned(self) -> Iterator[Owned]:
        for accept in self.record.find(What.ACCEPT, outcome=Outcome.OK):
            where = {"who": accept["who"], "contact": accept["contact"], "number": accept["number"]}
            ends = [row["done"] for kind in ENDS for row in self.record.find(What.ENTRY, kind=kind, **where)
                    if row["seq"] > accept["seq"]]  # fmt: skip
            closes = self.record.find(What.CLOSE, outcome=Outcome.OK, **where)
            ends += [row["done"] for row in closes if row["done"] >= accept["done"]]
            yield Owned(key_of(accept), accept["who"], accept["done"], accept["seq"], min(ends, default=FOREVER))

    def _dialogs(self) -> Iterator[Dialog]:
        scripts = {row["plan"]: row for row in self.record.find(What.DIALOG, phase=Phase.MAIN)}
        for key, entries in self.history.items():
            senders = [entry["sender"] for entry in entries if entry.get("sender", "").startswith("c")]
            if not senders or int(senders[0][1:]) not in scripts:
                continue
            plan = int(senders[0][1:])
            dialog = Dialog(key, plan, sorted(entries, key=lambda entry: entry["seq"]), scripts[plan])
            dialog.owned = [owned for owned in self.owned if owned.key == key]
            dialog.queued = self._queued(dialog)
            dialog.accepted = min((owned.begin for owned in dialog.owned), default=None)
            dialog.replied = self._replied(dialog)
            yield dialog

    def _queued(self, dialog: Dialog) -> int | None:
        """As the customer saw it, else when the message before it was acknowledged; or sent, if they then hung up."""
        for entry in dialog.entries:
            if entry["kind"] == Kind.QUEUED:
                where = {"contact": dialog.key[0], "number": dialog.key[1], "seq": entry["seq"]}
                seen = [int(row["done"]) for row in self.record.find(What.ENTRY, **where) if row["who"][0] == "c"]
                before = [each for each in self.messages(dialog) if each["seq"] < entry["seq"]]
                if self.hung_up(before[-1]):
                    seen.append(self.sent(before[-1]))
                return min(seen) if seen else self.acked(before[-1])
        return None

    def _replied(self, dialog: Dialog) -> int | None:
        contact, number = dialog.key
        seen = [row["done"] for row in self.record.find(What.ENTRY, contact=contact, number=number)
                if row["who"][0] == "c" and row.get("sender", "").startswith("o")]  # fmt: skip
        mine = {(each["sender"], each["counter"]) for each in self.messages(dialog)}
        seen += [row["started"] for row in self.record.find(What.ATTEMPT, outcome=Outcome.OK)
                 if (row["sender"], row["counter"]) in mine]  # fmt: skip
        return min(seen, default=None)

    def messages(self, dialog: Dialog) -> list[Row]:
        """What customers and operators wrote, in order."""
        return [entry for entry in dialog.entries if entry["kind"] == Kind.MESSAGE and entry.get("sender")]

    def sent(self, message: Row) -> int:
        """When it was first tried."""
        return min(int(row["started"]) for row in self.sends[message["sender"], message["counter"]])

    def hung_up(self, message: Row) -> bool:
        """Whether its sender's socket closed right after it."""
        return any(row.get("reason") == "dropped" for row in self.sends[message["sender"], message["counter"]])

    def acked(self, message: Row) -> int:
        """When it was acknowledged."""
        rows = self.sends[message["sender"], message["counter"]]
        return min(int(row["done"]) for row in rows if row["outcome"] == Outcome.OK)

    def turns(self, dialog: Dialog) -> Iterator[tuple[Row, Row | None, int]]:
        """Each message, the one before it, and since when an operator may have been at what follows it."""
        before, since = None, 0
        for message in self.messages(dialog):
            if message["sender"][0] == "o":
                since = self.sent(message)
            elif before is None or before["sender"][0] == "o":
                since = self.acked(message)
            yield message, before, since
            before = message

    def focus(self, dialog: Dialog) -> Iterator[tuple[str, Span]]:
        """Operators' stretches of attention in a dialog."""
        turns = list(self.turns(dialog))
        for (_, _, since), (message, _, _) in pairwise(turns):
            if message["sender"][0] == "o":
                yield message["sender"], (since, self.sent(message))
        contact, number = dialog.key
        for close in self.record.find(What.CLOSE, outcome=Outcome.OK, contact=contact, number=number):
            if close["who"][0] == "o":
                yield close["who"], (turns[-1][2], close["started"])
        for entry in dialog.entries:
            if entry["kind"] == Kind.TRANSFERRED:
                end = next(owned.end for owned in dialog.owned if owned.operator == entry["author"])
                since = [since for message, _, since in turns if message["seq"] < entry["seq"]][-1]
                yield entry["author"], (since, end)

    def clamped(self, dialog: Dialog) -> Iterator[tuple[str, Span]]:
        """The same, none of it before its operator had accepted."""
        for operator, (begin, end) in self.focus(dialog):
            accepted = max(owned.begin for owned in dialog.owned if owned.operator == operator and owned.begin <= end)
            yield operator, (max(begin, accepted), end)

    def seconds(self, ns: float) -> float:
        """Business seconds."""
        return ns / 1e9 * float(self.speed)

    def shifts(self) -> dict[str, list[tuple[int, str, int]]]:
        """(time, presence, slots) of each operator."""
        found: dict[str, list[tuple[int, str, int]]] = {}
        for row in self.record.find(What.PRESENCE):
            found.setdefault(row["who"], []).append((row["done"], row["reason"], row["size"]))
        return {who: sorted(rows) for who, rows in found.items()}

    def floor(self, owned: Iterable[Owned], windows: list[Span]) -> dict[str, float]:
        """Hours × dialogs, with a dialog, × slots, there, on shift; added up over every stretch of every operator."""
        owned, total = list(owned), dict.fromkeys(("held", "busy", "offered", "there", "shift"), 0.0)
        shifts = self.shifts()
        for who in {*shifts, *(each.operator for each in owned)}:
            mine, rows = [each for each in owned if each.operator == who], shifts.get(who, [])
            edges = {edge for window in windows for edge in window} | {row[0] for row in rows}
            edges |= {edge for each in mine for edge in (each.begin, each.end)}
            for begin, end in pairwise(sorted(edges)):
                if not any(low <= begin < high for low, high in windows):
                    continue
                state = [row for row in rows if row[0] <= begin][-1:]
                slots = state[0][2] if state and state[0][1] == "online" else 0
                held = sum(each.begin <= begin < each.end for each in mine)
                hours = self.seconds(end - begin) / 3600
                for name, amount in (("held", held), ("busy", held > 0), ("offered", max(slots, held)),
                                     ("there", slots > 0 or held > 0),
                                     ("shift", bool(state) and state[0][1] != "offline")):  # fmt: skip
                    total[name] += hours * amount
        return total


def union(spans: Iterable[Span]) -> int:
    """How much time is in any of them."""
    total, reach = 0, 0
    for begin, end in sorted(spans):
        total += max(end, reach) - max(begin, reach) if end > reach else 0
        reach = max(reach, end)
    return total


def mean(values: Iterable[float]) -> float | None:
    """Their mean; None of none."""
    values = list(values)
    return sum(values) / len(values) if values else None


def ratio(part: float, whole: float, scale: float = 100.0) -> float | None:
    """In percent, unless said otherwise; None of nothing."""
    return scale * part / whole if whole else None
