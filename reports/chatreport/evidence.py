"""What a run's rows say about its messages: who sent what, how it was answered, and where it stood in the end.

Everything is computed once, on first use, and shared by the checkers, the latencies and the key figures.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from chatreport.calls import Calls, calls_of
from chatreport.grouping import NEVER, Ints, Mask, begins, contains, earliest, lookup, merged, order_by, unique
from chatreport.ledger import CUSTOMER, OPERATOR, Ledger, Rows
from chatreport.rundir import Kind, Outcome, Phase, What

SECOND_NS: Final = 1_000_000_000
STALL_NS: Final = SECOND_NS // 20  # a mirror this late, as long as it takes to the next one, is a stall
DROPPED: Final = "dropped"  # why an attempt has no answer: its sender hung up right after it, as planned
RECOVERY_NS: Final = 5 * SECOND_NS  # after a fault, unless the manifest states `recovery_s`


@dataclass(frozen=True, slots=True)
class Messages:
    """One line per identity that somebody tried to send, sorted by identity; times in ns, -1 is none."""

    identity: Ints
    sender: Ints
    contact: Ints
    channel: Ints
    phase: Ints
    plan: Ints
    epoch: Ints  # of the first attempt
    intended: Ints  # of the first attempt
    started: Ints  # of the first attempt
    acked_at: Ints  # the first acknowledgement
    acked: Mask
    rejected: Mask  # every attempt was definitely refused
    attempts: Ints
    acked_place: Ints  # as the first acknowledgement that named one has it

    def __len__(self) -> int:
        return len(self.identity)


class Evidence:
    """A run's ledger and manifest, with what follows from them."""

    def __init__(self, ledger: Ledger, manifest: dict[str, Any]) -> None:
        self.ledger = ledger
        self.manifest = manifest

    # ── what was sent ────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def attempts(self) -> Rows:
        """Every attempt to send a message that carries an identity, by identity and start; a probe's too.

        A probe's PROBE row stands for its attempt where no SEND row does.
        """
        rows = self.ledger.of(What.SEND, What.PROBE)
        sent = unique(self.ledger.of(What.SEND)["identity"])
        told_by_probe = (rows["what"] == What.PROBE) & contains(sent, rows["identity"])
        rows = rows.where((rows["identity"] >= 0) & ~told_by_probe & (rows["kind"] != Kind.EDITED))
        return rows.at(order_by(rows["identity"], rows["started"]))

    @cached_property
    def edits(self) -> Rows:
        """Every attempt to give a message new words, in the order of recording."""
        rows = self.ledger.of(What.SEND)
        return rows.where((rows["identity"] >= 0) & (rows["kind"] == Kind.EDITED))

    @cached_property
    def hung_up(self) -> tuple[Ints, Ints]:
        """(identity, start of its next attempt, NEVER if none) of messages whose sender's socket closed by plan."""
        rows = self.attempts
        dropped = rows["reason"] == self.ledger.number(DROPPED)
        again = np.append(rows["started"][1:], NEVER)
        last = np.append(rows["identity"][1:] != rows["identity"][:-1], True) if len(rows) else dropped
        return earliest(rows["identity"][dropped], np.where(last, NEVER, again)[dropped])

    @cached_property
    def messages(self) -> Messages:
        """The messages that somebody tried to send."""
        rows = self.attempts
        first = np.flatnonzero(begins(rows["identity"]))
        acked = rows["outcome"] == Outcome.OK
        refused = rows["outcome"] == Outcome.REJECTED
        ids = rows["identity"][first]
        acked_ids, acked_at = earliest(rows["identity"][acked], rows["done"][acked])
        placed = acked & (rows["spot"] >= 0) & (rows["seq"] > 0)
        return Messages(
            identity=ids,
            acked_at=lookup(acked_ids, acked_at, ids),
            acked=contains(acked_ids, ids),
            rejected=np.logical_and.reduceat(refused, first) if len(first) else np.zeros(0, np.bool_),
            attempts=np.diff(np.append(first, len(rows))).astype(np.int64),
            acked_place=lookup(rows["identity"][placed], rows["spot"][placed], ids),
            **{
                name: rows[name][first]
                for name in ("sender", "contact", "channel", "phase", "plan", "epoch", "intended", "started")
            },
        )

    # ── what was seen, and what stood in the end ─────────────────────────────────────────────────────────────────

    @cached_property
    def entries(self) -> Rows:
        """What observers were shown of dialogs, in the order of recording."""
        return _in_dialogs(self.ledger.of(What.ENTRY))

    @cached_property
    def claims(self) -> Rows:
        """The final history of dialogs in the order of the platform's log."""
        return _in_dialogs(self.ledger.of(What.AUDIT))

    @cached_property
    def overlaps(self) -> tuple[Ints, Ints]:
        """(dialog, the one before it) of a contact where it began, in the log, before that one closed."""
        rows = self.claims
        dialogs, begun = earliest(rows["dialog"], np.arange(len(rows), dtype=np.int64))
        closings = np.flatnonzero(rows["kind"] == Kind.CLOSED).astype(np.int64)
        closed = lookup(*earliest(rows["dialog"][closings], closings), dialogs, NEVER)
        contacts = self.ledger.contact_of(dialogs)
        again = np.flatnonzero(contacts[1:] == contacts[:-1]) + 1
        early = again[begun[again] < closed[again - 1]]
        return dialogs[early], dialogs[early - 1]

    @cached_property
    def overlapping(self) -> Ints:
        """The dialogs in `overlaps`, sorted: what else becomes of them is the same defect, and not reported again."""
        return unique(np.concatenate(self.overlaps))

    @cached_property
    def history(self) -> Rows:
        """The final history, by place."""
        return self.claims.at(order_by(self.claims["spot"]))

    @cached_property
    def internal(self) -> Ints:
        """The dialogs that were once in an internal department, sorted."""
        if not self.manifest.get("internal"):
            return np.zeros(0, np.int64)
        names = [self.ledger.number(name) for name in self.manifest["internal"]]
        entered = self.history.where(np.isin(self.history["kind"], [Kind.QUEUED, Kind.TRANSFERRED]))
        return unique(entered.where(np.isin(entered["reason"], names))["dialog"])

    @cached_property
    def history_messages(self) -> Rows:
        """The final history's messages, by place."""
        return self.history.is_("kind", Kind.MESSAGE)

    @cached_property
    def _places_by_identity(self) -> tuple[Ints, Ints]:
        rows = self.history_messages
        rows = rows.where(rows["identity"] >= 0)
        return earliest(rows["identity"], rows["spot"])

    def place_in_history(self, identities: Ints) -> Ints:
        """The first place of each identity in the final history; -1 if it is not there."""
        keys, places = self._places_by_identity
        return lookup(keys, places, identities)

    @cached_property
    def message_places(self) -> Ints:
        """The place in the final history of each of `messages`; -1 if it is not there."""
        return self.place_in_history(self.messages.identity)

    @cached_property
    def lost(self) -> Mask:
        """Which of `messages` were acknowledged and are not in the final history."""
        return self.messages.acked & (self.message_places < 0)

    @cached_property
    def lost_places(self) -> Ints:
        """The places, as far as anybody was told, of lost messages, sorted."""
        messages, lost = self.messages, self.lost
        shown = self.entries.where(contains(messages.identity[lost], self.entries["identity"]))
        places = np.concatenate([messages.acked_place[lost], shown["spot"]])
        return unique(places[places >= 0])

    @cached_property
    def audited(self) -> bool:
        """Whether the final history was read to its end."""
        return bool(self.manifest.get("audit", {}).get("read", False))

    @cached_property
    def clean_drain(self) -> bool:
        """Whether everything came to rest before the drain's deadline."""
        return bool(self.manifest.get("drain", {}).get("clean", False))

    @cached_property
    def workers_lost(self) -> list[str]:
        """The names of the workers whose record is missing, or may end early."""
        workers = self.manifest.get("workers") or []
        return sorted(str(worker.get("name")) for worker in workers if worker.get("lost"))

    @cached_property
    def calls(self) -> Calls:
        """What was told of calls by phone, and what stands of them in the final history."""
        return calls_of(self.ledger, self.history)

    # ── by whose clock ───────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def clocks(self) -> Ints | None:
        """By text number: the number of the clock that stamps what happens to somebody; -1 if that is not known.

        A customer's contact stands for the customer, and for the provider of that chat. None if all have one clock.
        """
        ledger = self.ledger
        if not ledger.several_clocks:
            return None
        found = np.full(len(ledger.texts) + 1, -1, np.int64)
        everybody = ledger.of(What.PRESENCE, What.SEND, What.CONNECT, What.OFFER)
        found[everybody["who"]] = everybody["clock"]
        scripts = ledger.of(What.DIALOG)
        found[scripts["who"]] = found[scripts["contact"]] = scripts["clock"]
        found[-1] = -1
        return found

    def one_clock(self, some: Ints, others: Ints) -> Mask:
        """Whether both of each pair of people or contacts are stamped by the same clock."""
        if self.clocks is None:
            return np.ones(len(some), np.bool_)
        same: Mask = (self.clocks[some] >= 0) & (self.clocks[some] == self.clocks[others])
        return same

    # ── where messages belong ────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def channels(self) -> Ints:
        """The channel of each contact, by text number."""
        found = np.zeros(len(self.ledger.texts) + 1, np.int64)
        for kind in (What.SEND, What.CONNECT, What.DIALOG):
            rows = self.ledger.of(kind)
            rows = rows.where((rows["contact"] >= 0) & (rows["channel"] > 0))
            found[rows["contact"]] = rows["channel"]
        return found

    @cached_property
    def faults(self) -> Ints:
        """When the suite broke something, sorted, ns."""
        return np.sort(self.ledger.of(What.FAULT)["started"])

    @cached_property
    def fault_windows(self) -> tuple[Ints, Ints]:
        """Begin and end of every fault with its recovery, ns."""
        rows = self.ledger.of(What.FAULT)
        recovery_s = self.manifest.get("recovery_s")
        recovery_ns = RECOVERY_NS if recovery_s is None else int(recovery_s * SECOND_NS)
        return rows["started"], np.maximum(rows["done"], rows["started"]) + recovery_ns

    def in_fault(self, begin: Ints, end: Ints) -> Mask:
        """Whether each [begin, end] meets a fault or its recovery."""
        meets = np.zeros(len(begin), np.bool_)
        for start, stop in zip(*self.fault_windows, strict=True):
            meets |= (begin <= stop) & (end >= start)
        return meets

    @cached_property
    def stalls(self) -> tuple[Ints, Ints]:
        """Begin and end of every time in which the generator could not see, ns: its mirror was late."""
        rows = self.ledger.of(What.MIRROR)
        begin = np.where(rows["intended"] >= 0, rows["intended"], rows["started"])
        late = rows["done"] - begin > STALL_NS
        return merged(begin[late], rows["done"][late])

    @cached_property
    def operators(self) -> Ints:
        """The operators that took part, sorted: who was on duty at some time, not who was only logged on."""
        on_duty = self.ledger.of(What.PRESENCE).is_("reason", self.ledger.number("online"))
        rows = self.ledger.of(What.OFFER, What.ACCEPT)
        people = unique(np.concatenate([on_duty["who"], rows["who"]])).astype(np.int64)
        operators: Ints = people[self.ledger.role(people) == OPERATOR]
        return operators

    @cached_property
    def own_sights(self) -> Ints:
        """The sights that senders have of their own messages, which they are told by acknowledgements; sorted."""
        ledger, history = self.ledger, self.history_messages
        acked = self.attempts.is_("outcome", Outcome.OK)
        told = ledger.sight(acked["sender"], acked["spot"])
        stored = ledger.sight(history["sender"], history["spot"])
        sights = np.concatenate([told, stored])
        return unique(sights[sights >= 0])

    @cached_property
    def customer_entries(self) -> Rows:
        """What customers were shown."""
        return self.entries.where(self.ledger.role(self.entries["who"]) == CUSTOMER)

    @cached_property
    def operator_entries(self) -> Rows:
        """What operators were shown."""
        return self.entries.where(self.ledger.role(self.entries["who"]) == OPERATOR)

    @cached_property
    def in_main(self) -> Ints:
        """The planned dialogs of the main part, sorted by plan index."""
        rows = self.ledger.of(What.DIALOG).is_("phase", Phase.MAIN)
        return unique(rows["plan"])

    def shown_example(self, *, place: int = -1, who: int = -1, key: int = -1, note: str = "") -> dict[str, Any]:
        """One example for a report: where, to whom, which message, and what about it."""
        ledger = self.ledger
        example: dict[str, Any] = {}
        if place >= 0:
            at = np.array([place])
            example["dialog"] = ledger.dialog_name(int(ledger.dialog_of(at)[0]))
            example["seq"] = int(ledger.seq_of(at)[0])
        if who >= 0:
            example["who"] = ledger.text(who)
        if key >= 0:
            example["identity"] = ledger.identity_name(key)
        if note:
            example["note"] = note
        return example


def _in_dialogs(rows: Rows) -> Rows:
    """The rows that stand somewhere in a dialog; what the bank sends of its own accord stands under the number 0."""
    return rows.where((rows["spot"] >= 0) & (rows["number"] != 0))


def edit_keys(rows: Rows) -> Ints:
    """A message's identity and the number of its new wording in one number; -1 where the message has none."""
    return np.where(rows["identity"] >= 0, rows["identity"] << 16 | rows["cursor"] & 0xFFFF, -1)
