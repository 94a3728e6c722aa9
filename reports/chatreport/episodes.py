"""The platform's dialogs as the key figures count them: one line each, with the planned dialog it belongs to."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from chatreport.calls import CALLERS
from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.grouping import (
    NEVER,
    Ints,
    Mask,
    begins,
    between,
    contains,
    earliest,
    latest,
    lookup,
    order_by,
    position,
    soonest,
)
from chatreport.ledger import CUSTOMER, OPERATOR
from chatreport.rundir import Channel, Kind, Outcome, Phase, What
from chatreport.tables import Table
from chatreport.turns import Turns, turns_of

SHIFT: Final = 1 << 31  # plan indices may be negative
ENDS_HOLD: Final = (Kind.RESUMED, Kind.RELEASED, Kind.CLOSED)


@dataclass(frozen=True, slots=True)
class Episodes(Table):
    """Dialogs of the final history that belong to the plan's main part; times in ns, -1 is none."""

    dialog: Ints
    channel: Ints
    plan: Ints
    due_at: Ints  # when the plan has the customer begin
    opened_at: Ints  # when the customer sent the first message
    asked_at: Ints  # when the customer sent the message that led into the queue
    queued_at: Ints
    accepted_at: Ints
    first_reply_at: Ints  # when the first operator's message reached the customer or the provider
    closed: Mask
    left_at: Ints  # when the customer's script gave up, or the caller had hung up
    told: Mask  # the platform was told of the customer's leaving: they closed the dialog, or hung up
    completed: Mask  # the customer's script came to its end
    lasted: Ints  # how long that took; of a plan's first dialog in which people write
    handled: Ints  # from acceptance to release or closing, over all owners; of dialogs that ended
    on_hold: Ints
    holds: Ints
    transfers: Ints
    messages: Ints  # but for the platform's own, such as a greeting
    bot_messages: Ints  # before the queue, and so not what tells a customer on hold to wait
    rating: Ints  # the customer's score, and the best there is
    rating_best: Ints


def plan_of_dialogs(evidence: Evidence) -> tuple[Ints, Ints]:
    """(dialog, planned dialog) for every dialog that a planned customer wrote in, or called in, by dialog."""
    messages, ledger, calls = evidence.messages, evidence.ledger, evidence.calls
    place = np.where(evidence.message_places >= 0, evidence.message_places, messages.acked_place)
    planned = (place >= 0) & (messages.plan != -1) & (ledger.role(messages.sender) == CUSTOMER)
    called = (calls.told_place >= 0) & (calls.told["plan"] != -1)
    place = np.concatenate([place[planned], calls.told_place[called]])
    plan = np.concatenate([messages.plan[planned], calls.told["plan"][called]])
    order = order_by(place)
    dialogs, first = np.unique(ledger.dialog_of(place[order]), return_index=True)
    return dialogs, plan[order][first]


def main_dialogs(evidence: Evidence) -> Ints:
    """The platform's dialogs of the plan's main part, sorted."""
    dialogs, plans = plan_of_dialogs(evidence)
    return dialogs[np.isin(plans, evidence.in_main)]


def departments(evidence: Evidence) -> tuple[Ints, Ints]:
    """(dialog, department) for every dialog that was in one, by dialog: where it was last, by the final history."""
    rows = evidence.history
    rows = rows.where(np.isin(rows["kind"], [Kind.QUEUED, Kind.TRANSFERRED]) & (rows["reason"] >= 0))
    dialogs = rows["dialog"]
    last = np.append(dialogs[1:] != dialogs[:-1], True)[: len(dialogs)]
    return dialogs[last], rows["reason"][last]


class Contacts:
    """The main part's dialogs, with what was written in them."""

    def __init__(self, evidence: Evidence, floor: Floor) -> None:
        self._evidence = evidence
        self._floor = floor
        dialogs, plans = plan_of_dialogs(evidence)
        main = np.isin(plans, evidence.in_main)
        self.dialogs, self._plans = dialogs[main], plans[main]
        self._channels = evidence.channels[evidence.ledger.contact_of(self.dialogs)]

    @cached_property
    def turns(self) -> Turns:
        """What customers and operators wrote in them."""
        return turns_of(self._evidence, self.dialogs)

    @cached_property
    def episodes(self) -> Episodes:
        """Them, with what the key figures need."""
        dialogs = self.dialogs
        return Episodes(
            dialog=dialogs,
            channel=self._channels,
            plan=self._plans,
            first_reply_at=lookup(*self._first_replies(), dialogs),
            **self._script(),
            **self._queue(),
            **self._history(),
            **self._handling(),
            **self._rating(),
        )

    def _script(self) -> dict[str, Any]:
        """What the customers' scripts say."""
        rows = self._evidence.ledger.of(What.DIALOG).is_("phase", Phase.MAIN)
        keys, plans = rows["plan"] + SHIFT, self._plans + SHIFT
        order = order_by(keys)
        row = position(keys[order], plans)
        found = {name: np.append(rows[name][order], -1)[row] for name in ("intended", "started", "done", "outcome")}
        completed = found["outcome"] == Outcome.COMPLETED
        by_plan = order_by(plans)
        first = np.zeros(len(plans), np.bool_)
        first[by_plan[begins(plans[by_plan])]] = True
        lasts = completed & first & (found["started"] >= 0) & (self._channels != Channel.PHONE)
        left_at = np.where(found["outcome"] == Outcome.ABANDONED, found["done"], -1)
        return {
            "due_at": found["intended"],
            "completed": completed,
            "lasted": np.where(lasts, found["done"] - found["started"], -1),
            "left_at": self._hung_up(left_at),
        }

    def _queue(self) -> dict[str, Any]:
        """When they were opened, when they asked for an operator, waited and were accepted."""
        evidence, floor, dialogs = self._evidence, self._floor, self.dialogs
        entered = evidence.history.is_("kind", Kind.QUEUED)
        places = lookup(entered["dialog"], entered["spot"], dialogs)
        asked_at, hung_up = self.turns.asked(dialogs, places)
        queued_at = lookup(*earliest(*floor.queued), dialogs)
        since = asked_at + floor.patience_with_bot(places)
        unseen = hung_up & ((queued_at < 0) | (queued_at > since))  # who hung up sees the queue when they come back
        queued_at = np.where(unseen, since, queued_at)
        return {
            "opened_at": self.turns.opened_at(dialogs),
            "asked_at": np.where(asked_at >= 0, asked_at, queued_at),
            "queued_at": queued_at,
            "accepted_at": self._accepted_at,
            "bot_messages": self._bot_messages(entered["dialog"], entered["spot"]),
        }

    def _bot_messages(self, entered: Ints, places: Ints) -> Ints:
        evidence = self._evidence
        bots = evidence.history_messages.is_("author", evidence.ledger.number("bot"))
        before = bots["spot"] < lookup(entered, places, bots["dialog"], NEVER)
        return between(bots["dialog"][before], self.dialogs, self.dialogs)

    @cached_property
    def _accepted_at(self) -> Ints:
        held = self._floor.holdings
        accepted = held.accepted_at >= 0
        return lookup(*earliest(held.dialog[accepted], held.accepted_at[accepted]), self.dialogs)

    def _history(self) -> dict[str, Any]:
        """What the final history has of them."""
        dialogs, history = self.dialogs, self._evidence.history
        closings = history.is_("kind", Kind.CLOSED)
        by_customer = closings.is_("reason", self._evidence.ledger.number("customer"))["dialog"]
        held, sent_on = (history.is_("kind", kind)["dialog"] for kind in (Kind.HELD, Kind.TRANSFERRED))
        written = self._evidence.history_messages
        messages = written.where(written["author"] != self._evidence.ledger.number("system"))["dialog"]
        return {
            "closed": contains(closings["dialog"], dialogs),
            "told": contains(by_customer, dialogs) | (self._channels == Channel.PHONE),
            "holds": between(held, dialogs, dialogs),
            "transfers": between(sent_on, dialogs, dialogs),
            "messages": between(messages, dialogs, dialogs),
        }

    def _handling(self) -> dict[str, Any]:
        """How long operators had them, and had them on hold."""
        held, dialogs, horizon = self._floor.holdings, self.dialogs, self._floor.horizon
        line = np.where(held.accepted_at >= 0, position(dialogs, held.dialog), -1)
        mine = line >= 0
        spent = self._sum(line[mine], np.minimum(held.ended_at, horizon)[mine] - held.accepted_at[mine])
        spent[line[mine & (held.ended_at == NEVER)]] = -1
        seen = self._evidence.operator_entries
        seen = seen.where(np.isin(seen["kind"], (Kind.HELD, *ENDS_HOLD)))
        seen = seen.at(order_by(seen["done"]))  # a later owner is shown it, too
        begun, over = seen.is_("kind", Kind.HELD), seen.where(seen["kind"] != Kind.HELD)
        places, first = np.unique(begun["spot"], return_index=True)
        begun = begun.at(first[contains(dialogs, self._evidence.ledger.dialog_of(places))])
        row = soonest(over["dialog"], over["seq"], begun["dialog"], begun["seq"])
        until = np.where(row >= 0, np.append(over["done"], horizon)[row], horizon)
        on_hold = self._sum(position(dialogs, begun["dialog"]), np.maximum(until - begun["done"], 0))
        return {"handled": np.where(self._accepted_at >= 0, spent, -1), "on_hold": on_hold}

    def _sum(self, lines: Ints, values: Ints) -> Ints:
        total = np.zeros(len(self.dialogs), np.int64)
        np.add.at(total, lines, values)
        return total

    def _rating(self) -> dict[str, Any]:
        rated = self._evidence.ledger.of(What.AUDIT_RATING)
        found = {"rating": "size", "rating_best": "place"}
        return {name: lookup(*earliest(rated["dialog"], rated[of]), self.dialogs) for name, of in found.items()}

    def _hung_up(self, otherwise: Ints) -> Ints:
        """When the caller of each dialog had hung up before an operator accepted it; -1 if they were there, or again.

        `otherwise`: of dialogs without calls.
        """
        ledger, calls, accepted_at = self._evidence.ledger, self._evidence.calls, self._accepted_at
        theirs = np.isin(calls.told["reason"], [ledger.number(state) for state in CALLERS]) & (calls.told_dialog >= 0)
        told, dialog = calls.told.where(theirs), calls.told_dialog[theirs]
        last = latest(dialog, told["intended"], self.dialogs, np.where(accepted_at >= 0, accepted_at, NEVER))
        gone = np.append(told["reason"], -1)[last] == ledger.number("abandoned")
        return np.where(last >= 0, np.where(gone, np.append(told["intended"], -1)[last], -1), otherwise)

    def _first_replies(self) -> tuple[Ints, Ints]:
        """(dialog, time) at which the first operator's message reached the customer's screen or the provider."""
        evidence = self._evidence
        ledger, seen = evidence.ledger, evidence.customer_entries
        seen = seen.where((seen["kind"] == Kind.MESSAGE) & (ledger.role(seen["sender"]) == OPERATOR))
        taken = ledger.of(What.ATTEMPT)
        taken = taken.where((taken["outcome"] == Outcome.OK) & (ledger.role(taken["sender"]) == OPERATOR))
        dialogs = np.concatenate([seen["dialog"], ledger.dialog_of(evidence.place_in_history(taken["identity"]))])
        times = np.concatenate([seen["done"], taken["started"]])
        known = dialogs >= 0
        return earliest(dialogs[known], times[known])
