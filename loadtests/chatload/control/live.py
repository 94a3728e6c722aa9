"""What the run looks like while it runs. Nothing is judged here: messages without an answer yet are *unconfirmed*."""

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

PLAIN_EVERY_S: Final = 5.0
RATE_OVER: Final = 5  # reports


class LiveView:
    """A line of gauges once a second on a terminal, and every few seconds elsewhere.

    `show` takes the gauges summed over the workers; without `gauges` only notes are shown. The
    view never starts a thread.
    """

    def __init__(
        self,
        total_s: float,
        stream: TextIO | None = None,
        *,
        gauges: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console(file=stream or sys.stderr)
        self._gauges, self._clock = gauges, clock
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True) if self._console.is_terminal else None
        )
        self._total_s = total_s
        self._recent: deque[tuple[float, float]] = deque(maxlen=RATE_OVER)
        self._plain_s = clock() - PLAIN_EVERY_S
        self.title = "starting"

    def start(self, title: str) -> None:
        """Take the last lines of the terminal."""
        self.title = title
        if self._live and self._gauges:
            self._live.start()

    def note(self, text: str) -> None:
        """A lasting line above the gauges."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, elapsed_s: float, gauges: dict[str, float]) -> None:
        """Draw the gauges of now; `elapsed_s` counts from t0."""
        if not self._gauges:
            return
        now_s = self._clock()
        self._recent.append((now_s, gauges.get("messages", 0)))
        (since_s, before), (_, messages) = self._recent[0], self._recent[-1]
        cells = {
            "time": f"{elapsed_s:.0f} / {self._total_s:.0f} s" if elapsed_s >= 0 else f"ramp, {-elapsed_s:.0f} s left",
            "dialogs open": f"{gauges.get('open', 0):,.0f}",
            "waiting": f"{gauges.get('waiting', 0):,.0f}",
            "messages/s": f"{(messages - before) / (now_s - since_s):,.0f}" if now_s > since_s else "–",
            "delivery p99": f"{gauges.get('deliver_p99_ms', 0):.1f} ms",
            "unconfirmed": f"{gauges.get('unconfirmed', 0):,.0f}",
            "operators": f"{gauges.get('seats', 0):,.0f}",
            "started": f"{gauges.get('started', 0):,.0f} of {gauges.get('planned', 0):,.0f}",
        }
        if self._live:
            self._live.update(self._table(cells), refresh=True)
        elif now_s - self._plain_s >= PLAIN_EVERY_S:
            self._plain_s = now_s
            self.note(f"{self.title}: " + ", ".join(f"{name} {value}" for name, value in cells.items()))

    def stop(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()

    def _table(self, cells: dict[str, Any]) -> Table:
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for name in cells:
            table.add_column(name, justify="right")
        table.add_row(*cells.values())
        return table
