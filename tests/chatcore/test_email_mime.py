"""What e-mails say, and how replies are made: pure, from bytes to bytes."""

from contextlib import suppress
from email import message_from_bytes

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.channels import email
from chatcore.channels.shapes import Enclosure, Inbound, Outbound, Receipt, Thread
from chatcore.config import Account
from tests.chatcore.hostile_mails import HOSTILE, hostile
from tests.chatcore.post import ANNA, account

KEY = f"mail/{ANNA}"
PDF = b"%PDF-1.7 " + bytes(range(256))
ACCOUNT = msgspec.convert(account("smtp://127.0.0.1:9"), Account)
QUOTATIONS = [
    ("Yes.\n\nOn Tuesday Bank wrote:\n> Is it?\n>\n> Bye\n", "Yes."),
    ("> Is it?\nYes.\n> Really?\nYes!\n", "> Is it?\nYes.\n> Really?\nYes!"),
    ("My list:\n1 > 0", "My list:\n1 > 0"),
    ("See below.\n-----Original Message-----\nFrom: x", "See below."),
    ("> only\n> a quotation\n", "> only\n> a quotation"),
]


def said(content_type: str, body: str) -> str:
    """What a mail with this body says."""
    (found,) = email.parse(ACCOUNT, hostile(content_type, body.replace("\n", "\r\n")))
    assert isinstance(found, Inbound)
    return found.text


@pytest.mark.parametrize("body, text", QUOTATIONS)
def test_a_quotation_at_the_end_is_cut_off(body: str, text: str) -> None:
    """Lines with ">" at the end go, with the line that leads to them; elsewhere they stay, as does a mere quotation."""
    assert said("text/plain", body) == text


def test_the_plain_part_is_preferred_to_html() -> None:
    """Of two forms of a text the plain one counts, wherever it stands; HTML alone is read without its tags."""
    html = "<html><head><style>p {}</style></head><p>Where &amp; <b>when</b>?<br>Soon<blockquote>I said</blockquote>"
    parts = f"--b\nContent-Type: text/html\n\n{html}\n--b\nContent-Type: text/plain\n\nplain\n--b--\n"
    assert said("multipart/alternative; boundary=b", parts) == "plain"
    assert said("text/html", html) == "Where & when?\nSoon"
    assert said("text/html; charset=windows-1251", "<p>ok") == "ok"


def test_a_mail_without_an_id_has_that_of_its_content() -> None:
    """A repeat is known by what it says; other mails are others."""
    mails = [hostile("text/plain", body).replace(b"Message-ID", b"X-ID") for body in ("a", "a", "b")]
    ids = [event.id for mail in mails for event in email.parse(ACCOUNT, mail) if isinstance(event, Inbound)]
    assert ids[0] == ids[1] != ids[2]
    assert all(email.MESSAGE_ID.fullmatch(each) for each in ids)


def test_a_mail_is_built_the_same_in_every_attempt() -> None:
    """Byte by byte, with its attachment; an automatic one says so; nothing in a subject or name adds a header."""
    file = Enclosure("document", "a\r\nBcc: x@y.z.pdf", "application/pdf", "", PDF)
    thread = Thread(("<m1@example.org>",), "<m1@example.org>", "Re: Card\r\nBcc: x@y.z")
    reply = Outbound(ANNA, "", f"{KEY}#3.7", file, thread=thread, automatic=True)
    built = email.build(ACCOUNT, reply)
    assert built == email.build(ACCOUNT, reply)
    found = message_from_bytes(built)
    assert {name: found[name] for name in ("Subject", "Auto-Submitted", "Bcc")} == {
        "Subject": "Re: Card", "Auto-Submitted": "auto-replied", "Bcc": None}  # fmt: skip
    assert found["Message-ID"].startswith("<3.7.")
    assert found["Message-ID"] != email.message_id(ACCOUNT, "mail/boris@example.org#3.7")


def test_a_read_receipt_is_told() -> None:
    """An MDN with the reply's name: read."""
    name = email.message_id(ACCOUNT, f"{KEY}#1.4")
    report = (
        "--b\r\nContent-Type: text/plain\r\n\r\nseen\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Final-Recipient: rfc822; {ANNA}\r\nOriginal-Message-ID: {name}\r\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\r\n--b--"
    )
    kind = "multipart/report; report-type=disposition-notification; boundary=b"
    assert email.parse(ACCOUNT, hostile(kind, report)) == [Receipt(ANNA, "read", name)]


BOUNDS = [
    ("deep", "too many parts"),
    ("many parts", "too many parts"),
    ("many lines", "too many lines"),
    ("endless header", "a header is too long"),
]


@pytest.mark.parametrize("name, why", BOUNDS)
def test_reading_is_bounded(name: str, why: str) -> None:
    """What would take much time or memory is refused before it does."""
    with pytest.raises(ValueError, match="cannot be read") as refused:
        email.parse(ACCOUNT, HOSTILE[name])
    assert str(refused.value.__cause__) == why


@given(st.binary(max_size=300), st.sampled_from(sorted(HOSTILE)), st.integers(0, 400))
@example(b"\0", "endless header", 88)  # in the subject
@example(b"\0", "endless header", 6)  # in the address
def test_no_mail_is_a_defect(noise: bytes, name: str, at: int) -> None:
    """Broken anywhere, a mail is read or refused, and what is read can be stored."""
    broken = HOSTILE[name][:2_000]
    with suppress(ValueError):
        for event in email.parse(ACCOUNT, broken[:at] + noise + broken[at:]):
            shown = [event.text, event.id, *(file.name for file in event.files)] if isinstance(event, Inbound) else []
            assert all("\0" not in text and text.encode() is not None for text in (event.user, *shown))
