"""The auditor: what a platform claims, as ledger rows."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chatload.targets import audit
from chatreport.rundir import Kind, Outcome

STATE = {
    "operators": {"online": 1},
    "open": [
        {"dialog": "web/u1#1", "state": "on_hold", "operator": "o1", "present": True},
        {"dialog": "web/u2#1", "state": "on_hold", "operator": "o2", "present": False},
        {"dialog": "web/u3#1", "state": "queued", "operator": None, "present": False},
    ],
}
ABOUT = {"op": "entry", "dialog": "tg/1#2", "at": 1, "author": "system"}
ENTRIES = [
    ABOUT | {"seq": 4, "kind": "transferred", "operator": "o1", "number": 7, "to": {"operator": "o2"}},
    ABOUT | {"seq": 5, "kind": "transferred", "operator": "o1", "number": 7, "to": {"department": "a", "skill": "b"}},
    ABOUT | {"seq": 6, "kind": "held", "operator": "o1", "number": 7},
    ABOUT | {"seq": 7, "kind": "resumed", "operator": "o1", "number": 7},
    ABOUT | {"seq": 8, "kind": "edited", "id": "9", "text": "[ab12cd:c7:2~1] words", "of": "2.3"},
    ABOUT | {"seq": 9, "kind": "something new"},
]


@pytest.fixture
def url() -> Iterator[str]:
    """A platform that says the above."""

    class Claims(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = STATE if self.path == "/v1/state" else {"entries": ENTRIES, "next": None}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Claims)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dialog_on_hold_is_an_orphan_only_without_its_operator(url: str) -> None:
    """As one that is assigned."""
    assert [row["outcome"] for row in audit.state(url, "")] == [Outcome.OK, Outcome.REJECTED, Outcome.OK]


def test_entries_are_recorded_as_what_they_are(url: str) -> None:
    """With whom a transfer asks for, and whose new words an edit shows; an unknown kind is recorded as none."""
    names = ("kind", "author", "assignment", "sender", "reason", "rule", "counter", "cursor")
    rows = [tuple(row.get(name) for name in names) for row in audit.history(url, "", 1, "ab12cd")]
    assert rows == [
        (Kind.TRANSFERRED, "o1", 7, "o2", None, None, None, None),
        (Kind.TRANSFERRED, "o1", 7, None, "a", "b", None, None),
        (Kind.HELD, "o1", 7, None, None, None, None, None),
        (Kind.RESUMED, "o1", 7, None, None, None, None, None),
        (Kind.EDITED, "system", None, "c7", None, None, 2, 1),
        (Kind.NONE, "system", None, None, None, None, None, None),
    ]
