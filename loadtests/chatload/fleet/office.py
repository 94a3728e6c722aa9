"""What seats reach the platform through, on a wire or in a simulation."""

from collections.abc import Callable
from typing import NamedTuple

from chatload.fleet.history import Reads
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.link import Party, Wire
from chatload.fleet.uploads import Stores


class Office(NamedTuple):
    """The seats' connections, the reading of histories, and where attachments are stored."""

    dial: Callable[[Actor, Party, str, Subject], Wire]
    history: Reads
    uploads: Stores
