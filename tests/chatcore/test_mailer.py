"""Mails leave over TLS and under a name where the account says so, and not otherwise."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatcore import config
from chatcore.channels import email
from chatcore.channels.shapes import Answer, Outbound
from chatcore.config import Account
from chatcore.edges.mailer import Mailer
from chatcore.edges.providers import ask
from chatcore.errors import BadConfig
from tests.chatcore.cores import play, settings
from tests.chatcore.post import OURS, Relay, account, relaying

TLS = ["smtps", "smtp+starttls"]
LOGIN = ("the bank", "pass word")
PASSWORD_OF = {"token": LOGIN[1], "user": LOGIN[0]}


async def sent(relay: Relay, **changes: Any) -> Answer | None:
    """What becomes of a mail through an account at `relay`."""
    mailbox = msgspec.convert(account(relay.url, **changes), Account)
    steps = email.send(mailbox, Outbound("anna@example.org", "hello", "mail/a#1.2"))
    async with asyncio.timeout(60), Mailer() as mailer:
        return await ask(mailer.call, next(steps))


@pytest.mark.parametrize("scheme", TLS)
def test_a_mail_leaves_over_tls_under_a_name(scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay is shown the user, or the sender where none is named, and the password, once TLS is there."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def acts() -> None:
        for login, changes in ((LOGIN, PASSWORD_OF), ((OURS, "pass"), {"token": "pass"})):
            async with relaying(scheme, certificate, login) as relay:
                answer = await sent(relay, **changes)
                assert (answer and answer.status, relay.shown, len(relay.mails)) == (250, [login], 1)

    play(acts)


@pytest.mark.parametrize("scheme", TLS)
def test_a_relay_that_is_not_trusted_gets_nothing(scheme: str, certificate: Path) -> None:
    """Where the certificate is not the system's to trust, no mail and no password leaves; it is tried again."""

    async def acts() -> None:
        async with relaying(scheme, certificate, LOGIN) as relay:
            assert await sent(relay, **PASSWORD_OF) is None
            assert (relay.shown, relay.mails) == ([], [])

    play(acts)


def test_a_relay_without_starttls_gets_nothing() -> None:
    """Who takes the offer of TLS out of the conversation gets neither the mail nor the password."""

    async def acts() -> None:
        async with relaying() as relay:
            relay.url = relay.url.replace("smtp", "smtp+starttls")
            assert await sent(relay, **PASSWORD_OF) is None
            assert relay.mails == []

    play(acts)


def test_a_wrong_password_is_not_the_mails_fault(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The mail is tried again, not failed; the log says why, and shows no password."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def acts() -> None:
        async with relaying("smtps", certificate, LOGIN) as relay:
            assert await sent(relay, token="old one", user=LOGIN[0]) is None
            assert (set(relay.shown), relay.mails) == ({(LOGIN[0], "old one")}, [])

    play(acts)
    told = [record.getMessage() for record in caplog.records if record.name == "chatcore"]
    assert told == ["localhost does not let us log in: status 535"]


CONFIGURED = {
    "a password in the clear": ({"token": "t"}, "a token TLS"),
    "a user without a password": ({"api": "smtps://relay", "user": "u"}, "needs a token"),
}


@pytest.mark.parametrize("case", CONFIGURED)
def test_what_cannot_be_meant_is_refused(case: str, tmp_path: Path) -> None:
    """No password without TLS, no user without a password; a secret may be in the environment."""
    changes, words = CONFIGURED[case]
    path = tmp_path / "core.json"
    path.write_text(json.dumps(settings(accounts=[account("smtp://relay") | changes])))
    with pytest.raises(BadConfig, match=words):
        config.load(path)


def test_the_password_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is resolved as every secret of an account is."""
    monkeypatch.setenv("RELAY_PASSWORD", LOGIN[1])
    path = tmp_path / "core.json"
    mailbox = account("smtp+starttls://relay:587", token="env:RELAY_PASSWORD", user=LOGIN[0])
    path.write_text(json.dumps(settings(accounts=[mailbox])))
    (found,) = config.load(path).accounts
    assert (found.user, found.token) == LOGIN
