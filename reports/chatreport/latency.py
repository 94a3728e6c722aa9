"""How long things took, by operation and channel, counted from when they should have begun and from when they did.

Only the main part counts. Every operation is a pair of stamps of one host's monotonic clock (other pairs are left
out), joined by identity or
by place, never by nearness in time.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from chatreport.episodes import main_dialogs
from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.grouping import (
    NEVER,
    Floats,
    Ints,
    Mask,
    begins,
    contains,
    dense,
    earliest,
    latest,
    lookup,
    order_by,
    position,
    unique,
)
from chatreport.ledger import CUSTOMER, OPERATOR, Rows
from chatreport.rundir import Channel, Outcome, Phase, What

MS: Final = 1_000_000.0
STATS: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
OPERATIONS: Final = {
    "connect": "intended dial → logged in",
    "accept": "intended send → acknowledgement, unless the sender hung up right after sending, as planned",
    "deliver_in": "customer's intended send → screen of the operator who already owned the dialog",
    "deliver_out": "operator's intended send → frame of the connected customer, or the provider's request",
    "assign": "later of queued and slot free → offer on the desk",
    "bot": "intended send → the bot's answer on the same connection",
    "receipt": "intended callback, or the provider's answer if that told it first → receipt on the operator's screen",
    "history": "request → last row",
    "resume": "intended redial → last missed frame",
}
CHANNELS: Final = {int(channel): channel.name.lower() for channel in Channel if channel} | {0: "desk"}


@dataclass(frozen=True, slots=True)
class Samples:
    """One operation's times in ms: from the intended begin (response) and from the actual one (service)."""

    channel: Ints
    at: Ints  # when it ended, ns
    response: Floats
    service: Floats

    def __len__(self) -> int:
        return len(self.at)

    def of(self, channel: int) -> "Samples":
        """The samples of one channel."""
        mine = self.channel == channel
        return Samples(self.channel[mine], self.at[mine], self.response[mine], self.service[mine])


def measure(evidence: Evidence, floor: Floor) -> dict[str, Samples]:
    """The samples of every operation of the main part."""
    none = _none()
    sent = len(evidence.messages) > 0
    return {
        "connect": _logins(evidence, What.CONNECT),
        "accept": _accept(evidence) if sent else none,
        "deliver_in": _deliver_in(evidence, floor) if sent else none,
        "deliver_out": _deliver_out(evidence) if sent else none,
        "assign": _assign(evidence, floor),
        "bot": _bot(evidence) if sent else none,
        "receipt": _receipt(evidence),
        "history": _logins(evidence, What.HISTORY),
        "resume": _logins(evidence, What.RESUME),
    }


def nothing() -> dict[str, Samples]:
    """Every operation without samples."""
    return dict.fromkeys(OPERATIONS, _none())


def _none() -> Samples:
    return _samples(*[np.zeros(0, np.int64)] * 4)


def summarise(samples: dict[str, Samples]) -> dict[str, dict[str, Any]]:
    """`latency_ms` of the verdict: every operation's figures, with its service times and channels beside."""
    return {
        name: figures(found.response)
        | {"service": figures(found.service)}
        | {
            "channels": {
                CHANNELS[channel]: figures(part.response) | {"service": figures(part.service)}
                for channel in unique(found.channel).tolist()
                for part in [found.of(channel)]
            }
        }
        for name, found in samples.items()
        if len(found)
    }


def figures(times_ms: Floats) -> dict[str, Any]:
    """n, exact percentiles (the smallest sample that so many do not exceed), mean and maximum, in ms.

    Of the record's own values, of all workers at once: no histogram comes in between, and nothing is averaged.
    """
    if not len(times_ms):
        return {"n": 0}
    values = np.quantile(times_ms, list(STATS.values()), method="inverted_cdf")
    shown = {name: round(float(value), 4) for name, value in zip(STATS, values, strict=True)}
    return {
        "n": len(times_ms),
        **shown,
        "mean": round(float(times_ms.mean()), 4),
        "max": round(float(times_ms.max()), 4),
    }


def _samples(channel: Ints, intended: Ints, started: Ints, done: Ints) -> Samples:
    """Samples of the pairs that have both ends; without an intended begin the actual one stands for it."""
    whole = (done >= 0) & (started >= 0)
    channel, intended, started, done = channel[whole], intended[whole], started[whole], done[whole]
    intended = np.where(intended >= 0, intended, started)
    return Samples(channel, done, np.maximum(done - intended, 0) / MS, np.maximum(done - started, 0) / MS)


def _main(rows: Rows) -> Rows:
    return rows.where(rows["phase"] == Phase.MAIN)


def _logins(evidence: Evidence, kind: What) -> Samples:
    rows = _main(evidence.ledger.of(kind).is_("outcome", Outcome.OK))
    return _samples(rows["channel"], rows["intended"], rows["started"], rows["done"])


def _in_main(evidence: Evidence, role: int) -> Mask:
    messages = evidence.messages
    mine: Mask = (messages.phase == Phase.MAIN) & (evidence.ledger.role(messages.sender) == role)
    return mine


def _message_channel(evidence: Evidence) -> Ints:
    messages = evidence.messages
    return np.where(messages.channel > 0, messages.channel, evidence.channels[messages.contact])


def _accept(evidence: Evidence) -> Samples:
    messages = evidence.messages
    mine = (_in_main(evidence, CUSTOMER) | _in_main(evidence, OPERATOR)) & messages.acked
    mine &= ~contains(evidence.hung_up[0], messages.identity)
    channel = _message_channel(evidence)
    return _samples(channel[mine], messages.intended[mine], messages.started[mine], messages.acked_at[mine])


def _first_sights(rows: Rows) -> Rows:
    """The first row of every identity."""
    rows = rows.where(rows["identity"] >= 0)
    rows = rows.at(order_by(rows["identity"], rows["done"]))
    return rows.where(begins(rows["identity"])) if len(rows) else rows


def _deliver_in(evidence: Evidence, floor: Floor) -> Samples:
    """Only messages that their later reader already owned when they were sent.

    Of those whose sender hung up by plan, only the ones that came before they were sent again.
    """
    messages, held = evidence.messages, floor.holdings
    sights = _first_sights(evidence.operator_entries)
    at = position(messages.identity, sights["identity"])
    known = (at >= 0) & _in_main(evidence, CUSTOMER)[at]
    sights, at = sights.where(known), at[known]
    accepted = np.flatnonzero(held.accepted_at >= 0)
    seats = evidence.ledger.seat(held.operator[accepted], held.dialog[accepted])
    row = latest(seats, held.accepted_at[accepted], sights["seat"], messages.started[at])
    owned = (row >= 0) & (np.append(held.accepted_seq[accepted], -1)[row] < sights["seq"])
    owned &= evidence.one_clock(messages.sender[at], sights["who"])
    owned &= sights["done"] <= lookup(*evidence.hung_up, sights["identity"], NEVER)
    at, done = at[owned], sights["done"][owned]
    return _samples(_message_channel(evidence)[at], messages.intended[at], messages.started[at], done)


def _deliver_out(evidence: Evidence) -> Samples:
    """Only to customers whose connection was up when the message was sent; what came by resuming is `resume`."""
    messages, ledger = evidence.messages, evidence.ledger
    sights = _first_sights(evidence.customer_entries)
    logins = ledger.of(What.CONNECT, What.RESUME).is_("outcome", Outcome.OK)
    keys, times = earliest(connection(logins), logins["done"])
    up_at = lookup(keys, times, connection(sights), NEVER)
    at = position(messages.identity, sights["identity"])
    on_socket = (at >= 0) & (up_at <= messages.started[at])
    on_socket &= evidence.one_clock(messages.sender[at], sights["who"])
    requests = ledger.of(What.ATTEMPT)
    taken, first_request = earliest(requests["identity"], requests["started"])
    by_provider = position(messages.identity, taken)
    sent = (by_provider >= 0) & evidence.one_clock(messages.sender[by_provider], messages.contact[by_provider])
    at = np.concatenate([at[on_socket], by_provider[sent]])
    done = np.concatenate([sights["done"][on_socket], first_request[sent]])
    mine = _in_main(evidence, OPERATOR)[at]
    at, done = at[mine], done[mine]
    return _samples(_message_channel(evidence)[at], messages.intended[at], messages.started[at], done)


def connection(rows: Rows) -> Ints:
    """Who and the number of their connection, in one number."""
    return rows["who"] << 32 | np.maximum(rows["epoch"], 0)


def _assign(evidence: Evidence, floor: Floor) -> Samples:
    held, waits = floor.holdings, floor.waits
    offered = (waits.holding >= 0) & contains(main_dialogs(evidence), waits.dialog)
    contact = evidence.ledger.contact_of(waits.dialog)
    offered &= evidence.one_clock(contact, np.append(held.operator, -1)[waits.holding])
    line, begin = waits.holding[offered], waits.begin[offered]
    who, when, step, _ = floor.free_changes()
    freed = latest(who[step > 0], when[step > 0], held.operator[line], held.offered_at[line])
    begin = np.maximum(begin, np.append(when[step > 0], -1)[freed])
    channel = evidence.channels[evidence.ledger.contact_of(held.dialog[line])]
    return _samples(channel, begin, begin, np.maximum(held.offered_at[line], begin))


def _bot(evidence: Evidence) -> Samples:
    messages, ledger = evidence.messages, evidence.ledger
    answers = evidence.customer_entries
    by_itself = answers["author"] == ledger.number("system")  # a greeting answers nothing
    answers = answers.where((answers["cause_seq"] >= 0) & (answers["identity"] < 0) & ~by_itself)
    answers = answers.at(order_by(answers["done"]))
    stored = np.where(evidence.message_places >= 0, evidence.message_places, messages.acked_place)
    order = order_by(stored)
    row = position(stored[order], ledger.spot(answers["dialog"], answers["cause_seq"]))
    at = np.append(order, -1)[row]
    fits = (at >= 0) & _in_main(evidence, CUSTOMER)[at] & (messages.epoch[at] == answers["epoch"])
    at, done = at[fits], answers["done"][fits]
    keys, first = np.unique(at, return_index=True)
    return _samples(_message_channel(evidence)[keys], messages.intended[keys], messages.started[keys], done[first])


def _receipt(evidence: Evidence) -> Samples:
    """From the callback that tells the same; from the provider's answer, where none does, or none did by then."""
    rows = _main(evidence.ledger.of(What.RECEIPT))
    rows = rows.where((rows["provider_id"] >= 0) & evidence.one_clock(rows["contact"], rows["who"]))
    callbacks = evidence.ledger.of(What.CALLBACK)
    intended, started = _told(callbacks, rows, ("intended", "started"), ("contact", "provider_id", "reason"))
    taken = evidence.ledger.of(What.ATTEMPT).is_("outcome", Outcome.OK)
    (answered,) = _told(taken, rows, ("done",), ("contact", "provider_id"))
    tells = (intended >= 0) & (started <= rows["done"])
    intended, started = np.where(tells, (intended, started), answered)
    known = intended >= 0
    channel = evidence.channels[rows["contact"][known]]
    return _samples(channel, intended[known], started[known], rows["done"][known])


def _told(told: Rows, rows: Rows, stamps: tuple[str, ...], names: tuple[str, ...]) -> list[Ints]:
    """For each of `rows` the earliest of these stamps in `told` that has the same in these columns; -1 without one."""
    key = dense(*(np.concatenate([told[name], rows[name]]) for name in names))
    return [lookup(*earliest(key[: len(told)], told[stamp]), key[len(told) :]) for stamp in stamps]
