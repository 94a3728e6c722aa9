"""Shares of the CPUs, and ports."""

from pathlib import Path
from typing import Final

import pytest

from chatload.accounts import ACCOUNTS, MESSENGERS, account, channel_of
from chatload.errors import BadOption
from chatload.process import free_port, spread

OUTGOING: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.parametrize(
    "cpus, count, shares",
    [
        ([2, 3], 1, [[2, 3]]),
        ([4, 5, 6, 7], 2, [[4, 6], [5, 7]]),
        ([4, 5, 6, 7], 3, [[4, 7], [5], [6]]),
        ([1], 3, [[1], [1], [1]]),
        ([2, 3], 4, [[2, 3]] * 4),
        ([], 2, [[], []]),
    ],
)
def test_cpus_are_dealt_out_while_there_is_one_for_each(cpus: list[int], count: int, shares: list[list[int]]) -> None:
    """With fewer CPUs than processes, the system's scheduler shares them."""
    assert spread(cpus, count) == shares


@pytest.mark.skipif(not OUTGOING.exists(), reason="this system does not say which ports outgoing connections take")
def test_no_outgoing_connection_takes_a_port_that_we_have_chosen() -> None:
    """A core that is killed finds its port free, whatever else connects in the meantime."""
    least, most = map(int, OUTGOING.read_text().split())
    chosen = {free_port() for _ in range(50)}
    assert not [port for port in chosen if least <= port <= most]
    assert len(chosen) > 40


def test_an_address_that_is_not_ours_is_refused() -> None:
    """One line that names the option it came from."""
    with pytest.raises(BadOption, match=r"--master-bind-host 192.0.2.1: no address of this machine"):
        free_port(None, "192.0.2.1")


@pytest.mark.parametrize("channel", ACCOUNTS)
@pytest.mark.parametrize("workers", [1, 2, 12])
def test_an_account_tells_its_channel(channel: str, workers: int) -> None:
    """Whoever plays it; messengers have one a worker, the bank's own channels one in all."""
    names = [account(channel, worker, workers) for worker in range(workers)]
    assert {channel_of(name) for name in names} == {channel}
    assert len(set(names)) == (workers if channel in MESSENGERS else 1)


@pytest.mark.parametrize("name", ["", "icq", "web-1", "tg-", "tg-x", "tg-1-1"])
def test_other_names_are_no_accounts(name: str) -> None:
    """They belong to no channel."""
    assert channel_of(name) == ""
