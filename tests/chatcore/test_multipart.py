"""Uploads: another library finds in a form what was put into it, whatever that is."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chatcore.channels.multipart import upload
from chatcore.channels.shapes import Enclosure
from tests.chatcore.calls import Part, parts

LINES = st.binary() | st.lists(st.sampled_from([b"\r\n", b"--", b"a", b"\n", b'"'])).map(b"".join)


@given(data=LINES, text=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_form_is_read_as_it_was_written(data: bytes, text: str) -> None:
    """Any bytes come through whole, behind the texts, and next to nobody's idea of a boundary."""
    call = upload("http://a/b", "file", Enclosure("document", "a.pdf", "application/pdf", "", data), {"type": text})
    found = asyncio.run(parts(dict(call.headers), call.body))
    assert found == [Part("type", text.encode()), Part("file", data, "a.pdf", "application/pdf")]


def test_names_and_types_end_no_header() -> None:
    """Quotes and line breaks in an attachment's name are quoted, a type that is none is replaced, headers are added."""
    file = Enclosure("document", 'a"\r\nX: й.pdf', "text/plain\r\nX: y", "", b"x")
    call = upload("http://a/b", "file", file, headers=(("Authorization", "t"),))
    boundary = call.headers[0][1].partition("boundary=")[2]
    assert call.headers == (("Content-Type", f"multipart/form-data; boundary={boundary}"), ("Authorization", "t"))
    assert call.body.decode().split("\r\n") == [
        f"--{boundary}",
        'Content-Disposition: form-data; name="file"; filename="a%22%0D%0AX: й.pdf"',
        "Content-Type: application/octet-stream",
        "",
        "x",
        f"--{boundary}--",
        "",
    ]
