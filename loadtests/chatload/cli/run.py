"""`chatload run`: Locust as a library, one run, one exit code."""

import sys
from collections.abc import Sequence
from typing import Any

from chatload.console import say, tell
from chatload.run.settings import Settings

PAGE_PORT = 8089
WORKERS_READY_WITHIN_S = 60.0


def dry(settings: Settings) -> int:
    """Explain what would be played."""
    from chatload.run.forecast import forecast

    say("\n".join(forecast(settings, settings.plan())))
    return 0


def play(settings: Settings, ui: bool, fleet: Sequence[str] | None = None) -> int:
    """Play, judge, draw; the exit code of the run. `fleet`: the command that starts the fleet, if not our own."""
    import signal

    import gevent
    import locust  # first: it patches this process for gevent
    from locust.env import Environment
    from locust.log import setup_logging

    from chatload.control.bridge import SEATS_PER_S, Bridge
    from chatload.control.link import FLEET
    from chatload.control.remote import Muster
    from chatload.control.seats import OperatorSeat
    from chatload.control.worker import start

    sys.argv[1:] = []  # Locust's web page parses them
    setup_logging("WARNING")  # type: ignore[no-untyped-call]  # Locust has no types here
    environment = Environment(user_classes=[OperatorSeat], events=locust.events)
    command, muster = fleet or FLEET, None
    if settings.workers > 1:
        master = environment.create_master_runner("127.0.0.1", 0)
        muster = Muster(master, settings.workers)
    else:
        environment.create_local_runner()
    runner: Any = environment.runner
    bridge = Bridge(environment, lambda users: settings, ends_locust=True, live=True, fleet=command, muster=muster)
    bridge.catch(signal.SIGINT, signal.SIGTERM)
    hooks: Any = environment.events
    hooks.init.fire(environment=environment, runner=runner, web_ui=None)
    if muster is not None:
        for _ in range(settings.workers):
            muster.watch(start(runner.server.port, command))
        if not bridge.await_workers(settings.workers, WORKERS_READY_WITHIN_S):
            return bridge.wait()
    if ui:
        environment.create_web_ui("127.0.0.1", PAGE_PORT)
        tell(f"Locust's page: http://127.0.0.1:{PAGE_PORT}")
    gevent.spawn(runner.start, settings.operators, SEATS_PER_S)
    runner.greenlet.join()
    gevent.sleep(0)
    return bridge.wait()
