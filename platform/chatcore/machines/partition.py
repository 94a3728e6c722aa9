"""The state of one dialog log."""

import msgspec

from chatcore.machines import commands as c
from chatcore.machines.contacts import Contact, Contacts, Dump, head


class Partition:
    """The state of one dialog log: its contacts and how far each other log's commands were applied."""

    def __init__(self, rules: c.Rules) -> None:
        self.rules = rules
        self.now = 0
        self.contacts = Contacts()
        self.by_key = self.contacts.by_key
        self.applied: dict[str, int] = {}
        self.blocked: set[int] = set()  # contacts whose messages are refused
        self.persons: dict[str, list[int]] = {}  # person → contacts that are bound to them
        self.active: dict[str, int] = {}  # "account month" → contacts whose customer wrote in it
        self.delivered: dict[str, int] = {}  # "account month" → notices that reached their customer in it
        self.held: dict[str, set[int]] = {}  # operator → contacts offered or assigned to them

    def contact(self, key: str) -> Contact:
        """The contact named `key`.

        Raises:
            Refused: nobody of that name has written yet.
        """
        found = self.by_key.get(key)
        if found is None:
            raise c.Refused("unknown_dialog")
        return found

    def dump(self) -> list[bytes]:
        """The state as a snapshot, in parts; rules and indexes are not part of it."""
        encode = msgspec.msgpack.encode
        rest = [
            encode(each) for each in (self.applied, sorted(self.blocked), self.persons, self.active, self.delivered)
        ]
        return [head(2 + len(rest)), encode(self.now), *self.contacts.dump(), *rest]

    def load(self, blob: bytes) -> None:
        """Take over the state that `dump` wrote."""
        state = msgspec.msgpack.decode(blob, type=_State)
        self.now, contacts, self.applied, self.blocked, self.persons, self.active, self.delivered = state
        self.contacts.load(contacts)
        for contact in self.contacts.active.values():
            if contact.operator:
                self.held.setdefault(contact.operator, set()).add(contact.id)


_State = tuple[int, Dump, dict[str, int], set[int], dict[str, list[int]], dict[str, int], dict[str, int]]
