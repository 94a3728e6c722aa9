"""For plain `locust -f`: our arguments on its command line and web form, and the bridge tied to its environment."""

import argparse
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from chatload.console import complain
from chatload.control.bridge import SEATS_PER_S, Bridge
from chatload.control.link import FLEET
from chatload.control.relay import Relay, become_child
from chatload.control.remote import Muster
from chatload.control.seats import OperatorSeat
from chatload.errors import BadOption, ChatloadError
from chatload.host import is_loopback
from chatload.run.settings import Settings, settle
from chatload.scenario import Part, load
from chatreport.errors import ReportError

__all__ = ["OperatorSeat", "add_arguments", "attach"]

_MANY: Final = ";"  # between objectives or labels in the web form's single field


def add_arguments(parser: ArgumentParser, **_: Any) -> None:
    """The options of `chatload run`, and a web form filled with the scenario's operators."""
    group = parser.add_argument_group("chatload", "The load of a bank's chat platform; times are wall times")
    group.add_argument("--scenario", default="tbank", help="a scenario's name, or the path of a TOML file")
    group.add_argument("--part", default="peak", choices=get_args(Part), help="the peak hour, the day, or the surge")
    group.add_argument("--load", default="1", help="multiplies arrivals")
    group.add_argument("--speed", default="", help="how many times faster than life (default: the scenario's)")
    group.add_argument("--duration", default="", help='how long dialogs start, like "90s" (default: the whole part)')
    group.add_argument("--ramp", default="", help='how long the dialogs open at the start are introduced, like "10s"')
    group.add_argument("--seed", default="", help="another seed is another plan (default: the scenario's)")
    group.add_argument("--slo", default="", help=f'objectives, like "deliver_in p99 < 50 ms"; several with "{_MANY}"')
    group.add_argument("--label", default="", help=f'labels of the run, like "build=17"; several with "{_MANY}"')
    group.add_argument("--out", default="", help="where the run is recorded (default: below runs/)")
    parser.set_defaults(num_users=_operators(), spawn_rate=SEATS_PER_S)


def attach(environment: Environment, runner: Any, fleet: Sequence[str] = FLEET, **_: Any) -> None:
    """Tie the environment to runs; a mistake on the command line ends Locust with 2 and one line."""
    options = environment.parsed_options
    if isinstance(runner, WorkerRunner):
        if options is not None and options.processes:
            become_child()
        Relay(environment, runner, fleet)
        return
    try:
        _settings(options, 1)
    except (ChatloadError, ReportError) as error:
        _refuse(str(error))
    headless = bool(options and options.headless)
    muster = Muster(runner, options.expect_workers if options else 1) if isinstance(runner, MasterRunner) else None
    bridge = Bridge(
        environment, lambda users: _settings(options, users), ends_locust=headless, live=False, fleet=fleet,
        muster=muster,
    )  # fmt: skip
    bridge.catch(signal.SIGINT)  # Locust's own handler takes SIGTERM and quits, which ends the run, too


def _settings(options: Any, users: int) -> Settings:
    settings = settle(
        load(options.scenario),
        part=options.part,
        load=1.0 if not options.load else _number("--load", options.load) or 0.0,
        speed=_number("--speed", options.speed),
        duration=options.duration or None,
        operators=users,
        seed=_whole("--seed", options.seed),
        ramp=options.ramp or None,
        slos=_several(options.slo),
        labels=_several(options.label),
        out=Path(options.out) if options.out else None,
    )
    apart = options.master and not is_loopback(options.master_bind_host)
    return replace(settings, host=options.master_bind_host) if apart else settings


def _operators() -> int:
    """How many seats the web form offers: those of the scenario on the command line."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--scenario", default="tbank")
    try:
        return load(early.parse_known_args()[0].scenario).scenario.operators.count
    except ChatloadError:  # reported once Locust is up
        return 1


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.split(_MANY) if part.strip()]


def _number(option: str, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise BadOption(option, text, "not a number") from error


def _whole(option: str, text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError as error:
        raise BadOption(option, text, "not a whole number") from error


def _refuse(why: str) -> None:
    complain(why)
    sys.exit(2)
