"""Both machines under delayed, repeated and interrupted deliveries: G3, G4, G7, G8, G9 and G10 always hold."""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines import floor
from chatcore.machines.events import Presence, State
from chatcore.machines.staff import eligible, fits
from tests.chatcore.replay import check_offers, slots_taken
from tests.chatcore.replay_dialogs import check_calls, check_dialogs
from tests.chatcore.snapshots import Snapshots
from tests.chatcore.world import World

CONTACTS = st.integers(0, 4)
PHONES = st.integers(5, 6)
ANYBODY = st.integers(0, 6)
CALLS = st.sampled_from(["c1", "c2", "c3"])
TOLD = st.sampled_from(["ringing", "ringing", "answered", "abandoned", "finished", "unreached"])
OPERATORS = st.sampled_from(["o1", "o2", "o3"])
STAFF = {
    "o1": e.Hired("o1", ("general",), 1),
    "o2": e.Hired("o2", ("general", "legal"), 2, ("loans",), ("kk",)),
    "o3": e.Hired("o3", ("general",), 1),
}
ASKED = st.sampled_from(
    [
        *[("general", 0, e.Wish())] * 4,
        ("general", -1, e.Wish()),
        ("general", 0, e.Wish(skill="loans")),
        ("general", 0, e.Wish(language="kk")),
        ("general", 0, e.Wish(weight=2)),
        ("general", 0, e.Wish(weight=e.ALL_SLOTS)),
        *[("legal", 0, e.Wish())] * 4,
    ]
)
Asked = tuple[str, int, e.Wish]
ORDINARY: Asked = ("general", 0, e.Wish())
ACTS = st.sampled_from(["accept", "reply", "close", "hold", "resume", "transfer", "transfer"])
TO = st.sampled_from([("o1", ""), ("o2", ""), ("o3", ""), *[("", "general")] * 2, ("", "legal")])
SKILL = st.sampled_from(["", "loans"])


class Installation(Snapshots):
    """Customers, operators, time, commits, deliveries and crashes in any order that hypothesis thinks of."""

    def __init__(self) -> None:
        super().__init__(World(partitions=2))
        self.said: list[tuple[int, str, str, str]] = []  # partition, contact, id, text
        self.acked: dict[tuple[int, str, str], tuple[int, int]] = {}

    @initialize()
    def staff(self) -> None:
        self.world.ask_floor(c.Hire(list(STAFF.values())))
        for name in STAFF:
            self.world.ask_floor(c.SetPresence(name, Presence.ONLINE))
        self.world.commit("floor")

    # --- customers -------------------------------------------------------------------------------------------------

    def _receive(
        self, index: int, contact: str, message_id: str, text: str, choice: c.Choice | None, asked: Asked = ORDINARY
    ) -> None:
        department, priority, wish = asked
        messenger = contact == "web/u3"
        said = message_id, hash(text), text, choice
        self.world.ask(index, c.Receive(contact, messenger, department, *said, priority=priority, wish=wish))

    @rule()
    def provider_answers(self) -> None:
        known = self.world.partitions[1].by_key.get("web/u3")
        if known and known.unsettled:
            self.world.ask(1, c.Settle(known.id, known.unsettled[0].number, known.unsettled[0].seq, "77"))

    @rule(who=CONTACTS, bot=st.sampled_from(["none", "answer", "miss", "handover"]), asked=ASKED)
    def customer_writes(self, who: int, bot: str, asked: Asked) -> None:
        index, contact = who % 2, f"web/u{who}"
        message_id = f"m{len(self.said)}"
        choice = None if bot == "none" else c.Choice(bot, f"bot:{bot}", "…")
        if self._blocked(index, contact):
            before = len(self.world.logs[f"dialogs-{index}"].records)
            assert refused(lambda: self._receive(index, contact, message_id, message_id, choice, asked)) == "blocked"
            assert len(self.world.logs[f"dialogs-{index}"].records) == before
            return
        self._receive(index, contact, message_id, message_id, choice, asked)
        self.said.append((index, contact, message_id, message_id))

    @rule(who=CONTACTS, asked=ASKED)
    def customer_is_offered(self, who: int, asked: Asked) -> None:
        """Straight to where the machines meet: a dialog waits, its offer is decided but perhaps not delivered."""
        self.customer_writes(who, "handover", asked)
        self.commit_and_deliver_all(f"dialogs-{who % 2}")

    def _blocked(self, index: int, contact: str) -> bool:
        return contact in self.world.partitions[index].blocked.values()

    @rule(who=CONTACTS, blocked=st.booleans())
    def supervisor_blocks_or_unblocks(self, who: int, blocked: bool) -> None:
        index, contact = who % 2, f"web/u{who}"
        known = self.world.partitions[index].by_key.get(contact)
        command = c.Block(contact, "s1") if blocked else c.Unblock(contact, "s1")
        if known is None:
            assert refused(lambda: self.world.ask(index, command)) == "unknown_dialog"
            return
        self.world.ask(index, command)
        assert self._blocked(index, contact) is blocked
        if blocked:
            assert self.world.partitions[index].by_key[contact].state is State.CLOSED

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def customer_repeats(self, data: st.DataObject) -> None:
        index, contact, message_id, text = data.draw(st.sampled_from(self.said))
        before = self._seen(index, contact, message_id)
        self._receive(index, contact, message_id, text, c.Choice("miss", "bot:miss", "…"))
        if before is not None:
            assert self._seen(index, contact, message_id) == before, "a repeat keeps its place"

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def customer_reuses_an_id(self, data: st.DataObject) -> None:
        index, contact, message_id, _ = data.draw(st.sampled_from(self.said))
        if self._seen(index, contact, message_id) is not None:
            refusal = refused(lambda: self._receive(index, contact, message_id, "other", None))
            assert refusal == "conflict"

    @rule(who=CONTACTS)
    def customer_leaves(self, who: int) -> None:
        refused(lambda: self.world.ask(who % 2, c.Leave(f"web/u{who}")))

    def _seen(self, index: int, contact: str, message_id: str) -> tuple[int, int] | None:
        known = self.world.partitions[index].by_key.get(contact)
        seen = known.seen.get(message_id) if known else None
        return (seen.number, seen.seq) if seen else None

    # --- calls -----------------------------------------------------------------------------------------------------

    @rule(who=PHONES, call=CALLS, told=TOLD, repeated=st.booleans())
    def exchange_tells(self, who: int, call: str, told: str, repeated: bool) -> None:
        """In any order, and of calls that nobody has heard of; what was told before changes nothing."""
        ring = c.Ring(key(who), call, told, self.world.now, "general", 0, e.Wish(weight=e.ALL_SLOTS))
        self.world.ask(who % 2, ring)
        if repeated:
            assert self.world.ask(who % 2, ring) == []

    @rule(who=PHONES, taken=st.booleans())
    def exchange_answers(self, who: int, taken: bool) -> None:
        """An order is carried out or not; a call that the exchange dials may have been told of before."""
        known = self.world.partitions[who % 2].by_key.get(key(who))
        if known and known.unsettled:
            place = known.id, known.unsettled[0].number, known.unsettled[0].seq
            self.world.ask(who % 2, c.Settle(*place, "c3") if taken else c.Settle(*place, reason="busy"))

    @rule(who=PHONES, call=CALLS, told=st.lists(TOLD, max_size=3), taken=st.booleans())
    def caller_is_served(self, who: int, call: str, told: list[str], taken: bool) -> None:
        """Straight to an operator who accepts; then the exchange tells more."""
        self.exchange_tells(who, call, "ringing", repeated=False)
        self.world.settle()
        self.operator_acts(who, "accept", ("", "general"), "")
        self.exchange_answers(who, taken)
        for state in told:
            self.exchange_tells(who, call, state, repeated=True)

    # --- operators -------------------------------------------------------------------------------------------------

    @rule(who=ANYBODY, operator=OPERATORS, number=st.integers(1, 12), act=ACTS)
    def operator_tries(self, who: int, operator: str, number: int, act: str) -> None:
        self._operate(who, operator, number, act)

    @rule(who=ANYBODY, act=ACTS, to=TO, skill=SKILL)
    def operator_acts(self, who: int, act: str, to: tuple[str, str], skill: str) -> None:
        known = self.world.partitions[who % 2].by_key.get(key(who))
        if known and known.operator:
            self._operate(who, known.operator, known.assignment, act, to, skill)

    @rule(who=CONTACTS, asked=ASKED, acts=st.lists(ACTS, max_size=3), to=TO, skill=SKILL, waits=st.booleans())
    def customer_is_served(
        self, who: int, asked: Asked, acts: list[str], to: tuple[str, str], skill: str, waits: bool
    ) -> None:
        """Straight to an owner: a dialog is accepted; what they do with it is not durable yet, or is and has time."""
        self.customer_writes(who, "handover", asked)
        self.world.settle()
        for act in ("accept", *acts):
            self.operator_acts(who, act, to, skill)
        if waits:
            self.world.settle()
            self.time_passes(4_500)
            self.settle()

    def _operate(
        self, who: int, operator: str, number: int, act: str, to: tuple[str, str] = ("", "general"), skill: str = ""
    ) -> None:
        contact = key(who)
        known = self.world.partitions[who % 2].by_key.get(contact)
        dialog = known.number if known else 1
        commands: dict[str, Any] = {
            "accept": c.Accept(contact, dialog, number, operator),
            "reply": c.Reply(contact, dialog, number, operator, f"r{len(self.said)}", 1, "…"),
            "close": c.Close(contact, dialog, number, operator),
            "hold": c.Hold(contact, dialog, number, operator, "…"),
            "resume": c.Resume(contact, dialog, number, operator),
            "transfer": c.Transfer(contact, dialog, number, operator, *to, skill),
        }
        owns = known is not None and (known.operator, known.assignment) == (operator, number)
        outcome = refused(lambda: self.world.ask(who % 2, commands[act]))
        assert owns or outcome is not None, "nobody acts on a dialog under a number that is not theirs"

    @rule(operator=OPERATORS, presence=st.sampled_from(Presence))
    def operator_says(self, operator: str, presence: Presence) -> None:
        self.world.ask_floor(c.SetPresence(operator, presence))

    @rule(operator=OPERATORS, slots=st.integers(1, 3), legal=st.booleans(), loans=st.booleans())
    def operator_changes(self, operator: str, slots: int, legal: bool, loans: bool) -> None:
        departments = ("general", "legal") if legal else ("general",)
        self.world.ask_floor(c.Hire([e.Hired(operator, departments, slots, ("loans",) if loans else ())]))

    @rule(operator=OPERATORS, found=st.booleans())
    def connection(self, operator: str, found: bool) -> None:
        self.world.ask_floor(c.FindSeat(operator) if found else c.LoseSeat(operator))

    # --- time, disk, links -----------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 1_000, 2_500, 4_500, 61_000]))
    def time_passes(self, ms: int) -> None:
        self.world.now += ms
        self.world.ask_floor(c.Elapse())
        for index, partition in enumerate(self.world.partitions):
            for contact in list(partition.contacts):
                self.world.ask(index, c.Remind(contact))

    @rule(log=st.sampled_from(["dialogs-0", "dialogs-1", "floor"]))
    def commit(self, log: str) -> None:
        self.world.commit(log)

    @rule(log=st.sampled_from(["dialogs-0", "dialogs-1", "floor"]), repeat=st.booleans())
    def deliver(self, log: str, repeat: bool) -> None:
        self.world.deliver(log, repeat)

    @rule(log=st.sampled_from(["dialogs-0", "dialogs-1", "floor"]))
    def commit_and_deliver_all(self, log: str) -> None:
        self.world.commit(log)
        while self.world.deliver(log):
            pass

    @rule(who=CONTACTS, overtaken=st.booleans())
    def snapshot_of_who_rests(self, who: int, overtaken: bool) -> None:
        """Straight to where a contact has left memory, or came back and rests again before it could."""
        self.customer_leaves(who)
        self.world.commit(f"dialogs-{who % 2}")
        self.world.snapshot(who % 2)
        if overtaken:
            self.customer_writes(who, "none", ORDINARY)
            self.customer_leaves(who)
        self.world.store(who % 2)

    @rule()
    def crash(self) -> None:
        self.world.crash()
        self.said = [said for said in self.said if self._seen(*said[:3]) is not None]

    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.world.ask_floor(c.Elapse())
        self.world.settle()
        self._nobody_left_waiting()

    # --- what must always hold -------------------------------------------------------------------------------------

    @invariant()
    def seq_is_dense_and_one_dialog_is_open(self) -> None:
        """G4: entries are numbered 1, 2, 3, …; G7: a dialog opens only after the one before it closed."""
        for name, log in self.world.logs.items():
            if name != "floor":
                check_dialogs(log.records)
                check_calls(log.records)

    @invariant()
    def ids_take_one_place(self) -> None:
        """G3: no message id stands at two places of a contact."""
        for name, log in self.world.logs.items():
            places = Counter(
                (event.contact, event.id)
                for record in log.records
                for event in record.events
                if isinstance(event, e.Said) and event.id
            )
            assert not [place for place, count in places.items() if count > 1], name

    @invariant()
    def used_counts_what_is_held(self) -> None:
        """G8: an operator's slots in use are those that the numbers in force take."""
        for operator in self.world.floor.operators.values():
            held = [a.place.wish.weight for a in self.world.floor.assignments.values() if a.operator == operator.id]
            assert operator.used == sum(slots_taken(weight, operator.slots) for weight in held)

    @invariant()
    def the_next_operator_is_the_one_that_everybody_looked_at_would_give(self) -> None:
        """The benches choose as a search through all operators does, also after a crash and a snapshot."""
        stored = floor.Floor(self.world.floor.rules)
        stored.load(self.world.floor.dump())
        for state in (self.world.floor, stored):
            for place in state.places.values():
                staff = [o for o in state.operators.values() if o.on_duty and fits(o, place.kind)]
                all_lapsed = all(o.id in place.lapsed for o in staff)
                free = [o for o in staff if o.used + slots_taken(place.wish.weight, o.slots) <= o.slots]
                willing = [o for o in free if all_lapsed or o.id not in place.lapsed]
                ranked = sorted((o.id != place.previous, o.used, o.idle_since, o.id) for o in willing)
                if not place.operator:
                    found = state.benches[place.kind].choose(place.previous, place.lapsed)
                    assert found == (ranked[0][-1] if ranked else None)
            assert sorted(place for queue in state.queues.values() for place in queue) == sorted(state.places.values())
            assert state.bound == {ref: place for ref, place in state.places.items() if place.operator}

    @invariant()
    def offers_are_fair(self) -> None:
        """G9: when a dialog is offered to an operator, nobody before it waits who could have been."""
        check_offers(self.world.logs["floor"].records)

    def _nobody_left_waiting(self) -> None:
        """G9 and G10, at rest: every open dialog is somewhere, and nobody waits while somebody is free."""
        state = self.world.floor
        queued = state.places.keys()
        for index, partition in enumerate(self.world.partitions):
            for contact in map(partition.contacts.__getitem__, partition.contacts):
                ref = e.Ref(index, contact.id, contact.number)
                match contact.state:
                    case State.QUEUED:
                        assert ref in queued
                    case State.OFFERED | State.ASSIGNED | State.ON_HOLD:
                        held = state.assignments[contact.assignment]
                        assert (held.operator, held.place.ref) == (contact.operator, ref)
                        assert state.operators[contact.operator].presence is not Presence.OFFLINE
                    case _:
                        assert ref not in queued
        for number, held in state.assignments.items():
            contact = self.world.partitions[held.place.ref.log].contacts[held.place.ref.contact]
            assert (contact.assignment, contact.operator) == (number, held.operator), "a slot that nobody frees"
            allowed = {"general", *state.operators[held.operator].departments}
            assert held.place.department in allowed, "an internal dialog with somebody of another department"
        for place in state.places.values():
            left = [o.id for o in state.operators.values() if eligible(o, place.kind) and o.id not in place.lapsed]
            assert not left, "waits beside somebody who could take it"
            assert not place.operator or place.until > self.world.now, "waits for one operator beyond its time"


def key(who: int) -> str:
    """The contact of a customer who writes, or of one who calls."""
    return f"web/u{who}" if who < 5 else f"ph/{who}"


def refused(act: Any) -> str | None:
    """The reason for which `act` was refused, or None."""
    try:
        act()
    except c.Refused as refusal:
        return refusal.reason
    return None


Installation.TestCase.settings = settings(max_examples=200, stateful_step_count=80)
TestInstallation = Installation.TestCase
