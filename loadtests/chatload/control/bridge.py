"""Locust's events steer a run: its start and stop, its users, its tables, its exit code.

The same for `chatload run`, which has Locust in itself, and for `locust -f scenarios/locustfile.py`. One Locust user
is one operator's seat; the customers come from the plan.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.lock import RLock
from locust import stats
from locust.env import Environment

from chatload.console import complain, tell
from chatload.control import tables
from chatload.control.link import FLEET, FleetLink
from chatload.control.live import LiveView
from chatload.control.remote import Muster
from chatload.control.seats import Numbers, OperatorSeat
from chatload.errors import ChatloadError, TooFewWorkers
from chatload.run.conductor import Conductor
from chatload.run.crew import TICK_S, Open
from chatload.run.settings import Settings
from chatreport.errors import ReportError

LEAVES_WITHIN_S: Final = 5.0
SEATS_PER_S: Final = 100  # more, and Locust warns
NEVER_S: Final = 86_400  # longer than Locust takes to end


class Bridge:
    """Ties one Locust environment to one run at a time.

    `settings_for` makes the settings of the next run when it starts; `ends_locust`: Locust ends with the run.
    `live`: the terminal is ours for the gauges. With a `muster`, workers play; else this process has the one fleet.
    """

    def __init__(
        self,
        environment: Environment,
        settings_for: Callable[[int], Settings],
        *,
        ends_locust: bool,
        live: bool,
        fleet: Sequence[str] = FLEET,
        muster: Muster | None = None,
    ) -> None:
        self.exit_code = 0
        self._environment = environment
        self._settings_for = settings_for
        self._ends_locust, self._live = ends_locust, live
        self._fleet, self._muster = fleet, muster
        self._conductor: Conductor | None = None
        self._ending_conductor: Conductor | None = None
        self._conducting: gevent.Greenlet[..., None] | None = None
        self._concluding: gevent.Greenlet[..., None] | None = None
        self._numbers = Numbers()
        self._interrupts = 0
        self._stopping = False
        self._ready = Event()  # no run is being prepared
        self._ready.set()
        self._ending = RLock()
        OperatorSeat.desks[environment] = self
        events: Any = environment.events  # Locust's hooks are untyped
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    # Seats

    def take_seat(self) -> int:
        """Log the lowest free seat on; its number."""
        number = self._numbers.take()
        if self._conductor is not None:
            self._conductor.seat(number, True)
        return number

    def leave_seat(self, number: int) -> None:
        """Log a seat off; the next user takes it again."""
        self._numbers.leave(number)
        if self._conductor is not None:
            self._conductor.seat(number, False)

    def await_workers(self, count: int, within_s: float) -> bool:
        """Until so many are ready: true; false if the user gave up.

        Raises:
            TooFewWorkers: they are not, after so long.
        """
        deadline_s = time.monotonic() + within_s
        while (ready := len(self._runner().clients.ready)) < count and not self._interrupts:
            if time.monotonic() > deadline_s:
                raise TooFewWorkers(ready, count)
            gevent.sleep(TICK_S)
        return not self._interrupts

    def _own_fleet(self) -> Open:
        return lambda place, on_message, on_end: FleetLink(
            place.log, on_message, on_end, cpus=place.cpus, command=self._fleet
        )

    # The user's hand on it

    def catch(self, *signals: signal.Signals) -> None:
        """Have these signals interrupt the run."""
        for number in signals:
            gevent.signal_handler(number, self.interrupt)

    def interrupt(self) -> None:
        """The first time: judge what there is. The second time: end at once."""
        self._interrupts += 1
        if self._interrupts > 1:
            for conductor in filter(None, (self._conductor, self._ending_conductor)):
                conductor.kill_all()
            os._exit(130)
        tell("interrupted: what was recorded will be judged as partial; once more ends at once")
        self.exit_code = 130
        if self._conductor is not None:
            self._conductor.interrupt()
        gevent.spawn(self._end_locust)

    def wait(self) -> int:
        """Until the run is judged; its exit code."""
        if self._concluding is not None:
            self._concluding.join()
        return self.exit_code

    # Locust's events

    def _on_test_start(self, **_: Any) -> None:
        runner = self._runner()
        self.wait()
        self._numbers, self._stopping, self.exit_code = Numbers(), False, 3
        self._ready.clear()
        try:
            self._prepare(runner.target_user_count)
        except (ChatloadError, ReportError) as error:
            self._conductor = None
            if self._muster is not None:
                self._muster.dismiss()
            self.exit_code = getattr(error, "exit_code", 2)
            complain(str(error))
            gevent.spawn(self._end_run)
        finally:
            self._ready.set()

    def _prepare(self, users: int) -> None:
        settings = self._settings_for(users)
        view = LiveView(settings.duration_s, gauges=self._live)
        opens = self._muster.opens() if self._muster is not None else [self._own_fleet()]
        conductor = Conductor(settings, settings.plan(), view, self._merge, self._add_users, opens)
        conductor.check()
        view.note(conductor.announcement())
        self._conductor = conductor
        if self._interrupts:
            conductor.interrupt()
        conductor.prepare()
        self._conducting = gevent.spawn(self._conduct, conductor)

    def _conduct(self, conductor: Conductor) -> None:
        """Everything between the last seat and the drain; then Locust stops its users."""
        try:
            self._await_seats(conductor)
            conductor.go()
            conductor.play()
            conductor.drain()
        except ChatloadError as error:
            conductor.fail(error)
        if not self._stopping:
            gevent.spawn(self._end_run)

    def _await_seats(self, conductor: Conductor) -> None:
        runner, waited_s = self._runner(), 0.0
        while not conductor.interrupted.is_set():
            if conductor.seated(runner.target_user_count, waited_s) and runner.state == "running":
                return
            conductor.interrupted.wait(TICK_S)
            waited_s += TICK_S

    def _on_test_stopping(self, **_: Any) -> None:
        """Somebody stops the run (or it is over): the drain has to end before the operators leave."""
        self._stopping = True
        conductor, conducting = self._conductor, self._conducting
        if conductor is None or conducting is None or conducting.dead:
            return
        conductor.interrupt()
        conducting.join()

    def _on_test_stop(self, **_: Any) -> None:
        conductor, self._conductor = self._conductor, None
        if conductor is not None:
            self._ending_conductor = conductor
            self._concluding = gevent.spawn(self._conclude, conductor)

    def _conclude(self, conductor: Conductor) -> None:
        deadline_s = time.monotonic() + LEAVES_WITHIN_S
        while conductor.crew.seated and time.monotonic() < deadline_s:
            gevent.sleep(TICK_S)
        conductor.finish()
        code = conductor.conclude()
        if self._muster is not None:
            self._muster.dismiss()
        self.exit_code = 130 if self._interrupts else code

    def _on_quitting(self, **_: Any) -> None:
        """Locust takes its exit code right after this, so the run must be over by then."""
        self._ready.wait()
        if self._conductor is not None:
            self._conductor.interrupt()
            self._runner().stop()
        self._environment.process_exit_code = self.wait()
        options = self._environment.parsed_options
        if options is not None and options.csv_prefix:
            interval_s, stats.CSV_STATS_INTERVAL_SEC = stats.CSV_STATS_INTERVAL_SEC, NEVER_S
            gevent.sleep(interval_s + 0.1)  # one more row, or the last second is missing; then Locust closes the files

    def _end_run(self) -> None:
        """The run ends; with a web page, Locust stays for the next one."""
        self._ready.wait()
        if self._ends_locust:
            self._end_locust()
        else:
            self._runner().stop()

    def _end_locust(self) -> None:
        self._ready.wait()
        with self._ending:
            self._runner().stop()
        self.wait()  # before a master lets its workers go
        with self._ending:
            self._runner().quit()
        page: Any = self._environment.web_ui
        if page is not None:
            page.stop()

    def _add_users(self, users: int) -> None:
        """Have Locust start more users, unless it is at it."""
        runner = self._runner()
        if users > runner.target_user_count and runner.state == "running" and not self._stopping:
            gevent.spawn(runner.start, users, SEATS_PER_S)

    def _runner(self) -> Any:
        return self._environment.runner

    def _merge(self, rows: list[dict[str, Any]]) -> None:
        tables.merge(self._environment.stats, rows)  # read anew: Locust may have replaced it
