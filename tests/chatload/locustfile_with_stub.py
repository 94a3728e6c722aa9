"""What `scenarios/locustfile.py` does, with the stub fleet, and without drawing what it recorded."""

from functools import partial
from typing import Any

from locust import events

from chatload.control.plugin import OperatorSeat, add_arguments, attach
from chatload.run.ending import Ending
from tests.chatload.launch import STUB

__all__ = ["OperatorSeat"]

Ending.judging = "verify"
hooks: Any = events  # Locust's hooks are untyped
hooks.init_command_line_parser.add_listener(add_arguments)
hooks.init.add_listener(partial(attach, fleet=STUB))
