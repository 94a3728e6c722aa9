"""Which operators the target knows: the administrator adds them before they log on, also while it runs."""

from typing import Final

from gevent.lock import RLock

from chatload.targets import Target

AT_ONCE: Final = 50  # who is added seat by seat, on Locust's page, is not asked for one by one


class Staffing:
    """The operators of a run, by the numbers of their seats; safe to call from several greenlets."""

    def __init__(self) -> None:
        self._known = 0
        self._adding = RLock()

    def add(self, target: Target, most: int) -> None:
        """Have the target know the operators up to this number.

        Raises:
            TargetFailed: it did not take them.
        """
        with self._adding:
            if most > self._known:
                target.add_operators(list(range(self._known + 1, most + 1)))
                self._known = most

    def seat(self, target: Target, number: int) -> None:
        """Have it know this one; `TargetFailed` as from `add`."""
        with self._adding:
            if number > self._known:
                self.add(target, number + AT_ONCE - 1)
