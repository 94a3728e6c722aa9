"""Ways to break an honest record, each a defect that one guarantee forbids."""

from functools import cache
from itertools import pairwise

from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport.besides import announce, fail_somebody, rate
from tests.chatreport.ledgers import MS, T0, Record, Row
from tests.chatreport.worlds import play


@cache
def honest() -> Record:
    """One honest record; tests copy it."""
    record = play()
    rate(record)
    fail_somebody(record)
    announce(record)
    return record


def bot_dialog(record: Record) -> Row:
    """The second message of a dialog that the bot contained: its customer alone saw it."""
    closed = record.one(What.AUDIT, kind=Kind.CLOSED, author="customer", channel=1)
    return record.one(What.AUDIT, contact=closed["contact"], number=closed["number"], kind=Kind.MESSAGE, counter=2)


def probe_tail(record: Record) -> Row:
    """The last entry of the probe's dialog, the one that stays open."""
    return record.find(What.AUDIT, contact="web/probe1")[-1]


def owned_entry(record: Record) -> Row:
    """An entry that an operator was shown of a dialog that only it ever owned."""
    for row in record.find(What.ENTRY, who="o2", kind=Kind.MESSAGE):
        owners = {each["who"] for each in record.find(What.ACCEPT, contact=row["contact"])}
        if owners == {"o2"} and row["channel"] != Channel.TELEGRAM:
            return row
    raise LookupError


def lost(record: Record) -> None:
    """An acknowledged message is not in the final history."""
    record.drop(bot_dialog(record))


def lost_reply(record: Record) -> None:
    """An operator's acknowledged message to Telegram is not in the final history."""
    record.drop(record.one(What.AUDIT, channel=3, kind=Kind.MESSAGE, author="o2"))


def phantom(record: Record) -> None:
    """The history has a message that nobody sent."""
    tail = probe_tail(record)
    record.add(tail, seq=tail["seq"] + 1, sender="c999", counter=1, cause_seq=-1, rule="", author="customer")


def refused_and_there(record: Record) -> None:
    """A message was refused, and stands in the history."""
    told = bot_dialog(record)
    for row in record.find(What.SEND, sender=told["sender"], counter=2):
        row["outcome"] = Outcome.REJECTED


def second_answer(record: Record) -> None:
    """One rule answered one message twice."""
    tail = probe_tail(record)
    record.add(tail, seq=tail["seq"] + 1)


def answer_without_cause(record: Record) -> None:
    """An automatic text answers an entry that comes after it."""
    for row in record.find(What.AUDIT, seq=probe_tail(record)["seq"], contact="web/probe1"):
        row["cause_seq"] += 2
    for row in record.find(What.ENTRY, seq=probe_tail(record)["seq"], contact="web/probe1"):
        row["cause_seq"] += 2


def nameless_text_at_the_provider(record: Record) -> None:
    """The provider took a text that leads back to nothing."""
    taken = record.one(What.ATTEMPT, outcome=Outcome.OK)
    record.add(taken, sender="", counter=-1, provider_id=999_999)


def stored_twice(record: Record) -> None:
    """One identity has two places in the history."""
    tail = probe_tail(record)
    record.add(tail, seq=tail["seq"] + 1, sender="p1", counter=1, author="customer", cause_seq=-1, rule="")


def acknowledged_elsewhere(record: Record) -> None:
    """A repeat was acknowledged with another place than the original."""
    sent = record.one(What.SEND, sender=bot_dialog(record)["sender"], counter=2)
    record.add(sent, attempt=2, seq=sent["seq"] + 100, started=sent["done"] + MS, done=sent["done"] + 2 * MS)


def swapped(record: Record) -> None:
    """Two messages changed places in the history."""
    mine = {"contact": owned_entry(record)["contact"], "number": 1, "kind": Kind.MESSAGE}
    first, second = [row for row in record.find(What.AUDIT, **mine) if row.get("sender")][-2:]
    first["seq"], second["seq"] = second["seq"], first["seq"]


def gap(record: Record) -> None:
    """A place is missing from the history, and nobody ever saw it."""
    place = {key: bot_dialog(record)[key] for key in ("contact", "number")}
    answer = record.one(What.AUDIT, **place, author="bot")
    for row in record.find(What.ENTRY, **place, seq=answer["seq"]):
        record.drop(row)
    record.drop(answer)


def shown_backwards(record: Record) -> None:
    """A screen was shown a later entry first."""
    talk = bot_dialog(record)
    first, second = record.find(What.ENTRY, contact=talk["contact"], number=talk["number"], who=talk["sender"])[:2]
    first["done"], second["done"] = second["done"], first["done"]


def skipped_on_a_screen(record: Record) -> None:
    """A screen was not shown an entry between two others."""
    rows = record.find(What.ENTRY, who="o2", contact=owned_entry(record)["contact"], number=1)
    accepted = record.one(What.ACCEPT, who="o2", contact=rows[0]["contact"])["seq"]
    record.drop(next(row for row in rows if row["seq"] > accepted and row["kind"] == Kind.MESSAGE))


def overtook_itself(record: Record) -> None:
    """A sender's message stands before one that it had sent and seen acknowledged earlier."""
    sender = bot_dialog(record)["sender"]
    first, second = record.find(What.SEND, sender=sender)[:2]
    for name in ("intended", "started", "done"):
        first[name], second[name] = second[name], first[name]


def provider_took_them_backwards(record: Record) -> None:
    """Two replies reached the messenger in the wrong order."""
    contact = record.one(What.ATTEMPT, outcome=Outcome.OK)["contact"]
    first, second = record.find(What.ATTEMPT, outcome=Outcome.OK, contact=contact)[:2]
    for name in ("started", "done"):
        first[name], second[name] = second[name], first[name]


def leak_to_operator(record: Record) -> None:
    """An operator was shown an entry of a dialog that it never owned."""
    record.add(owned_entry(record), who="o1")


def leak_after_release(record: Record) -> None:
    """An operator was shown an entry after the one that ended its ownership."""
    released = record.one(What.AUDIT, kind=Kind.RELEASED)
    later = record.one(What.ENTRY, contact=released["contact"], number=released["number"], seq=released["seq"] + 1)
    record.add(later, who=released["author"])


def leak_after_transfer(record: Record) -> None:
    """An operator was shown an entry of a dialog that it had sent on."""
    moved = record.find(What.AUDIT, kind=Kind.TRANSFERRED)
    place, sender = next(
        ({"contact": row["contact"], "number": row["number"], "seq": row["seq"] + 2}, row["author"])
        for row in moved
        if not record.find(What.ACCEPT, contact=row["contact"], number=row["number"], who="o2")[1:]
    )
    later = record.one(What.AUDIT, **place)
    record.add(later, what=What.ENTRY, who=sender, epoch=1, done=record.one(What.FAULT)["started"] - 20 * MS)


def read_without_owning(record: Record) -> None:
    """An operator read a contact's history under somebody else's assignment."""
    accept, other = record.one(What.ACCEPT, who="o1", outcome=Outcome.OK), record.one(What.HISTORY)
    record.add(other, who="o2", assignment=accept["assignment"])


def leak_before_acceptance(record: Record) -> None:
    """An operator was shown an entry before it asked to accept."""
    accept = record.one(What.ACCEPT, who="o2", outcome=Outcome.OK)
    entry = record.one(What.ENTRY, who="o2", contact=accept["contact"], number=accept["number"], seq=1)
    entry["done"] = accept["started"] - MS


def leak_to_customer(record: Record) -> None:
    """A customer was shown an entry of another contact."""
    talk = bot_dialog(record)
    other = next(
        row for row in record.find(What.CONNECT, channel=1) if row.get("contact", talk["contact"]) != talk["contact"]
    )
    record.add(record.one(What.ENTRY, contact=talk["contact"]), who=other["who"])


def read_shrank(record: Record) -> None:
    """A read shows less than was acknowledged before it began."""
    read = record.one(What.HISTORY, number=1)
    read["seq"] -= 2
    read["size"] -= 2


def read_with_a_hole(record: Record) -> None:
    """A read goes up to the last entry, and lacks one."""
    record.one(What.HISTORY)["size"] -= 1


def handed_over_in_part(record: Record) -> None:
    """An operator accepted a dialog and was not shown all that came before."""
    accept = next(row for row in record.find(What.ACCEPT, outcome=Outcome.OK) if row["channel"] == 1)
    place = {"contact": accept["contact"], "number": accept["number"]}
    record.drop(record.one(What.ENTRY, **place, who=accept["who"], seq=2))


def shown_and_gone(record: Record) -> None:
    """A screen showed an entry that the final history does not have."""
    shown = record.find(What.ENTRY, who="p1")[-1]
    record.add(shown, kind=Kind.CLOSED, seq=shown["seq"] + 1, cause_seq=-1, rule="", author="", done=shown["done"] + MS)


def two_at_once(record: Record) -> None:
    """A contact's next dialog began before the last one closed."""
    opened = record.one(What.AUDIT, number=2)
    closed = record.one(What.AUDIT, contact=opened["contact"], number=1, kind=Kind.CLOSED)
    record.drop(opened)
    record.rows.insert(next(n for n, row in enumerate(record.rows) if row is closed), opened)


def after_closing(record: Record) -> None:
    """An entry stands after the closing of its dialog."""
    closed = record.one(What.AUDIT, kind=Kind.CLOSED)
    record.add(closed, kind=Kind.QUEUED, seq=closed["seq"] + 1, author="", reason="")


def two_open_in_the_end(record: Record) -> None:
    """The platform's state has two open dialogs of one contact."""
    record.add(record.one(What.STATE), number=2)


def two_owners(record: Record) -> None:
    """A second operator accepted, and no release lies between."""
    for row in (*record.find(What.AUDIT, kind=Kind.RELEASED), *record.find(What.ENTRY, kind=Kind.RELEASED)):
        row["kind"] = Kind.QUEUED


def past_the_slots(record: Record) -> None:
    """An operator that had one slot held two dialogs."""
    for row in record.find(What.PRESENCE, who="o2"):
        row["size"] = 1


def beside_a_call(record: Record) -> None:
    """A dialog that takes all slots was accepted beside others."""
    for offer in record.find(What.OFFER, who="o2"):
        offer["size"] = 0


def without_the_skill(record: Record) -> None:
    """A dialog was offered to an operator who lacks what it asks for."""
    record.one(What.OFFER, who="o2")["rule"] = "mortgages"


def without_the_language(record: Record) -> None:
    """A dialog was offered to an operator who does not speak its language."""
    record.one(What.OFFER, who="o2")["author"] = "kk"


def outside_the_department(record: Record) -> None:
    """A dialog was sent on, and offered to somebody who is not of that department."""
    for row in record.find(What.PRESENCE):
        row["sender"] = "general"


def overtaken_by_another_kind(record: Record) -> None:
    """A dialog was overtaken by one that asked for a skill, at an operator who may take both."""
    overtaken(record)
    for offer in first_offers(record)[1:2]:
        offer["rule"] = "loans"


def overtaken(record: Record) -> None:
    """Of two dialogs in the queue the later one was offered first."""
    waiting = first_offers(record)
    early, late = next(pairwise(waiting))
    early["place"], late["place"] = late["place"], early["place"]


def first_offers(record: Record) -> list[Row]:
    """Offers of dialogs that were offered once."""
    offers = record.find(What.OFFER)
    names = [(row["contact"], row["number"]) for row in offers]
    return [row for row, name in zip(offers, names, strict=True) if names.count(name) == 1]


def left_waiting(record: Record) -> None:
    """A dialog waited over a second while an operator was free."""
    sent = record.one(What.SEND, who="telegram", sender="c2", counter=1)
    for name in ("intended", "started", "done"):
        sent[name] -= 1500 * MS


def nowhere(record: Record) -> None:
    """A dialog is neither closed nor in the platform's state."""
    record.drop(record.one(What.STATE))


def orphan(record: Record) -> None:
    """A dialog is with an operator who is not there."""
    record.one(What.STATE).update(reason="assigned", author="o2", outcome=Outcome.REJECTED)


def closed_and_open(record: Record) -> None:
    """A closed dialog is open in the platform's state."""
    closed = record.one(What.AUDIT, kind=Kind.CLOSED)
    record.add(record.one(What.STATE), contact=closed["contact"], number=closed["number"])


def edit_lost(record: Record) -> None:
    """New words of a message were acknowledged, and are not in the final history."""
    sent = record.one(What.SEND, kind=Kind.EDITED)
    record.add(sent, counter=sent["counter"], cursor=2, started=sent["done"] + MS, done=sent["done"] + 2 * MS)


def edit_of_nobody(record: Record) -> None:
    """A message has new words that nobody sent."""
    for row in record.find(What.SEND, kind=Kind.EDITED):
        record.drop(row)


def edit_twice(record: Record) -> None:
    """New words stand in the history twice."""
    edited = record.one(What.AUDIT, kind=Kind.EDITED)
    last = record.find(What.AUDIT, contact=edited["contact"], number=edited["number"])[-1]
    record.add(edited, seq=last["seq"] + 1)
    for read in record.find(What.HISTORY, contact=edited["contact"]):
        record.drop(read)


def edited_in_place(record: Record) -> None:
    """A message's own words gave way to the new ones."""
    edited = record.one(What.AUDIT, kind=Kind.EDITED)
    record.one(What.AUDIT, kind=Kind.MESSAGE, sender=edited["sender"], counter=edited["counter"])["cursor"] = 1


def never_settled(record: Record) -> None:
    """A reply is neither sent nor failed."""
    record.drop(record.one(What.AUDIT_RECEIPT))


def attachment_damaged(record: Record) -> None:
    """A provider fetched what a reply names, and it was not whole."""
    taken = record.one(What.ATTEMPT, outcome=Outcome.OK)
    where = {name: taken[name] for name in ("who", "contact", "channel", "phase", "started", "done")}
    record.rows.append({"what": What.FETCH, "outcome": Outcome.REJECTED, "reason": "not whole", **where})


def claimed_delivered(record: Record) -> None:
    """A reply is called sent, and the provider never took it."""
    record.drop(record.one(What.ATTEMPT, outcome=Outcome.OK))


def sent_again(record: Record) -> None:
    """A reply went out again after the provider had taken it."""
    taken = record.one(What.ATTEMPT, outcome=Outcome.OK)
    record.add(taken, started=taken["done"] + MS, done=taken["done"] + MS, provider_id=888_888)


def out_of_nothing(record: Record) -> None:
    """The provider got an operator's message that was not acknowledged and is not in the history."""
    sent = record.one(What.SEND, who="o2", channel=3)
    record.add(sent, counter=900, outcome=Outcome.INDETERMINATE, seq=-1, number=-1, started=sent["done"] + 900 * MS)
    record.add(record.one(What.ATTEMPT, outcome=Outcome.OK), sender="o2", counter=900, contact=sent["contact"])


def sent_to_another_chat(record: Record) -> None:
    """A reply went to another customer's chat; that it did not reach its own is G11's, necessarily."""
    taken = record.one(What.ATTEMPT, outcome=Outcome.OK)
    taken["contact"] = next(row["contact"] for row in record.find(What.ATTEMPT) if row["contact"] != taken["contact"])


def dropped_at_night(record: Record) -> None:
    """With nobody on duty a message was neither stored nor refused."""
    record.manifest["scheduled"]["G12"] = True
    record.add(at_night(record), outcome=Outcome.INDETERMINATE)


def at_night(record: Record) -> Row:
    """A customer's message before anybody is on duty."""
    sent = record.one(What.SEND, who="telegram")
    return {**sent, "sender": "c900", "contact": "tg/u900", "started": T0 - 9000 * MS, "done": -1, "intended": -1}
