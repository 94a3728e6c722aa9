"""Mails that nobody would write by hand, by what is wrong with them."""

from tests.chatcore.post import ANNA


def hostile(content_type: str, body: str = "text", **headers: str) -> bytes:
    """A mail of Anna's with this type and body."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"From: {ANNA}\r\nMessage-ID: <m1@example.org>\r\nContent-Type: {content_type}\r\n{more}\r\n"
    return (head + body + "\r\n").encode("utf-8", "surrogateescape")


def nested(depth: int) -> str:
    """Parts within parts."""
    return "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(depth))


HOSTILE = {
    "nothing": b"\r\n",
    "no header": b"x\r\n",
    "bytes": bytes(byte for byte in range(256) if byte not in b"\r\n") + b"\r\n",
    "deep": hostile("multipart/mixed; boundary=b0", nested(10_000)),
    "many parts": hostile("multipart/mixed; boundary=b", "--b\r\n\r\n" * 100_000),
    "many lines": hostile("text/plain", "\r\n" * 400_000),
    "endless header": hostile("text/plain", Subject="\r\n ".join(["x" * 900] * 1_000)),
    "parameters": hostile("text/plain" + "".join(f";\r\n a{n}*{n}*=%FF" for n in range(500))),
    "charset": hostile("text/plain; charset=punycode", ("a-" * 400 + "\r\n") * 120),
    "a charset that is none": hostile("text/plain; charset=zlib"),
    "surrogates": hostile("text/plain; charset=utf-7", "+2D3eAA-"),
    "zero": hostile("text/plain", "a\0b", Subject="=?utf-8?q?=00=ED=A0=80?="),
    "subject": hostile("text/plain", Subject="\r\n ".join(["=?a?q?" * 100] * 10)),
    "bad base64": hostile("text/plain", ("====" * 200 + "\r\n") * 100, **{"Content-Transfer-Encoding": "base64"}),
    "uuencoded": hostile("text/plain", "begin 666 x\r\n" + "M" * 900, **{"Content-Transfer-Encoding": "x-uuencode"}),
    "html": hostile("text/html", "\r\n".join(["<!--<a <![ </ <" * 50] * 2_000)),
    "a declaration": hostile("text/html", "ok<p><![<![<!["),
    "quotations": hostile("text/plain", ">\r\n" * 100_000 + "end"),
    "a report of nothing": hostile("multipart/report; boundary=b", "--b\r\nContent-Type: message/delivery-status\r\n"),
    "a name": hostile('application/pdf; name="../../\x1b[2J/etc/passwd"'),
    "no address": hostile("text/plain").replace(ANNA.encode(), b"a" * 300 + b"@x/y#z"),
    "a huge id": hostile("text/plain").replace(b"<m1@", b"<" + b"m" * 900 + b"@"),
}
