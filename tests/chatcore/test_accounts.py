"""Messengers' accounts in the configuration: each says all that its channel needs, and nothing is guessed."""

import json
from pathlib import Path

import pytest

from chatcore.channels import CHANNELS
from chatcore.config import LIMITS, NEEDS, load
from chatcore.errors import BadConfig
from tests.chatcore.cores import settings


def test_every_messenger_has_limits_and_needs() -> None:
    """A channel is registered in all three tables, and each limit says where it is from and when."""
    assert set(CHANNELS) == set(LIMITS) == set(NEEDS)
    assert [name for name, limits in LIMITS.items() if not limits.source or not limits.as_of] == []


@pytest.mark.parametrize("channel, left_out", [(channel, name) for channel, needs in NEEDS.items() for name in needs])
def test_an_account_that_lacks_something_is_refused(channel: str, left_out: str, tmp_path: Path) -> None:
    """In one line that names the account and what is missing; with it, the configuration loads."""
    path = tmp_path / "core.json"
    account = {"id": "a", "channel": channel} | dict.fromkeys(NEEDS[channel], "http://x")
    if channel == "email":
        account |= {"api": "smtp://x", "sender": "bank@example.org"}
    path.write_text(json.dumps(settings(accounts=[account])))
    assert load(path).accounts[0].channel == channel
    del account[left_out]
    path.write_text(json.dumps(settings(accounts=[account])))
    with pytest.raises(BadConfig, match=f"account a: {channel} needs {left_out};"):
        load(path)
