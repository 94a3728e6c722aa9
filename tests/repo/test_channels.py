"""A channel is a file on either side, one contract test and a line of documentation; this says what is missing."""

from chatcore.channels import CHANNELS
from chatcore.config import LIMITS
from chatload.fleet.providers import PROVIDERS
from tests.repo.sources import ROOT

FORMATS = ("test_formats.py", "test_telegram.py", "test_email.py", "test_phone.py")


def test_both_sides_have_the_same_channels() -> None:
    """What the core carries is simulated, and the other way round."""
    assert set(PROVIDERS) == set(CHANNELS)


def test_the_core_sends_no_longer_text_than_a_provider_takes() -> None:
    """The limits on either side are told apart: ours is at most the messenger's."""
    most = {channel: provider.profile.text_most for channel, provider in PROVIDERS.items()}
    assert [channel for channel in most if LIMITS[channel].text_most > most[channel]] == []


def test_every_provider_has_its_formats_tested() -> None:
    """Each is named in a test of its own formats, beside the contract that all of them keep."""
    tests = ROOT / "tests" / "chatload" / "fleet"
    formats = "".join((tests / name).read_text() for name in FORMATS)
    assert [channel for channel in PROVIDERS if f'"{channel}"' not in formats and f"/{channel}/" not in formats] == []


def test_every_channel_has_its_line_of_documentation() -> None:
    """The README's table of channels names each."""
    readme = (ROOT / "README.md").read_text().lower()
    assert [channel for channel in PROVIDERS if f"| {channel}" not in readme] == []
