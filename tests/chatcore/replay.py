"""The floor's log read by its own words, apart from the floor's code: the judge of the property-based tests."""

from dataclasses import dataclass, field

from chatcore.machines import events as e


def slots_taken(weight: int, slots: int) -> int:
    """What a dialog takes of so many slots: its weight, a call all of them, a heavy one no more than there are."""
    return slots if weight == e.ALL_SLOTS else min(weight, slots)


@dataclass
class Stand:
    """A dialog that asks for an operator, as the floor's log tells it."""

    rank: tuple[int, int]
    department: str
    wish: e.Wish
    operator: str = ""
    until: int = 0
    lapsed: set[str] = field(default_factory=set)

    def may_go_to(self, operator: e.Hired) -> bool:
        """Whether the operator may have it at all."""
        if self.operator:
            return operator.operator == self.operator and self.department in operator.departments
        wanted = {self.wish.skill, self.wish.language} - {""}
        return self.department in operator.departments and wanted <= {*operator.skills, *operator.languages}


class Replay:
    """The floor's log by its own words: who waited, who held what; each offer is looked past."""

    def __init__(self) -> None:
        self.staff: dict[str, e.Hired] = {}
        self.stands: dict[e.Ref, Stand] = {}
        self.waiting: set[e.Ref] = set()
        self.offers: dict[int, e.Offering] = {}  # every one, by number
        self.held: dict[str, set[int]] = {}  # operator → numbers in force

    def see(self, event: e.AnyEvent) -> None:
        """Follow an event, and check it if it is an offer."""
        match event:
            case e.Hired():
                self.staff[event.operator] = event
            case e.Waiting():
                self.stands[event.ref] = Stand((event.priority, event.place), event.department, event.wish)
                self.waiting.add(event.ref)
            case e.Gone():
                self.waiting.discard(event.ref)
                del self.stands[event.ref]
            case e.Unbound():
                self.stands[event.ref].operator = ""
            case e.Offering():
                self._offered(event)
            case e.Taken() | e.Freed() | e.Redirected():
                self._told(event, self.offers[event.number])

    def room(self, operator: e.Hired, weight: int) -> bool:
        """Whether a dialog of this weight finds its slots free with the operator."""
        weights = [self.offers[number].wish.weight for number in self.held.get(operator.operator, ())]
        if weights and (weight == e.ALL_SLOTS or e.ALL_SLOTS in weights):
            return False
        return sum(slots_taken(w, operator.slots) for w in (*weights, weight)) <= operator.slots

    def _offered(self, event: e.Offering) -> None:
        operator, mine = self.staff[event.operator], self.stands[event.ref]
        assert (event.priority, event.place) == mine.rank, "a place is kept"
        assert event.wish == mine.wish
        assert mine.may_go_to(operator), "it does not fit"
        assert self.room(operator, event.wish.weight), "more than their slots"
        self.waiting.remove(event.ref)
        before = (stand for ref, stand in self.stands.items() if ref in self.waiting and stand.rank < mine.rank)
        assert not [
            stand
            for stand in before
            if stand.may_go_to(operator)
            and operator.operator not in stand.lapsed
            and self.room(operator, stand.wish.weight)
        ], "overtaken"
        assert event.number > max(self.offers, default=0)
        self.offers[event.number] = event
        self.held.setdefault(event.operator, set()).add(event.number)

    def _told(self, event: e.Taken | e.Freed | e.Redirected, offer: e.Offering) -> None:
        stand = self.stands.get(offer.ref)
        if isinstance(event, e.Freed):
            self.held[offer.operator].remove(event.number)
        if stand is None:
            return
        match event:
            case e.Taken():
                stand.operator = ""
            case e.Redirected():
                stand.operator, stand.until, stand.lapsed = event.to_operator, event.until, {offer.operator}
                stand.department = event.department
                stand.wish = e.Wish(event.skill, stand.wish.language, stand.wish.weight)
            case e.Freed(requeue=True):
                stand.lapsed |= {offer.operator} if event.lapsed else set()
                stand.operator = "" if event.lapsed or stand.until <= event.at else stand.operator
                self.waiting.add(offer.ref)


def check_offers(records: list[e.Record]) -> None:
    """Nobody is overtaken, nobody gets what does not fit them or more than their slots, and places are kept."""
    replay = Replay()
    for event in (event for record in records for event in record.events):
        replay.see(event)
