"""Child processes that never outlive us, shares of the CPUs, and the limit of open files."""

import ctypes
import errno
import os
import resource
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chatload.errors import BadOption, PortTaken
from chatload.host import LOOPBACK

LISTENING: Final = 10_000  # the first port that we would choose
TRIES: Final = 20
_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this signal when the parent dies, however it dies (Linux; elsewhere nothing happens)."""
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number)


def as_child(cpus: list[int], signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """What a child does between fork and exec: die with this process, not give way as it does, and keep to `cpus`.

    Without `cpus` it may run on any.
    """
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(signal_number)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)
        if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_BATCH:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if cpus:
            os.sched_setaffinity(0, cpus)

    return prepare


def give_way() -> None:
    """Have this process interrupt no other that computes, from now on, where the system can do that.

    Not by niceness, which whoever is started later inherits and cannot shed: a core that was killed and comes back in
    the middle of a run would be slower than before.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def own_cpus() -> list[int]:
    """The CPUs that we may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cpu_shares() -> tuple[list[int], list[int]]:
    """CPUs for the system under test and for the load: halves of what we may use; both empty on a single CPU."""
    cpus = own_cpus()
    half = len(cpus) // 2
    return (cpus[:half], cpus[half:]) if half else ([], [])


def spread(cpus: list[int], count: int) -> list[list[int]]:
    """`cpus` for each of `count` processes: dealt out while each gets one of its own, else all of them for all."""
    return [cpus[number::count] if len(cpus) >= count else cpus for number in range(count)]


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; children inherit it. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def free_port(wanted: int | None = None, host: str = LOOPBACK) -> int:
    """A TCP port of our address `host` that nobody listens on: `wanted`, or one that no outgoing connection takes.

    So it is still free when its process listens at last, and when that process comes back after `kill -9`.

    Raises:
        PortTaken: somebody listens on `wanted`.
        BadOption: `host` is no address of this machine.
    """
    if wanted:
        return _bound(wanted, host)
    for _ in range(TRIES):
        with suppress(PortTaken):
            return _bound(LISTENING + secrets.randbelow(_first_outgoing() - LISTENING), host)
    return _bound(0, host)


def _bound(port: int, host: str) -> int:
    """`port`, which can be listened on; of 0 one of the system's choice."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadOption("--master-bind-host", host, f"no address of this machine ({error.strerror})") from error
            raise PortTaken(port) from error
        found: int = probe.getsockname()[1]
        return found


def _first_outgoing() -> int:
    """The least port that the system gives to outgoing connections."""
    try:
        least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        least = 32_768  # Linux's own choice
    return max(least, LISTENING + 1)
