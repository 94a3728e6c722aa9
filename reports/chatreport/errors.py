"""What can go wrong while judging, split by fault; a message says what, where and what to do."""

from pathlib import Path


class ReportError(Exception):
    """Base of every error a user may cause; the command line prints it as one line and ends with 2."""


class UnreadableRun(ReportError):
    """A run directory, or a file of it, cannot be read."""

    def __init__(self, path: Path, what: str, remedy: str) -> None:
        super().__init__(f"{path}: {what}; {remedy}")
        self.path = path
        self.what = what
        self.remedy = remedy


class BadObjective(ReportError):
    """An objective cannot be understood."""

    def __init__(self, text: str, what: str) -> None:
        super().__init__(f'objective "{text}": {what}; write it like "deliver_in p99 < 200 ms {{channel=telegram}}"')
        self.text = text
