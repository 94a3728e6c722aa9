"""A partition's contacts: one with something under way is a struct, one at rest some bytes, which soon leave memory.

A contact is kept for ever, but between two dialogs only its numbers and the ids of its messages are needed, and those
seldom. Packed it takes an eighth of the memory; once a snapshot has stored it, it takes none.
"""

import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

import msgspec

from chatcore.machines.events import OWNED, State

REST_MOST: Final = 500  # message ids; packing more at every closing would cost whoever closes dialogs all day
READ_MOST: Final = 100
OPEN: Final = frozenset((State.BOT, State.QUEUED, State.OFFERED)) | OWNED
OVER: Final = frozenset((State.CLOSED, State.RATED))
AT_REST: Final = OVER | {State.NONE}


class Seen(msgspec.Struct, array_like=True, gc=False):
    """Where a message id stands: its dialog and seq, its content's digest, when it was taken, and its last edit."""

    number: int
    seq: int
    digest: int
    at: int
    revision: int = 0


class Unsettled(msgspec.Struct, array_like=True, gc=False):
    """An outbound message whose end is not known yet, and the last attempt that was logged."""

    number: int
    seq: int
    attempt: int


class Tracked(msgspec.Struct, array_like=True, gc=False):
    """A reply that its provider took, and may tell more of; `posted` is when it left, in wall ms."""

    provider_id: str
    number: int
    seq: int
    posted: int
    state: str = "sent"


class Binding(msgspec.Struct, array_like=True):
    """How far a contact's binding to a person has come in dialog `number`; `locked`: it cannot begin before."""

    stage: str = ""  # account: it is to be named | code: it is to be typed
    number: int = 0
    seq: int = 0  # of the message that names the account
    person: str = ""
    salt: str = ""
    hash: str = ""  # "" until the bank has said who it is, and mailed a code
    expires: int = 0
    wrong: int = 0
    locked: int = 0

    def waits_for(self, number: int, seq: int) -> bool:
        """Whether the bank has yet to say whose account that message names."""
        return self.stage == "code" and not self.hash and (self.number, self.seq) == (number, seq)


class Phone(msgspec.Struct, array_like=True):
    """The calls of a dialog by phone. Without any, it is a call-back: the exchange dials for whoever accepts it."""

    calls: list[str] = []  # that ring or are connected, the newest last
    answered: str = ""
    ordered: str = ""  # the call that the last order concerns; "" if that is to dial, until the exchange names the call
    order: int = 0  # seq of that order
    operator: str = ""  # for whom it is
    dialled: str = ""  # the call that the exchange dialled


class Contact(msgspec.Struct, array_like=True):
    """One external user on one channel account, and the dialog they are in. Holds no message text."""

    id: int
    key: str
    messenger: bool
    number: int = 0
    state: State = State.NONE
    seq: int = 0
    assignment: int = 0  # the newest number the floor gave; older ones open nothing
    operator: str = ""  # to whom it is offered or assigned
    owned_since: int = 0  # seq of the assignment in force
    previous: str = ""  # who owned a dialog of this contact last
    misses: int = 0
    deadline: int = 0
    seen: dict[str, Seen] = {}
    unsettled: list[Unsettled] = []
    receipts: bool = False  # whether its messenger tells what became of a message after taking it
    tracked: list[Tracked] = []
    early: dict[str, list[tuple[str, str, str]]] = {}  # receipts by id from before `Sent`: state, reason, through
    windowed: bool = False  # … and takes free texts only for a while after the customer's last message
    heard: int = 0  # when that was
    month: int = 0  # … and in which month
    consent: bool = False
    notices: int = 0
    person: str = ""  # whom it is bound to
    binding: Binding = msgspec.field(default_factory=Binding)
    operation_at: tuple[int, int] = (0, 0)  # dialog and seq of what the bank is to do for them
    operation: str = ""  # which operation that is
    unfetched: list[tuple[int, int, int]] = []  # attachments whose bytes are not here yet: dialog, seq, index
    internal: dict[int, str] = {}  # dialogs that only this department may see
    asked: int = 0  # the message about which the bank's bot is being asked
    menu: str = ""  # where in the menu the customer is
    rate_until: int = 0
    scale: int = 0

    phone: Phone | None = None  # of the dialogs of a phone account

    @property
    def callback(self) -> bool:
        """Whether it waits to be called back."""
        return self.phone is not None and not self.phone.calls and self.state in (State.QUEUED, State.OFFERED)

    @property
    def dialog(self) -> str:
        """The current dialog's id on the wire."""
        return f"{self.key}#{self.number}"

    def hidden(self, departments: Collection[str]) -> set[int]:
        """The dialogs that operators of these departments may not see, because they are another one's own."""
        return {number for number, department in self.internal.items() if department not in departments}

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that it can be packed: no dialog is open, and replies and fetching ended."""
        if self.state not in AT_REST:
            return False
        return not self.unsettled and not self.unfetched and len(self.seen) <= REST_MOST


class Resting(NamedTuple):
    """A contact at rest, as it is stored: its number, its key, the person it is bound to, and its packed bytes."""

    number: int
    key: str
    person: str
    packed: bytes


class Shelf(Protocol):
    """Where contacts at rest are that have left memory."""

    def piece(self, name: int | str) -> bytes | None:
        """The packed bytes of the contact of this number or key, if it was stored."""

    def group(self, name: str) -> list[int]:
        """The numbers of the contacts that were stored as bound to this person."""


class NoShelf:
    """Nothing was stored."""

    def piece(self, name: int | str) -> bytes | None:
        """See Shelf.piece."""
        return None

    def group(self, name: str) -> list[int]:
        """See Shelf.group."""
        return []


_encode = msgspec.msgpack.Encoder().encode
_contact = msgspec.msgpack.Decoder(Contact).decode


def _pack(contact: Contact) -> bytes:
    return zlib.compress(_encode(contact), zlib.Z_BEST_SPEED)


def _unpack(packed: bytes) -> Contact:
    return _contact(zlib.decompress(packed))


Dump = tuple[int, int, list[Contact]]


class Contacts:
    """All contacts by number, from 1 on. One at rest is read as a copy; only `wake` gives what may be changed.

    In memory are the active ones and those that came to rest since they were stored; the others stand on the `shelf`.
    """

    def __init__(self) -> None:
        self.active: dict[int, Contact] = {}
        self.by_key = ByKey(self)
        self.dialogs = 0  # opened so far, by all contacts
        self.shelf: Shelf = NoShelf()
        self._count = 0
        self._packed: dict[int, Resting] = {}  # by number; not stored yet as they are
        self._numbers: dict[str, int] = {}  # of those in memory
        self._persons: dict[str, set[int]] = {}  # … by whom they are bound to
        self._read: dict[int | str, bytes | None] = {}  # what was asked of the shelf last

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._count + 1))

    def __getitem__(self, number: int) -> Contact:
        found = self.active.get(number)
        if found is None:
            resting = self._packed.get(number)
            packed = resting.packed if resting is not None else self._stored(number)
            if packed is None:
                raise KeyError(number)
            found = _unpack(packed)
        return found

    def _stored(self, name: int | str) -> bytes | None:
        """What stands on the shelf; the last answers are kept, because one message asks several times."""
        if name not in self._read:
            if len(self._read) >= READ_MOST:
                self._read.clear()
            self._read[name] = self.shelf.piece(name)
        return self._read[name]

    def find(self, key: str) -> Contact | None:
        """The contact of this key, if there is one."""
        number = self._numbers.get(key)
        if number is not None:
            return self[number]
        packed = self._stored(key)
        if packed is None:
            return None
        contact = _unpack(packed)
        self._read[contact.id] = packed
        return contact

    def awake(self, key: str) -> Contact | None:
        """The contact of this key, unless it is at rest; that takes no unpacking."""
        return self.active.get(self._numbers.get(key, 0))

    def of_person(self, person: str) -> list[int]:
        """The contacts that are bound to this person, in order."""
        stored = (number for number in self.shelf.group(person) if not self._in_memory(number))
        return sorted({*self._persons.get(person, ()), *stored})

    def _in_memory(self, number: int) -> bool:
        return number in self.active or number in self._packed

    def add(self, contact: Contact) -> None:
        """Take in a new contact; its number is the next."""
        self._count += 1
        self._read.pop(contact.key, None)
        self._enter(contact)

    def _enter(self, contact: Contact) -> None:
        self._numbers[contact.key] = contact.id
        self.active[contact.id] = contact
        if contact.person:
            self._persons.setdefault(contact.person, set()).add(contact.id)

    def bind(self, contact: Contact, person: str) -> None:
        """Bind an active contact to a person."""
        self._unbind(contact.id, contact.person)
        contact.person = person
        self._enter(contact)

    def _unbind(self, number: int, person: str) -> None:
        bound = self._persons.get(person, set())
        bound.discard(number)
        if not bound:
            self._persons.pop(person, None)

    def wake(self, number: int) -> Contact:
        """A contact at rest, as active from now on until `rest`."""
        contact = self[number]
        self._packed.pop(number, None)
        for name in (number, contact.key):
            self._read.pop(name, None)
        self._enter(contact)
        return contact

    def rest(self, contact: Contact) -> None:
        """Pack an active contact."""
        del self.active[contact.id]
        self._packed[contact.id] = Resting(contact.id, contact.key, contact.person, _pack(contact))

    def unstored(self) -> list[Resting]:
        """Those at rest that are to be stored with the next snapshot."""
        return list(self._packed.values())

    def leave(self, stored: Iterable[Resting]) -> None:
        """Forget those that were stored, unless they have been woken since: they stand on the shelf."""
        for each in stored:
            if self._packed.get(each.number) is each:
                del self._packed[each.number], self._numbers[each.key]
                self._unbind(each.number, each.person)

    def dump(self) -> Dump:
        """All but the contacts at rest."""
        return self._count, self.dialogs, list(self.active.values())

    def load(self, dump: Dump) -> None:
        """Take over what `dump` gave, and leave the others on the shelf."""
        self._count, self.dialogs, active = dump
        for contact in active:
            self._enter(contact)


class ByKey:
    """The same contacts by key."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def __getitem__(self, key: str) -> Contact:
        found = self._contacts.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: str) -> Contact | None:
        """The contact of this key, if there is one."""
        return self._contacts.awake(key) or self._contacts.find(key)
