"""What happens in a contact's dialogs."""

from collections.abc import Iterable
from typing import Final

from chatcore.machines.events.base import Entry, Event, File, State, Wish


class Met(Event, tag=1):
    """A contact was seen for the first time and got its number."""

    contact: int
    key: str
    messenger: bool  # replies leave through a provider, so each must end sent or failed
    receipts: bool = False  # … which tells what became of them afterwards
    windowed: bool = False  # … and lets free texts pass only for a while after the customer's last message


class Opened(Event, tag=2):
    """Dialog `number` of the contact began."""

    contact: int
    number: int
    at: int


class Said(Entry, tag=3):
    """A message took a place. `author` is customer, bot, system or an operator's id.

    Automatic texts, which are those of bot and system, carry cause and rule.
    """

    author: str
    id: str
    digest: int
    text: str
    cause_seq: int
    rule: str
    deadline: int  # close the dialog as inactive at this time; 0 = it is not the customer's turn
    files: tuple[File, ...] = ()


class Missed(Event, tag=4):
    """The bot had no answer to the customer's last `in_a_row` texts; 0: now it had."""

    contact: int
    in_a_row: int


class Queued(Entry, tag=5):
    """The dialog asks for an operator of `department`; `internal`: others may not see it from now on.

    `reason` says why, where the customer did not ask for one.
    """

    department: str
    priority: int
    previous: str
    wish: Wish = Wish()
    internal: bool = False
    topic: str = ""
    reason: str = ""  # bot_slow | bot_broken | bot_wrong


class Offered(Event, tag=6):
    """The floor offers the dialog to `operator` under `assignment`; takes no seq."""

    contact: int
    number: int
    assignment: int
    operator: str
    department: str
    priority: int
    place: int
    at: int
    wish: Wish = Wish()
    callback: bool = False  # whose call was abandoned: accepting it dials


class OfferEnded(Event, tag=7):
    """The offer lapsed or was taken back before anybody accepted; the dialog waits at its old place."""

    contact: int
    number: int
    assignment: int
    operator: str
    at: int


class OfferRefused(Event, tag=8):
    """An offer came too late for this dialog: it had closed, or waits under a newer number."""

    contact: int
    assignment: int


class Assigned(Entry, tag=9):
    """`operator` accepted: the dialog's owner until `Released` or `Closed`."""

    assignment: int
    operator: str


class Released(Entry, tag=10):
    """The owner lost the dialog, or `Transferred` it just before; it waits at its old place."""

    assignment: int
    operator: str
    reason: str


class Closed(Entry, tag=11):
    """The dialog ended. `assignment` is the number it sets free, 0 if it held none.

    Until `rate_until` the customer may rate it from 1 to `scale`.
    """

    reason: str
    assignment: int
    operator: str
    was: State
    rate_until: int = 0
    scale: int = 0


class Transferred(Entry, tag=30):
    """The owner sends the dialog on; `Released` follows in the same record.

    `to_operator`, `department` and `skill` say who is asked for; "" = as before, and for `skill`: none.
    """

    assignment: int
    operator: str
    to_operator: str
    department: str
    skill: str
    internal: bool  # others than this department may not see the dialog from now on


class Held(Entry, tag=31):
    """The owner put the dialog on hold: it stays theirs, and the customer's silence does not count."""

    assignment: int
    operator: str


class Resumed(Entry, tag=32):
    """The owner took the dialog back from hold."""

    assignment: int
    operator: str
    deadline: int  # as in `Said`


class Edited(Entry, tag=40):
    """The customer changed the text of an earlier message, which stands at `of`; the old text stays where it was."""

    id: str
    digest: int
    text: str
    of: tuple[int, int]  # dialog and seq
    revision: int = 0  # an edit of a lower one is older than this


class Asked(Event, tag=45):
    """The bank's bot is asked about message `seq`; it has until `deadline`."""

    contact: int
    number: int
    seq: int
    deadline: int

    def about(self, record: Iterable[Event]) -> Said:
        """The message, of the same record."""
        return next(event for event in record if isinstance(event, Said) and event.seq == self.seq)


class MenuMoved(Event, tag=46):
    """Where in the menu the customer is now."""

    contact: int
    menu: str


class Rated(Event, tag=47):
    """The customer rated dialog `number` with `score` of `scale`; by the message `id`, or without one if that is "".

    It takes no seq: nothing follows a closing.
    """

    contact: int
    number: int
    at: int
    score: int
    scale: int
    id: str = ""
    digest: int = 0
    text: str = ""


class Reviewed(Event, tag=48):
    """`by` read dialog `number` and gave its quality a `score` from 1 to 5; the newest counts. It takes no seq."""

    contact: int
    number: int
    at: int
    by: str
    score: int
    comment: str


class Blocked(Event, tag=60):
    """Messages of the contact are refused from now on; `by` decided it."""

    contact: int
    by: str
    at: int


class Unblocked(Event, tag=61):
    """Messages of the contact are taken again; `by` decided it."""

    contact: int
    by: str
    at: int


ORDERS: Final = frozenset(("connecting", "dialling"))
"""The states of a call that are orders to the exchange."""


class Called(Entry, tag=90):
    """What became of a phone call of the dialog, or of the order to connect it.

    `state` is ringing, answered, abandoned, finished or unreached; or an order to the exchange, which ends as replies
    do: connecting `call` with `operator`, or dialling the customer for them, in which case `call` is not known yet.
    `operator` of what is no order is the dialog's owner, if it has one.
    """

    call: str
    state: str
    operator: str = ""


class CallNoted(Event, tag=91):
    """A call was told of that is none of the open dialog's; `state` is as in `Called`."""

    contact: int
    number: int
    seq: int
    call: str
    state: str
    at: int
