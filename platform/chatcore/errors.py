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


class Unauthorized(Exception):
    """A token is missing, wrong, expired, or of another role: the peer's fault."""


class BadFrame(Exception):
    """A frame or body that cannot be understood: the peer's fault."""
