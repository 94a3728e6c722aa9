"""REST over what became of dialogs: the contact centre's figures, and quality control."""

import sqlite3
import time
from functools import partial
from typing import Final, cast

from chatcore import wire
from chatcore.analytics import reviews
from chatcore.analytics.figures import Asked, figures
from chatcore.edges import views as v
from chatcore.edges.api import Call
from chatcore.errors import Problem
from chatcore.machines.commands import Refused, Review
from chatcore.machines.contacts import Contact
from chatcore.machines.quality import check, winning
from chatcore.runtime.core import Core
from chatcore.runtime.partition import PartitionOwner

HOUR_MS: Final = 3_600_000
SEES_ALL: Final = ("auditor", "admin")
WHY: Final = {
    "unknown_dialog": "the contact has no such dialog",
    "not_sampled": "quality control reads what is in its sample, and nothing else",
    "open": "only a closed dialog is reviewed",
}


async def analytics(call: Call) -> v.Analytics:
    """Figures of the dialogs that opened in the hours before a moment, all together and by group.

    All that was stored before the call is in them. Supervisors do not see dialogs of internal departments.
    """
    query, core = cast(v.AnalyticsQuery, call.query), call.gateway.core
    to_ms = query.to_ms or 1 + max(time.time_ns() // 1_000_000, *(each.state.now for each in core.partitions))
    channels = {account.id: account.channel for account in call.gateway.config.accounts}
    asked = Asked(to_ms - query.hours * HOUR_MS, to_ms, query.by, query.within_s, call.role in SEES_ALL, channels)
    await _settled(core)
    return await core.journal.history.ask(partial(_analytics, asked=asked))


def _analytics(db: sqlite3.Connection, asked: Asked) -> v.Analytics:
    total = next(iter(figures(db, asked._replace(by="nothing"))), None)
    groups = figures(db, asked) if asked.by != "nothing" else []
    return v.Analytics(asked.from_ms, asked.to_ms, asked.within_s, asked.by, total, groups)


async def _settled(core: Core) -> None:
    for partition in core.partitions:
        await partition.settled()


async def waiting(call: Call) -> v.ToReview:
    """The sampled dialogs that nobody has reviewed, those that closed first before the others."""
    query, core = cast(v.ReviewsQuery, call.query), call.gateway.core
    await _settled(core)
    below = winning(call.gateway.config.quality.sample)
    wanted = reviews.Wanted(below, query.operator, call.role in SEES_ALL, query.limit + 1)
    found = await core.journal.history.ask(partial(reviews.waiting, wanted=wanted))
    return v.ToReview(found[: query.limit], more=len(found) > query.limit)


async def read(call: Call) -> v.Reviewed:
    """A closed dialog of the sample: its entries, and how it was reviewed."""
    path, query, core = cast(v.DialogPath, call.path), cast(v.ReviewQuery, call.query), call.gateway.core
    partition, contact = _reviewable(call)
    await partition.settled()
    history = core.journal.history
    rows = await history.entries(partition.log, contact.id, (path.number, query.after), query.limit + 1)
    rows = [row for row in rows if row.dialog == path.number]
    known = partial(reviews.about, contact=contact.id, key=contact.key, number=path.number)
    sampled, review = await history.ask(known)
    entries = [wire.stored(contact.key, row.blob) for row in rows[: query.limit]]
    return v.Reviewed(sampled, review, cast(list[v.Entry], entries), more=len(rows) > query.limit)


async def review(call: Call) -> reviews.Review:
    """Score a closed dialog of the sample; a second score takes the place of the first."""
    path, body = cast(v.DialogPath, call.path), cast(v.Scored, call.body)
    partition, contact = _reviewable(call)
    internal = call.role in SEES_ALL
    partition.submit(Review(contact.key, path.number, call.subject, body.score, body.comment, internal))
    await partition.settled()
    return reviews.Review(body.score, call.subject, body.comment)


def _reviewable(call: Call) -> tuple[PartitionOwner, Contact]:
    """The contact of the dialog, which its caller may read and score."""
    path, core = cast(v.DialogPath, call.path), call.gateway.core
    partition = core.partition_of(f"{path.account}/{path.user}")
    contact = partition.state.by_key.get(f"{path.account}/{path.user}")
    if contact is None:
        raise Problem(404, "unknown_contact", "nobody of this name has written yet")
    try:
        check(contact, path.number, call.gateway.config.quality.sample, internal=call.role in SEES_ALL)
    except Refused as refusal:
        status = 404 if refusal.reason == "unknown_dialog" else 403
        raise Problem(status, refusal.reason, WHY[refusal.reason]) from refusal
    return partition, contact
