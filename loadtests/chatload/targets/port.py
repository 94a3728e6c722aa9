"""What a target is to the suite: a way in for the fleet, an auditor, and where possible a saboteur."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

Verb = Literal["kill", "restart", "stop"]


class Fault(NamedTuple):
    """Something that was done to the system, or that it did to itself; monotonic nanoseconds."""

    verb: Verb
    started_ns: int
    done_ns: int


class Target(ABC):
    """A system under test. Verbs block until done; errors are `TargetFailed`.

    `observes` names the guarantees that its wire lets us see; the others are reported as not observable.
    `faults` holds what happened to it so far.
    """

    name: ClassVar[str]
    observes: ClassVar[tuple[str, ...]]
    can_restart: ClassVar[bool]

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    @abstractmethod
    def wire(self) -> dict[str, Any]:
        """What a fleet needs to be its customers, operators and providers; complete after `start`."""

    @abstractmethod
    def start(self, callbacks: Mapping[str, str]) -> None:
        """Bring it up and wait until it is ready; `callbacks`: where the provider of each messenger account listens."""

    @abstractmethod
    def add_operators(self, seats: list[int]) -> None:
        """Make these seats' operators known."""

    @abstractmethod
    def tend(self) -> None:
        """Called several times a second: start it again if it ended by itself."""

    @abstractmethod
    def kill(self) -> None:
        """Like a power cut: it ends without a chance to do anything."""

    @abstractmethod
    def restart(self) -> None:
        """Start it again on what it had stored, and wait until it is ready."""

    @abstractmethod
    def at_rest(self) -> bool:
        """Is nothing on its way in it, to messengers in particular? True if it cannot be asked."""

    @abstractmethod
    def auditor(self) -> dict[str, Any]:
        """What the auditor's process needs to read the final history and state."""

    @abstractmethod
    def processes(self) -> dict[str, int]:
        """Process ids to watch, by name; empty if it runs elsewhere."""

    @abstractmethod
    def stop(self) -> None:
        """End it and remove what it stored. May be called at any time, and twice."""
