"""The bank's own service and its mails, without a wire: whose an account is, what a person has, and codes."""

from functools import partial
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.binding import hashed
from chatload.draws import Draws, Purpose
from chatload.fleet.bank import Books
from chatload.fleet.world import World
from chatload.simulate.installation import Installation, Thread

DIGITS: Final = 6
NOBODYS: Final = "-"  # no text has this hash


class Service:
    """Answers from the fleet's own books; who asks and mails too often is of the wire, and not kept from it here."""

    def __init__(self, world: World, installation: Installation) -> None:
        self._clock = world.clock
        self._books = Books(world)
        self._draws = Draws(world.plan.scenario.seed)
        self._core = installation

    def answer(self, thread: Thread, asked: e.AccountNamed | e.OperationAsked) -> None:
        """Answer next, after all that is under way."""
        if isinstance(asked, e.AccountNamed):
            named = next(entry.text for entry in thread.entries if entry.seq == asked.seq)
            self._clock.soon(partial(self._issue, asked, named))
        else:
            person = self._core.dialogs.by_key[thread.key].person
            self._clock.soon(partial(self._tell, asked, person))

    def _issue(self, asked: e.AccountNamed, text: str) -> None:
        """Mail a code to the account's owner; for an account of nobody's there is one that nobody is told."""
        now_ns, place = self._clock.now_ns(), (asked.contact, asked.number, asked.seq)
        person = self._books.owner(text, now_ns)
        if not person:
            self._core.ask(c.IssueCode(*place, "", "", NOBODYS))
            return
        point = self._draws.uniform(Purpose.CODE, int(person[1:]), asked.number)
        code = f"{int(point * 10**DIGITS):0{DIGITS}}"
        self._core.ask(c.IssueCode(*place, person, "", hashed("", code)))
        self._books.mailed(person, code, now_ns)

    def _tell(self, asked: e.OperationAsked, person: str) -> None:
        """Say what a person has."""
        text = self._books.balance(person, self._clock.now_ns())
        self._core.ask(c.Tell(asked.contact, asked.number, asked.seq, text))
