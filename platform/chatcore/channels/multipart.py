"""Uploads of attachments as forms, for providers that take the bytes and not an address."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from chatcore.channels.shapes import Call, Enclosure

_MIME: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_QUOTED: Final = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
_NONE: Final[Mapping[str, str]] = {}


def upload(
    url: str,
    field: str,
    file: Enclosure,
    fields: Mapping[str, str] = _NONE,
    headers: tuple[tuple[str, str], ...] = (),
) -> Call:
    """A POST of a form with `fields` and, as `field`, the attachment; names are quoted as browsers do it.

    The boundary is made of the attachment's bytes, so that nobody can put it into them.
    """
    boundary = blake2b(file.data, digest_size=16).hexdigest()
    mime = file.mime if _MIME.fullmatch(file.mime) else "application/octet-stream"
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    texts = "".join(f'{part}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    head = f'{texts}{part}{field}"; filename="{file.name.translate(_QUOTED)}"\r\nContent-Type: {mime}\r\n\r\n'
    body = b"%b%b\r\n--%b--\r\n" % (head.encode(), file.data, boundary.encode())
    return Call(url, body, (("Content-Type", f"multipart/form-data; boundary={boundary}"), *headers))
