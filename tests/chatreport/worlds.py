"""A small honest platform on a virtual clock, and the record that a run against it would leave.

`play()` is a discrete-event simulation of a few dialogs over web, app and Telegram with a bot, operators, a queue,
lapsed offers, transfers, holds, edits, one operator who signs off, repeated webhooks, a resume, a rate limit, a notice
outside dialogs, and a final `kill -9`. It keeps what the guarantees promise, so its record must judge to `pass`; a test
then breaks one thing in it.
"""

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Any

from chatreport.rundir import Channel, Kind, Outcome, Phase, What
from tests.chatreport.ledgers import MS, T0, Record, Row, manifest
from tests.chatreport.talks import Talk, make_talk

TEAM = {"sender": "general,cards", "rule": "loans"}  # what every operator may take


class World:
    """The platform, its customers and its operators on one virtual clock."""

    def __init__(self, dialogs: int, operators: int, slots: int, ramp: int, seed: int) -> None:
        self.chance = Random(seed)
        self.rows: list[Row] = []
        self.log: list[Row] = []
        self.receipts: list[Row] = []
        self.now = T0 - 3000 * MS
        self.slots = slots
        self.free = {f"o{n}": slots for n in range(1, operators + 1)}
        self.counters = {operator: count(1) for operator in self.free}
        self.signed_off: set[str] = set()
        self.queue: list[Talk] = []
        self.places, self.assignments, self.provider_ids = count(1), count(1), count(7000)
        self.held: dict[str, list[Talk]] = {operator: [] for operator in self.free}
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._ticks = count()
        self.probe = Talk(0, "web", "web/probe1", Phase.MAIN, 0, 0, True, 0)
        self.talks = [make_talk(self.chance, index) for index in range(-ramp, dialogs)]
        for talk in self.talks[ramp : ramp + dialogs // 6]:
            talk.returns = make_talk(self.chance, dialogs + talk.index, talk)
        self.talks += [talk.returns for talk in self.talks if talk.returns]

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, delay_ms: float, act: Callable[[], None]) -> None:
        """Do something later."""
        stretch = 1.0 if delay_ms < 10 or delay_ms > 1000 else 0.5 + self.chance.random()
        heapq.heappush(self._heap, (self.now + int(delay_ms * stretch * MS), next(self._ticks), act))

    def play(self, until_ms: int) -> None:
        """Play everything."""
        for operator in self.free:
            self.seat(operator)
        for talk in self.talks:
            if talk.number > 1:
                continue
            self.at(3000 + talk.index * (40 if talk.index >= 0 else 300), partial(self.open, talk))
        for n in range(1, 9):
            self.at(3000 + n * 100, partial(self.probe_once, n))
            self.put(What.MIRROR, started=T0 + n * 50 * MS, done=T0 + n * 50 * MS + MS // 10, who="fleet")
        self.at(3500, lambda: self.sign_off("o1"))
        while self._heap:
            self.now, _, act = heapq.heappop(self._heap)
            act()
        self.now = max(self.now, T0 + until_ms * MS)

    def put(self, what: What, outcome: Outcome = Outcome.NONE, **values: Any) -> Row:
        """Record a row."""
        row = {"what": what, "outcome": outcome, **values}
        self.rows.append(row)
        return row

    def of(self, talk: Talk, who: str) -> Row:
        """What rows about a dialog have in common."""
        return {
            "who": who, "contact": talk.contact, "number": talk.number, "assignment": talk.assignment,
            "channel": Channel[talk.channel.upper()], "phase": talk.phase,
        }  # fmt: skip

    # ── seats ────────────────────────────────────────────────────────────────────────────────────────────────────

    def seat(self, operator: str) -> None:
        """An operator logs in."""
        start, done = self.now, self.now + MS
        self.put(What.CONNECT, Outcome.OK, who=operator, intended=start, started=start, done=done, epoch=1)
        self.put(What.PRESENCE, Outcome.OK, who=operator, reason="online", done=done, size=self.slots, **TEAM)

    def sign_off(self, operator: str) -> None:
        """An operator leaves; its dialogs go back to their old places."""
        self.signed_off.add(operator)
        self.put(What.PRESENCE, Outcome.OK, who=operator, reason="offline", done=self.now, size=self.slots, **TEAM)
        for talk in list(self.held[operator]):
            self.held[operator].remove(talk)
            if talk.owner != operator:
                self.put(What.WITHDRAWN, done=self.now + MS, epoch=1, **self.of(talk, operator))
                self.wait(talk)
                continue
            entry = self.store(talk, Kind.RELEASED, author=operator, assignment=talk.assignment, reason="signed_off")
            self.show(talk, entry, operator)
            talk.owner = ""
            self.wait(talk)
        self.serve()

    # ── the platform ─────────────────────────────────────────────────────────────────────────────────────────────

    def store(self, talk: Talk, kind: Kind, **values: Any) -> Row:
        """Give an entry its place."""
        entry = {
            "kind": kind, "contact": talk.contact, "number": talk.number, "seq": len(talk.entries) + 1,
            "channel": Channel[talk.channel.upper()], **values,
        }  # fmt: skip
        talk.entries.append(entry)
        self.log.append(entry)
        return entry

    def show(self, talk: Talk, entry: Row, *others: str) -> None:
        """Show an entry to the customer, unless on a messenger or its own, to the owner and to others."""
        people = {talk.owner, *others} - {"", entry.get("sender")}
        if talk.channel != "telegram" and entry.get("sender") != talk.who and talk.index >= 0:
            people.add(talk.who)
        for who in sorted(people):
            epoch = 1 if who.startswith("o") else talk.epoch
            self.put(What.ENTRY, who=who, done=self.now + MS, epoch=epoch, phase=talk.phase, **entry)

    def enqueue(self, talk: Talk) -> None:
        """Put a dialog into the queue."""
        talk.place = next(self.places)
        self.show(talk, self.store(talk, Kind.QUEUED))
        self.wait(talk)
        self.serve()

    def wait(self, talk: Talk) -> None:
        """Stand in the queue at its place, as long as the customer's patience lasts."""
        self.queue.append(talk)
        self.at(talk.patience_ms, partial(self.give_up, talk))

    def serve(self) -> None:
        """Offer the dialog in front to whoever is free."""
        while self.queue:
            ready = [who for who in self.free if len(self.held[who]) < self.slots and who not in self.signed_off]
            if not ready:
                return
            talk = min(self.queue, key=lambda each: each.place)
            self.queue.remove(talk)
            self.offer(talk, min(ready, key=lambda who: (who == talk.sent_on_by, len(self.held[who]), int(who[1:]))))

    def offer(self, talk: Talk, operator: str) -> None:
        """Offer; the operator accepts, or lets it lapse if it is that dialog's turn to test it."""
        talk.assignment = next(self.assignments)
        self.held[operator].append(talk)
        common = self.of(talk, operator) | {"epoch": 1}
        self.put(What.OFFER, done=self.now + MS, place=talk.place, priority=1, size=1, reason=talk.department, **common)
        lapses, talk.lapse_once = talk.lapse_once, False
        self.at(3, (lambda: self.lapse(talk, common)) if lapses else (lambda: self.accept(talk, common)))

    def lapse(self, talk: Talk, common: Row) -> None:
        """The offer was not taken in time, unless it was withdrawn before."""
        if not self.stands(talk, common):
            return
        self.held[common["who"]].remove(talk)
        self.put(What.WITHDRAWN, done=self.now + MS, **common)
        if not talk.closed:
            self.wait(talk)
            self.serve()

    def stands(self, talk: Talk, common: Row) -> bool:
        """Whether this offer has been neither taken back nor made again."""
        return talk in self.held[common["who"]] and talk.assignment == common["assignment"]

    def accept(self, talk: Talk, common: Row) -> None:
        """The operator takes the dialog, or comes too late."""
        operator, start, done = common["who"], self.now, self.now + MS
        if talk.closed or not self.stands(talk, common):
            self.put(What.ACCEPT, Outcome.REJECTED, started=start, done=done, reason="withdrawn", **common)
            return
        talk.owner = operator
        entry = self.store(talk, Kind.ASSIGNED, author=operator, assignment=common["assignment"])
        self.put(What.ACCEPT, Outcome.OK, started=start, done=done, seq=entry["seq"], **common)
        for earlier in talk.entries[:-1]:
            self.put(What.ENTRY, who=operator, done=done, epoch=1, phase=talk.phase, **earlier)
        self.show(talk, entry)
        if self.unanswered(talk):
            self.at(10, partial(self.reply, talk, operator))
        elif talk.sent >= talk.turns:
            self.at(10, partial(self.finish, talk, operator))

    def give_up(self, talk: Talk) -> None:
        """The customer leaves if it still waits."""
        if talk in self.queue:
            self.queue.remove(talk)
            self.close(talk, "customer", Outcome.ABANDONED)

    def close(self, talk: Talk, reason: str, outcome: Outcome) -> None:
        """End a dialog and read its history once more."""
        talk.closed = True
        entry = self.store(talk, Kind.CLOSED, author=talk.owner or "customer", reason=reason)
        self.show(talk, entry)
        if talk.owner:
            ends = {"started": self.now, "done": self.now + MS}
            self.put(What.CLOSE, Outcome.OK, **ends, **self.of(talk, talk.owner))
            self.held[talk.owner].remove(talk)
        talk.outcome, talk.ended = outcome, self.now + MS
        self.at(5, partial(self.read, talk))
        if talk.returns:
            self.at(30, partial(self.open, talk.returns))
        self.serve()

    def read(self, talk: Talk) -> None:
        """The customer reads the history."""
        found = [entry for entry in self.log if entry["contact"] == talk.contact]
        times = {"started": self.now, "done": self.now + 2 * MS}
        where = self.of(talk, talk.who) | {"number": found[-1]["number"], "seq": found[-1]["seq"], "assignment": -1}
        self.put(What.HISTORY, Outcome.OK, size=len(found), cursor=-1, **times, **where)

    # ── customers and operators ──────────────────────────────────────────────────────────────────────────────────

    def open(self, talk: Talk) -> None:
        """The customer connects and writes."""
        talk.started = self.now
        if talk.channel != "telegram":
            self.connect(What.CONNECT, talk)
        self.at(2, lambda: self.write(talk))

    def connect(self, what: What, talk: Talk) -> None:
        """Dial, or dial again."""
        self.put(
            what, Outcome.OK, who=talk.who, contact=talk.contact, channel=Channel[talk.channel.upper()],
            phase=talk.phase, epoch=talk.epoch, intended=self.now, started=self.now, done=self.now + MS,
        )  # fmt: skip

    def write(self, talk: Talk) -> None:
        """The customer's next message; the platform answers by bot, queue or operator."""
        if talk.closed:
            return
        talk.sent += 1
        entry = self.send(talk, talk.who, talk.sent)
        self.show(talk, entry)
        if talk.edits:
            self.edit(talk, talk.sent)
        if talk.owner:
            self.at(12, partial(self.reply, talk, talk.owner))
        elif talk.sent <= talk.bot_turns:
            self.answer(talk, entry)
        elif talk.place < 0:
            self.enqueue(talk)
        if talk.channel == "app" and talk.sent == 2:
            talk.epoch += 1
            self.connect(What.RESUME, talk)

    def send(self, talk: Talk, sender: str, counter: int, **values: Any) -> Row:
        """Store a message and acknowledge it; a messenger's first webhook of two is not answered in time."""
        author = "customer" if sender == talk.who else sender
        entry = self.store(talk, Kind.MESSAGE, sender=sender, counter=counter, author=author)
        row = {
            "who": sender, "contact": talk.contact, "sender": sender, "counter": counter, "plan": talk.index,
            "channel": Channel[talk.channel.upper()], "phase": talk.phase, "intended": self.now, "started": self.now,
            "done": self.now + MS, "size": 40, "attempt": 1, **values,
        }  # fmt: skip
        if sender.startswith("c") and talk.channel == "telegram":
            row |= {"who": "telegram", "provider_id": 100 + counter}
            if counter == 2:
                self.put(What.SEND, Outcome.INDETERMINATE, **row)
                row |= {"attempt": 2, "started": self.now + 2 * MS, "done": self.now + 3 * MS, "intended": -1}
        else:
            row |= {"epoch": 1 if sender.startswith("o") else talk.epoch, "number": talk.number, "seq": entry["seq"]}
        self.put(What.SEND, Outcome.OK, **row)
        return entry

    def answer(self, talk: Talk, cause: Row) -> None:
        """The bot answers, and the customer goes on, or is content."""
        entry = self.store(talk, Kind.MESSAGE, author="bot", cause_seq=cause["seq"], rule="bot:balance")
        self.show(talk, entry)
        if talk.contained and talk.sent == talk.bot_turns:
            self.at(15, lambda: self.close(talk, "customer", Outcome.COMPLETED))
        else:
            self.at(15, lambda: self.write(talk))

    def reply(self, talk: Talk, operator: str) -> None:
        """The operator answers; after the last answer it closes."""
        if talk.owner != operator or talk.closed or not self.unanswered(talk):
            return
        if talk.sends_on:
            self.send_on(talk, operator)
            return
        for kind in (Kind.HELD, Kind.RESUMED) if talk.holds else ():
            self.show(talk, self.store(talk, kind, author=operator, assignment=talk.assignment))
        talk.holds = False
        counter = next(self.counters[operator])
        entry = self.send(talk, operator, counter, assignment=talk.assignment)
        self.show(talk, entry)
        if talk.channel == "telegram":
            self.deliver(talk, entry, limited=talk.sent == 1)
        if talk.sent >= talk.turns:
            self.at(10, partial(self.finish, talk, operator))
        else:
            self.at(20, lambda: self.write(talk))

    def send_on(self, talk: Talk, operator: str) -> None:
        """The operator transfers the dialog to another department, where it keeps its place."""
        talk.sends_on, talk.department, talk.sent_on_by = False, "cards", operator
        common = {"author": operator, "assignment": talk.assignment}
        self.show(talk, self.store(talk, Kind.TRANSFERRED, reason="cards", **common))
        self.show(talk, self.store(talk, Kind.RELEASED, reason="transferred", **common))
        self.held[operator].remove(talk)
        talk.owner = ""
        self.wait(talk)
        self.serve()

    def edit(self, talk: Talk, counter: int) -> None:
        """The customer gives a message new words."""
        talk.edits = False
        words: Row = {"kind": Kind.EDITED, "sender": talk.who, "counter": counter, "cursor": 1}
        self.show(talk, self.store(talk, author="customer", **words))
        times = {"intended": -1, "started": self.now + 3 * MS, "done": self.now + 4 * MS, "attempt": 1}
        where = self.of(talk, "telegram") | {"number": -1, "assignment": -1, "plan": talk.index}
        self.put(What.SEND, Outcome.OK, **words, **times, **where)

    def unanswered(self, talk: Talk) -> bool:
        """Whether the last message is the customer's."""
        last = [entry for entry in talk.entries if entry["kind"] == Kind.MESSAGE][-1]
        return bool(last["author"] == "customer")

    def finish(self, talk: Talk, operator: str) -> None:
        """The operator closes what it still owns."""
        if talk.owner == operator and not talk.closed:
            self.close(talk, "operator", Outcome.COMPLETED)

    def deliver(self, talk: Talk, entry: Row, *, limited: bool) -> None:
        """A reply on its way to the messenger; the first one meets the rate limit once."""
        common = {"who": "telegram", "contact": talk.contact, "channel": Channel.TELEGRAM, "phase": talk.phase}
        common |= {"sender": entry["sender"], "counter": entry["counter"]}
        start = self.now + MS
        if limited:
            self.put(What.ATTEMPT, Outcome.REJECTED, started=start, done=start, reason="429", attempt=1, **common)
            start += MS
        provider_id = next(self.provider_ids)
        ok = {"started": start, "done": start, "provider_id": provider_id, "attempt": 1 + limited}
        self.put(What.ATTEMPT, Outcome.OK, **ok, **common)
        told = {"contact": talk.contact, "number": talk.number, "seq": entry["seq"], "provider_id": provider_id}
        told |= {"reason": "sent", "channel": Channel.TELEGRAM}
        self.put(What.RECEIPT, who=talk.owner, done=start + MS, phase=talk.phase, **told)
        self.receipts.append(told)

    def probe_once(self, n: int) -> None:
        """An open-loop probe and the bot's answer to it."""
        entry = self.store(self.probe, Kind.MESSAGE, sender="p1", counter=n, author="customer")
        answer = self.store(self.probe, Kind.MESSAGE, author="bot", cause_seq=entry["seq"], rule="bot:balance")
        common: Row = {"who": "p1", "contact": "web/probe1", "channel": Channel.WEB, "phase": Phase.MAIN, "number": 1}
        times = {"intended": self.now, "started": self.now, "done": self.now + MS}
        asked = common | times | {"sender": "p1", "counter": n, "epoch": 1}
        self.put(What.SEND, Outcome.OK, seq=entry["seq"], attempt=1, **asked)
        self.put(What.PROBE, Outcome.OK, **asked)
        self.put(What.ENTRY, **{**answer, **common, "done": self.now + MS, "epoch": 1})


def play(dialogs: int = 18, operators: int = 2, slots: int = 2, ramp: int = 2, seed: int = 26) -> Record:
    """The record of an honest run."""
    world = World(dialogs, operators, slots, ramp, seed)
    world.play(until_ms=2000)
    for talk in world.talks:
        world.put(
            What.DIALOG, talk.outcome, who=talk.who, contact=talk.contact, plan=talk.index, phase=talk.phase,
            channel=Channel[talk.channel.upper()], number=talk.number, intended=talk.started, started=talk.started,
            done=talk.ended,
        )  # fmt: skip
    for operator in sorted(set(world.free) - world.signed_off):
        world.put(What.PRESENCE, Outcome.OK, who=operator, reason="offline", done=world.now, size=slots, **TEAM)
    world.put(What.FAULT, who="suite", reason="kill", started=world.now + 10 * MS, done=world.now + 10 * MS)
    for entry in world.log:
        world.put(What.AUDIT, who="auditor", **entry)
    for receipt in world.receipts:
        world.put(What.AUDIT_RECEIPT, who="auditor", **receipt)
    world.put(What.STATE, who="auditor", contact="web/probe1", number=1, reason="bot")
    main = sum(talk.index >= 0 for talk in world.talks)
    return Record(world.rows, manifest(world.now, main, ramp, operators))
