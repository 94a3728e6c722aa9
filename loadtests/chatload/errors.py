"""What can go wrong on the load side, split by fault; a message says what, where and what to do."""

from pathlib import Path


class ChatloadError(Exception):
    """Base of every error; the command line prints it as one line."""

    exit_code = 2


class BadInput(ChatloadError):
    """The user asked for something that cannot be done."""


class UnknownScenario(BadInput):
    """No scenario has this name."""

    def __init__(self, name: str, nearest: str | None, known: list[str]) -> None:
        hint = f'did you mean "{nearest}"?' if nearest else f"there are: {', '.join(known)}"
        super().__init__(f'no scenario "{name}"; {hint} (or give the path of a TOML file)')
        self.name = name
        self.nearest = nearest


class BadScenario(BadInput):
    """A scenario file cannot be used.

    `key` is the dotted key (empty: the file as a whole), `value` what stands there, `nearest` the nearest valid key.
    """

    def __init__(self, path: Path, key: str, value: object, what: str, nearest: str | None = None) -> None:
        where = f"{path}: {key} = {_short(value)}" if key else f"{path}"
        super().__init__(f"{where}: {what}" + (f'; the nearest valid key is "{nearest}"' if nearest else ""))
        self.path = path
        self.key = key
        self.value = value
        self.nearest = nearest


class BadOption(BadInput):
    """A command line option has an impossible value."""

    def __init__(self, option: str, value: object, what: str) -> None:
        super().__init__(f"{option} {value}: {what}")
        self.option = option
        self.value = value


class PortTaken(BadInput):
    """Another process listens where the core was asked to."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken; leave --port out for a free one, or stop what listens there")
        self.port = port


class TooFewFiles(BadInput):
    """The limit of open file descriptors does not carry the planned sockets."""

    def __init__(self, needed: int, limit: int, operators: int, dialogs: int) -> None:
        super().__init__(
            f"{operators} operators and about {dialogs} open dialogs need {needed} open files a process, the limit"
            f" is {limit}; raise it (ulimit -Hn {needed}, or LimitNOFILE=), or lower --load or --operators"
        )
        self.needed = needed
        self.limit = limit


class TooFewWorkers(BadInput):
    """Fewer workers have come than the run was told to wait for."""

    def __init__(self, ready: int, expected: int) -> None:
        super().__init__(f"{ready} of {expected} workers are ready; start the others first, or expect fewer")
        self.ready = ready
        self.expected = expected


class CoreRefused(BadInput):
    """The core will not start with what it was given, such as the data of a newer one; `why` is its own line."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the core does not start: {why}")


class RunDirectoryTaken(BadInput):
    """The directory for the run exists and holds something."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"--out {path}: not empty; name a new directory, or leave --out out")
        self.path = path


class GeneratorFailed(ChatloadError):
    """The load side itself broke: the run proves nothing about the target."""

    exit_code = 3


class Interrupted(ChatloadError):
    """The user ended the run before it began."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted before the run began; nothing was recorded")


class TargetFailed(ChatloadError):
    """The target did not come up, or did not answer its administrator."""

    exit_code = 3


def _short(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
