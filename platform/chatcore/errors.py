"""What can go wrong in the core, split by fault; a message says what, where and what to do."""

from pathlib import Path


class CoreError(Exception):
    """Base of the errors that end the process with one line."""


class BadConfig(CoreError):
    """The configuration cannot be used: the caller's fault."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}; see `python -m chatcore --help`")
        self.path = path


class PortTaken(CoreError):
    """The address to listen on is in use: the caller's fault."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is taken; stop what listens there, or choose another port (0 = any)")


class CannotListen(CoreError):
    """The address to listen on cannot be used: the caller's fault."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"{host}:{port} cannot be listened on ({why}); give an address of this machine")


class OtherPartitions(CoreError):
    """The data was written with another number of partitions: the caller's fault."""

    def __init__(self, partitions: int) -> None:
        super().__init__(
            f"partitions: {partitions} is not what the data was written with, and contacts stay where they are; "
            "give the old number, or an empty data folder"
        )


class Unauthorized(Exception):
    """A token is missing, wrong, expired, or on a socket of another role: the peer's fault."""


class Problem(Exception):
    """A REST call that is refused: the HTTP status, a stable code and a sentence; the peer's fault."""

    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


class BadFrame(Exception):
    """A frame or body that cannot be understood: the peer's fault."""
