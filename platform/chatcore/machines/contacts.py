"""A partition's contacts: one with something under way is a struct, one at rest the bytes that a snapshot holds.

A contact is kept for ever, but between two dialogs only its numbers and the ids of its messages are needed, and those
seldom. Packed it takes an eighth of the memory, the garbage collector does not see it, and a snapshot copies it.
"""

import zlib
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from chatcore.machines.events import OWNED, State

REST_MOST: Final = 500  # message ids; packing more at every closing would cost whoever closes dialogs all day
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


_encode = msgspec.msgpack.Encoder().encode
_contact = msgspec.msgpack.Decoder(Contact).decode
_bytes = msgspec.msgpack.Decoder(bytes).decode


def _pack(contact: Contact) -> bytes:
    """Compressed, and encoded as bytes once more, so that a snapshot is joined of such pieces."""
    return _encode(zlib.compress(_encode(contact), zlib.Z_BEST_SPEED))


def _unpack(packed: bytes) -> Contact:
    return _contact(zlib.decompress(_bytes(packed)))


def head(count: int) -> bytes:
    """The first byte of an encoded array of `count`, which is below 16."""
    return bytes((0x90 + count,))


_ACTIVE: Final = _encode(b"")


_MANY: Final = b"\xdd"  # … of as many as the next four bytes say
Dump = tuple[int, list[str], list[Contact], list[bytes]]


class Contacts:
    """All contacts by number, from 1 on. One at rest is read as a copy; only `wake` gives what may be changed."""

    def __init__(self) -> None:
        self.active: dict[int, Contact] = {}
        self.numbers: dict[str, int] = {}  # by key; in order, as numbers are given
        self.by_key = ByKey(self)
        self.dialogs = 0  # opened so far, by all contacts
        self._packed: list[bytes] = [_ACTIVE]  # by number

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers.values())

    def __getitem__(self, number: int) -> Contact:
        return self.active.get(number) or _unpack(self._packed[number])

    def awake(self, key: str) -> Contact | None:
        """The contact of this key, unless it is at rest; that takes no unpacking."""
        return self.active.get(self.numbers.get(key, 0))

    def add(self, contact: Contact) -> None:
        """Take in a new contact; its number is the next."""
        self._packed.append(_ACTIVE)
        self.numbers[contact.key] = contact.id
        self.active[contact.id] = contact

    def wake(self, number: int) -> Contact:
        """A contact at rest, as active from now on until `rest`."""
        contact = self.active[number] = _unpack(self._packed[number])
        self._packed[number] = _ACTIVE
        return contact

    def rest(self, contact: Contact) -> None:
        """Pack an active contact."""
        del self.active[contact.id]
        self._packed[contact.id] = _pack(contact)

    def dump(self) -> list[bytes]:
        """An encoded `Dump`, in parts; what is packed is not copied."""
        active = list(self.active.values())
        first = [head(4), _encode(self.dialogs), _encode(list(self.numbers)), _encode(active)]
        return [*first, _MANY + len(self._packed).to_bytes(4, "big"), *self._packed]

    def load(self, dump: Dump) -> None:
        """Take over what `dump` gave."""
        self.dialogs, keys, active, packed = dump
        self.numbers = {key: number for number, key in enumerate(keys, 1)}
        self.active = {contact.id: contact for contact in active}
        self._packed = [_encode(each) for each in packed]


class ByKey:
    """The same contacts by key."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def __len__(self) -> int:
        return len(self._contacts.numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._contacts.numbers)

    def __getitem__(self, key: str) -> Contact:
        return self._contacts[self._contacts.numbers[key]]

    def get(self, key: str) -> Contact | None:
        """The contact of this key, if there is one."""
        number = self._contacts.numbers.get(key)
        return None if number is None else self._contacts.active.get(number) or self._contacts[number]
