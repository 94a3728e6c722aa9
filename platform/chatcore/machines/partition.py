"""The state of one dialog log."""

import msgspec

from chatcore.machines import commands as c
from chatcore.machines.contacts import Contact, Contacts, Dump


class Partition:
    """The state of one dialog log: its contacts and how far each other log's commands were applied."""

    def __init__(self, rules: c.Rules) -> None:
        self.rules = rules
        self.now = 0
        self.contacts = Contacts()
        self.by_key = self.contacts.by_key
        self.applied: dict[str, int] = {}
        self.blocked: dict[int, str] = {}  # number → key of contacts whose messages are refused
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

    def dump(self) -> bytes:
        """The state as a snapshot; rules, indexes and contacts at rest are not part of it."""
        rest = self.applied, self.blocked, self.active, self.delivered
        return msgspec.msgpack.encode((self.now, self.contacts.dump(), *rest))

    def load(self, blob: bytes) -> None:
        """Take over the state that `dump` wrote."""
        state = msgspec.msgpack.decode(blob, type=_State)
        self.now, contacts, self.applied, self.blocked, self.active, self.delivered = state
        self.contacts.load(contacts)
        for contact in self.contacts.active.values():
            if contact.operator:
                self.held.setdefault(contact.operator, set()).add(contact.id)


_State = tuple[int, Dump, dict[str, int], dict[int, str], dict[str, int], dict[str, int]]
