"""Where the command line's words go."""

import sys


def say(text: str) -> None:
    """A line of what was asked for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """A line beside it, for whoever watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def complain(text: str) -> None:
    """What went wrong, in one line."""
    tell(f"error: {' '.join(text.split())}")
