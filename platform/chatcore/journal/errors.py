"""What can go wrong with a journal, by whose fault it is. Every message says what, where, and what to do."""


class JournalError(Exception):
    """The root of this package's errors."""


# The caller's fault.


class JournalMisuse(JournalError):
    """A verb was called in a way the port does not allow; a defect of the calling code."""


# Another writer's doing.


class StaleWriter(JournalError):
    """The append was refused because its writer is not, or no longer, the one whose state it builds on."""

    def __init__(self, log: str, epoch: int, expected_position: int, reason: str) -> None:
        super().__init__(
            f"log {log!r}: append after position {expected_position} under epoch {epoch} refused: {reason}; "
            "stop this writer, open the log again and recover"
        )
        self.log = log
        self.epoch = epoch
        self.expected_position = expected_position
        self.reason = reason


# The storage's fault.


class CommitFailed(JournalError):
    """A commit did not succeed, and whether it is on the disk is unknown; the process must exit and recover."""

    def __init__(self, where: str, cause: str) -> None:
        super().__init__(f"{where}: commit failed: {cause}; exit and start again to recover what was stored")
        self.where = where
        self.cause = cause


class SnapshotFailed(JournalError):
    """A snapshot could not be stored; the log is whole, and recovery replays more of it."""

    def __init__(self, where: str, cause: str) -> None:
        super().__init__(f"{where}: snapshot failed: {cause}; free space or check the folder's permissions")
        self.where = where
        self.cause = cause


class SnapshotUnreadable(JournalError):
    """A piece of a snapshot cannot be read; the process must exit and recover."""

    def __init__(self, where: str, cause: str) -> None:
        super().__init__(f"{where}: cannot be read: {cause}; start again, and what is damaged is made from the log")
        self.where = where
        self.cause = cause


class JournalDamaged(JournalError):
    """What is stored cannot be what was written."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: damaged: {what}; restore the folder from a copy, or start with an empty one")
        self.where = where
        self.what = what


class JournalTooNew(JournalError):
    """The journal was written by a newer version of this program."""

    def __init__(self, where: str, found: int, known: int) -> None:
        super().__init__(f"{where}: journal format {found}, newest known {known}; start a chatcore at least as new")
        self.where = where
        self.found = found
        self.known = known


class JournalUnreachable(JournalError):
    """The journal's files can not be created, opened or locked."""

    def __init__(self, where: str, cause: str) -> None:
        super().__init__(f"{where}: cannot be opened: {cause}; check the path, its permissions and its free space")
        self.where = where
        self.cause = cause
