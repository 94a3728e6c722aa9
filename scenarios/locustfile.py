"""Plain Locust: `locust -f scenarios/locustfile.py`, then open http://localhost:8089.

One Locust user is one operator's seat; the customers come from the scenario's plan. The run directory is the same as
`chatload run` writes, and is judged at the end.
"""

from typing import Any

from locust import events

from chatload.control.plugin import OperatorSeat, add_arguments, attach

__all__ = ["OperatorSeat"]

hooks: Any = events  # Locust's hooks are untyped
hooks.init_command_line_parser.add_listener(add_arguments)
hooks.init.add_listener(attach)
