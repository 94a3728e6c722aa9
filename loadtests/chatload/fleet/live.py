"""Messages on their way between the two sides of a dialog, for the live view only; the ledger is what gets judged."""

from chatload.fleet.tally import NAMES, Tally

Key = tuple[str, int]  # sender and counter


class Sent:
    """One message not yet seen on the other side."""

    __slots__ = ("acknowledged", "intended_ns")

    def __init__(self, intended_ns: int) -> None:
        self.intended_ns = intended_ns
        self.acknowledged = False


class Live:
    """Delivery times and the number of unconfirmed messages, for dialogs whose customer is played by this worker.

    Unconfirmed: acknowledged to a customer who has an owner, and not yet on the owner's screen.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._dialogs: dict[int, dict[Key, Sent]] = {}
        self._methods: dict[int, str] = {}
        self._queued: dict[int, int] = {}
        self._absent: dict[int, int] = {}

    def begin(self, index: int, channel: int) -> None:
        """Follow this dialog's messages."""
        self._dialogs[index] = {}
        self._methods[index] = NAMES[channel]

    def end(self, index: int) -> None:
        """Forget this dialog."""
        self.answered(index)
        self._dialogs.pop(index, None)
        self._methods.pop(index, None)
        self._queued.pop(index, None)
        self._absent.pop(index, None)

    def absent(self, index: int, until_ns: int) -> None:
        """The customer is away: what is sent to them meanwhile is not a matter of delivery times."""
        self._absent[index] = until_ns

    def queued(self, index: int, stamp_ns: int) -> None:
        """The customer entered the queue."""
        self._queued[index] = stamp_ns

    def offered(self, index: int, stamp_ns: int, free_ns: int) -> None:
        """A seat that had room since `free_ns` was offered this dialog."""
        queued_ns = self._queued.pop(index, None)
        if queued_ns is not None:
            self._tally.add("assign", self._methods[index], max(0, stamp_ns - max(queued_ns, free_ns)))

    def sent(self, index: int, sender: str, counter: int, intended_ns: int) -> None:
        """A message was sent that the other side should see at once."""
        dialog = self._dialogs.get(index)
        if dialog is not None and (sender[0] == "c" or intended_ns >= self._absent.get(index, 0)):
            dialog[sender, counter] = Sent(intended_ns)

    def acknowledged(self, index: int, sender: str, counter: int) -> None:
        """A customer's message was acknowledged."""
        sent = self._dialogs.get(index, {}).get((sender, counter))
        if sent is not None and not sent.acknowledged:
            sent.acknowledged = True
            self._tally.unconfirmed += 1

    def seen(self, index: int, sender: str, counter: int, stamp_ns: int) -> None:
        """The other side saw the message; a second sight counts no more."""
        sent = self._dialogs.get(index, {}).pop((sender, counter), None)
        if sent is None:
            return
        self._tally.unconfirmed -= sent.acknowledged
        name = "deliver_in" if sender[0] == "c" else "deliver_out"
        self._tally.add(name, self._methods[index], stamp_ns - sent.intended_ns)

    def answered(self, index: int) -> None:
        """An operator answered, so has seen what came before, even if another worker plays that seat."""
        dialog = self._dialogs.get(index, {})
        for key in [key for key in dialog if key[0][0] == "c"]:
            self._tally.unconfirmed -= dialog.pop(key).acknowledged
