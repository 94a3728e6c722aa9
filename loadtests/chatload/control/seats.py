"""Locust's users: one is one operator's seat."""

import heapq
from typing import ClassVar, Final, Protocol

from locust import User, constant, task
from locust.env import Environment

FOREVER_S: Final = 10**9


class Desk(Protocol):
    """Who gives out seats."""

    def take_seat(self) -> int:
        """Log the lowest free seat on; its number."""

    def leave_seat(self, number: int) -> None:
        """Log a seat off; the next user takes it again."""


class OperatorSeat(User):
    """One operator of the floor: logged on while this user exists."""

    desks: ClassVar[dict[Environment, Desk]] = {}
    wait_time = constant(FOREVER_S)
    number = 0

    def on_start(self) -> None:
        """Log on."""
        self.number = self.desks[self.environment].take_seat()

    def on_stop(self) -> None:
        """Log off."""
        self.desks[self.environment].leave_seat(self.number)

    @task
    def sit(self) -> None:
        """Nothing: the fleet does an operator's work; this user only waits, so that Locust can stop it at once."""


class Numbers:
    """The seats of worker `index` of `count`: index + 1, and every count-th after it, the lowest free one first."""

    def __init__(self, index: int = 0, count: int = 1) -> None:
        self._next, self._step = index + 1, count
        self._free: list[int] = []

    def take(self) -> int:
        """A seat that nobody has."""
        if self._free:
            return heapq.heappop(self._free)
        number, self._next = self._next, self._next + self._step
        return number

    def leave(self, number: int) -> None:
        """Nobody has it any more."""
        heapq.heappush(self._free, number)
