"""`chatload run`: Locust as a library, one run, one exit code."""

import sys
from collections.abc import Sequence
from typing import Any

from chatload.console import say, tell
from chatload.run.settings import Settings

SEATS_PER_S = 100  # more, and Locust warns
PAGE_PORT = 8089


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

    from chatload.control.bridge import Bridge, OperatorSeat
    from chatload.control.link import FLEET

    sys.argv[1:] = []  # Locust's web page parses them
    setup_logging("WARNING")  # type: ignore[no-untyped-call]  # Locust has no types here
    environment = Environment(user_classes=[OperatorSeat], events=locust.events)
    runner = environment.create_local_runner()
    bridge = Bridge(environment, lambda users: settings, ends_locust=True, live=True, fleet=fleet or FLEET)
    bridge.catch(signal.SIGINT, signal.SIGTERM)
    hooks: Any = environment.events
    hooks.init.fire(environment=environment, runner=runner, web_ui=None)
    if ui:
        environment.create_web_ui("127.0.0.1", PAGE_PORT)
        tell(f"Locust's page: http://127.0.0.1:{PAGE_PORT}")
    runner.start(settings.operators, spawn_rate=SEATS_PER_S)
    runner.greenlet.join()
    gevent.sleep(0)
    return bridge.wait()
