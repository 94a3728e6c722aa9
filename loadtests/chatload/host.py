"""Where a process runs: on which machine, in which network, by which clock; two that answer alike share it."""

import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_TIME: Final = Path("/proc/self/ns/time")
_NETWORK: Final = Path("/proc/self/ns/net")


def machine() -> str:
    """This boot of this machine; its name where the system does not tell."""
    return _BOOT.read_text().strip() if _BOOT.exists() else socket.gethostname()


def clock() -> str:
    """Whose monotonic clock this process reads."""
    return f"{machine()} {_namespace(_TIME)}".strip()


def network() -> str:
    """Whose loopback this process has."""
    return f"{machine()} {_namespace(_NETWORK)}".strip()


def is_loopback(address: str) -> bool:
    """Whether an address, or a name for one, stays on the machine; what names no address at all counts as that."""
    return address in {"", "*", "0.0.0.0", "::", "localhost", "::1"} or address.startswith("127.")


def address_towards(peer: str) -> str:
    """The address of ours that `peer` sees; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        address: str = probe.getsockname()[0]
        return address


def _namespace(path: Path) -> str:
    return str(path.readlink()) if path.is_symlink() else ""
