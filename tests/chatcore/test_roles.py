"""Who may use which route and which socket: the whole table, tried over the wire."""

import hmac
import re
from pathlib import Path

from chatcore.edges.routes import ROUTES, SOCKETS
from chatcore.tokens import ROLES
from tests.chatcore.client import SECRET, Client, Desk, token
from tests.chatcore.cores import inside, play, telegram
from tests.chatcore.scenes import owned

ALL = " ".join(ROLES)
WHO = {
    "GET /healthz": f"anybody {ALL}",
    "GET /v1/openapi.json": f"anybody {ALL}",
    "GET /metrics": "supervisor auditor admin",
    "GET /v1/state": "supervisor auditor admin",
    "POST /v1/operators": "admin",
    "GET /v1/history/{account}/{user}": "customer operator auditor admin",
    "GET /v1/audit/{partition}": "auditor admin",
    "POST /v1/files": "customer operator",
    "GET /v1/files/{ref}": ALL,
    "GET /v1/files/{ref}/{name}": ALL,
    "GET /v1/blocked": "supervisor auditor admin",
    "PUT /v1/blocked/{account}/{user}": "supervisor admin",
    "DELETE /v1/blocked/{account}/{user}": "supervisor admin",
    "POST /v1/notices": "supervisor admin",
    "PUT /v1/consent/{account}/{user}": "supervisor admin",
    "DELETE /v1/consent/{account}/{user}": "supervisor admin",
    "GET /v1/analytics": "supervisor auditor admin",
    "GET /v1/reviews": "reviewer admin",
    "GET /v1/reviews/{account}/{user}/{number}": "reviewer admin",
    "PUT /v1/reviews/{account}/{user}/{number}": "reviewer admin",
    "GET /v1/billing": "supervisor auditor admin",
}
SOCKET_OF = {"/v1/chat": "customer", "/v1/desk": "operator"}
SUBJECTS = {"customer": "web/u1", "operator": "o1"}
BODIES = {
    "POST /v1/operators": b'{"operators":[]}',
    "POST /v1/files": b"a file",
    "POST /v1/notices": b'{"template":"due","id":"n1","contacts":["web/u1"]}',
    "PUT /v1/reviews/{account}/{user}/{number}": b'{"score":3}',
}
REF = hmac.digest(SECRET.encode(), b"a file", "sha256").hex()


def bearer(who: str) -> str:
    """A token of a role, none for anybody; its subject would be allowed if its role were."""
    return "" if who == "anybody" else token(who, SUBJECTS.get(who, "x"))


async def answered(client: Client, route: str, who: str) -> int:
    """The status that `who` gets."""
    method, _, path = route.partition(" ")
    values = {
        "{account}": "tg" if "consent" in route else "web",
        "{user}": "u2" if "reviews" in route else "u1",
        "{number}": "1",
        "{partition}": "0",
        "{ref}": REF,
        "{name}": "x",
    }
    concrete = re.sub("{[a-z]+}", lambda found: values[found[0]], path)
    headers = {"Authorization": f"Bearer {bearer(who)}"} if who != "anybody" else {}
    async with client.http.request(method, client.url + concrete, data=BODIES.get(route), headers=headers) as answer:
        return answer.status


def test_every_route_is_open_to_its_roles_and_to_nobody_else() -> None:
    """Every route with every role: taken if the table says so, 403 if not, and 401 without a token where one is needed.

    The core listens on all addresses, so its metrics are not for anybody.
    """
    assert {f"{row.method} {row.path}" for row in ROUTES} == set(WHO)

    async def acts() -> None:
        accounts = [{"id": "web", "channel": "web", "bot": "keywords"}, telegram("http://127.0.0.1:9")]
        templates = [{"name": "due", "text": "Your rate is due."}]
        async with inside(host="0.0.0.0", accounts=accounts, templates=templates, quality={"sample": 1.0}) as core:
            await closed(core.client)
            desk = await core.client.desk("o1", presence="online")
            found, wanted = {}, {}
            for route, allowed in WHO.items():
                for who in ("anybody", *ROLES):
                    if route.startswith("GET /v1/history"):
                        await own(core.client, desk)
                    found[route, who] = await answered(core.client, route, who)
                    refused = 401 if who == "anybody" else 403
                    taken = 201 if route == "POST /v1/files" else 200
                    wanted[route, who] = taken if who in allowed.split() else refused
            assert found == wanted

    async def closed(client: Client) -> None:
        other = await client.customer("web/u2")
        await other.say("c1", "balance")
        await other.send(op="end")
        await other.until(kind="closed")

    async def own(client: Client, desk: Desk) -> None:
        if (await client.state())["dialogs"]["assigned"] == 0:
            await owned(client, "web/u1", desk)

    play(acts)


def test_the_documented_table_is_the_one_that_holds() -> None:
    """ARCHITECTURE.md lists every route with its roles."""
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
    listed = dict(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| ([a-z, ]+) \|", text, re.MULTILINE))
    assert listed == {f"{row.method} {row.path}": ", ".join(row.roles or ["anybody"]) for row in ROUTES}


def test_metrics_need_no_token_on_loopback() -> None:
    """On a core that listens on loopback only, anybody reads the metrics; a token that is shown must still be right."""

    async def acts() -> None:
        async with inside() as core:
            found = {
                who: await answered(core.client, "GET /metrics", who) for who in ("anybody", "auditor", "operator")
            }
            assert found == {"anybody": 200, "auditor": 200, "operator": 403}

    play(acts)


def test_every_socket_is_open_to_its_role_and_to_nobody_else() -> None:
    """A hello on each socket with each role: welcome for the role of the table, 4401 for the others."""
    assert {path.decode(): role for path, role in SOCKETS.items()} == SOCKET_OF

    async def acts() -> None:
        async with inside() as core:
            for path, role in SOCKET_OF.items():
                for who in ("anybody", "root", *ROLES):
                    peer = Desk(core.client, await core.client.socket(path))
                    subject = SUBJECTS[role]
                    await peer.send(op="hello", token=None if who == "anybody" else token(who, subject), session="s")
                    if who == role:
                        assert (await peer.next())["op"] == "welcome"
                    else:
                        assert (path, who, await peer.ended(), peer.taken) == (path, who, 4401, [])

    play(acts)
