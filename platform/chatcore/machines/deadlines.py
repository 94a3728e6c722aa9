"""When to look at a contact again: for its earliest deadline once, however often that is put off."""

from collections.abc import Callable

from chatcore.machines.contacts import Contact, Contacts


class Deadlines:
    """Asks `at(deadline_ms, contact)` for a call of `fallen` then; those at rest have none."""

    def __init__(self, contacts: Contacts, at: Callable[[int, int], object]) -> None:
        self._contacts = contacts
        self._at = at
        self._armed: dict[int, int] = {}  # contact → the earliest deadline that was asked for

    def arm(self, contact: int, deadline_ms: int) -> None:
        """Look at the contact then, unless that happens earlier anyway."""
        armed_ms = self._armed.get(contact)
        if armed_ms is None or deadline_ms < armed_ms:
            self._armed[contact] = deadline_ms
            self._at(deadline_ms, contact)

    def fallen(self, number: int, now_ms: int) -> Contact | None:
        """The contact if a deadline of its has come; one that was put off is asked for anew."""
        if self._armed.get(number, now_ms) > now_ms:
            return None  # asked for before an earlier one was, which has armed the next
        self._armed.pop(number, None)
        contact = self._contacts.active.get(number)
        if contact is None or not contact.deadline:
            return None
        if contact.deadline > now_ms:
            self.arm(number, contact.deadline)
            return None
        return contact
