"""A worker of `chatload run --workers N`, started by the command: `python -m chatload.control.worker PORT FLEET…`.

FLEET… is the command that starts its fleet.
"""

import subprocess
import sys
from collections.abc import Sequence

from chatload.process import as_child


def start(port: int, fleet: Sequence[str]) -> "subprocess.Popen[bytes]":
    """A worker of the master that listens on this loopback port; it never outlives us."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatload.control.worker", str(port), *fleet],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=as_child([]),  # noqa: PLW1509 - this process starts no threads
    )


def main(port: int, fleet: Sequence[str]) -> None:
    """Play for the master until it says quit."""
    import locust  # first: it patches this process for gevent
    from locust.env import Environment
    from locust.log import setup_logging

    from chatload.control.relay import Relay, become_child
    from chatload.control.seats import OperatorSeat

    become_child()
    setup_logging("WARNING")  # type: ignore[no-untyped-call]  # Locust has no types here
    environment = Environment(user_classes=[OperatorSeat], events=locust.events)
    runner = environment.create_worker_runner("127.0.0.1", port)
    relay = Relay(environment, runner, fleet)
    runner.greenlet.join()
    relay.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
