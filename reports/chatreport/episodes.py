"""The platform's dialogs as the key figures count them: one line each, with the planned dialog it belongs to."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from chatreport.calls import CALLERS
from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.grouping import NEVER, Ints, Mask, between, contains, earliest, latest, lookup, order_by, unique
from chatreport.ledger import CUSTOMER, OPERATOR
from chatreport.rundir import Kind, Outcome, Phase, What

SHIFT: Final = 1 << 31  # plan indices may be negative


@dataclass(frozen=True, slots=True)
class Episodes:
    """Dialogs of the final history that belong to the plan's main part; times in ns, -1 is none."""

    dialog: Ints
    channel: Ints
    plan: Ints
    queued_at: Ints
    accepted_at: Ints
    first_reply_at: Ints  # when the first operator's message reached the customer or the provider
    closed: Mask
    left_at: Ints  # when the customer's script gave up, or the caller had hung up
    messages: Ints  # but for the platform's own, such as a greeting
    bot_messages: Ints
    rating: Ints  # the customer's score, and the best there is
    rating_best: Ints

    def __len__(self) -> int:
        return len(self.dialog)


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


def episodes(evidence: Evidence, floor: Floor) -> Episodes:
    """The main part's dialogs with what the key figures need."""
    ledger, history = evidence.ledger, evidence.history
    dialogs, plans = plan_of_dialogs(evidence)
    main = np.isin(plans, evidence.in_main)
    dialogs, plans = dialogs[main], plans[main]
    scripts = ledger.of(What.DIALOG)
    scripts = scripts.where((scripts["phase"] == Phase.MAIN) & (scripts["outcome"] == Outcome.ABANDONED))
    held = floor.holdings
    accepted = held.accepted_at >= 0
    accepted_at = lookup(*earliest(held.dialog[accepted], held.accepted_at[accepted]), dialogs)
    left_at = lookup(*earliest(scripts["plan"] + SHIFT, scripts["done"]), plans + SHIFT)
    written = evidence.history_messages
    messages = written.where(written["author"] != ledger.number("system"))["dialog"]
    bots = written.is_("author", ledger.number("bot"))["dialog"]
    rated = ledger.of(What.AUDIT_RATING)
    return Episodes(
        dialog=dialogs,
        channel=evidence.channels[ledger.contact_of(dialogs)],
        plan=plans,
        queued_at=lookup(*earliest(*floor.queued), dialogs),
        accepted_at=accepted_at,
        first_reply_at=lookup(*_first_replies(evidence), dialogs),
        closed=contains(unique(history.is_("kind", Kind.CLOSED)["dialog"]), dialogs),
        left_at=_hung_up(evidence, dialogs, accepted_at, left_at),
        messages=between(messages, dialogs, dialogs),
        bot_messages=between(bots, dialogs, dialogs),
        rating=lookup(*earliest(rated["dialog"], rated["size"]), dialogs),
        rating_best=lookup(*earliest(rated["dialog"], rated["place"]), dialogs),
    )


def _hung_up(evidence: Evidence, dialogs: Ints, accepted_at: Ints, otherwise: Ints) -> Ints:
    """When the caller of each dialog had hung up before an operator accepted it; -1 if they were there, or there again.

    `otherwise`: of dialogs without calls.
    """
    ledger, calls = evidence.ledger, evidence.calls
    theirs = np.isin(calls.told["reason"], [ledger.number(state) for state in CALLERS]) & (calls.told_dialog >= 0)
    told, dialog = calls.told.where(theirs), calls.told_dialog[theirs]
    last = latest(dialog, told["intended"], dialogs, np.where(accepted_at >= 0, accepted_at, NEVER))
    gone = np.append(told["reason"], -1)[last] == ledger.number("abandoned")
    return np.where(last >= 0, np.where(gone, np.append(told["intended"], -1)[last], -1), otherwise)


def _first_replies(evidence: Evidence) -> tuple[Ints, Ints]:
    """(dialog, time) at which the first operator's message reached the customer's screen or the provider."""
    ledger = evidence.ledger
    seen = evidence.customer_entries
    seen = seen.where((seen["kind"] == Kind.MESSAGE) & (ledger.role(seen["sender"]) == OPERATOR))
    taken = ledger.of(What.ATTEMPT)
    taken = taken.where((taken["outcome"] == Outcome.OK) & (ledger.role(taken["sender"]) == OPERATOR))
    dialogs = np.concatenate([seen["dialog"], ledger.dialog_of(evidence.place_in_history(taken["identity"]))])
    times = np.concatenate([seen["done"], taken["started"]])
    known = dialogs >= 0
    return earliest(dialogs[known], times[known])
