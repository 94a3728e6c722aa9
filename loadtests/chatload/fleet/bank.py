"""The bank behind the platform: its service, which says whose an account is and what they have; the mails with codes.

What it says of a person carries an identity of its own, so that whoever is told it is known by the record.
"""

import re
from email import message_from_bytes
from typing import Final

import msgspec

from chatload.fleet import codes
from chatload.fleet.frames import encode
from chatload.fleet.identity import BANK, compose
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.providers.email import read
from chatload.fleet.server import Pending, Request, Server, reply
from chatload.fleet.smtp import MailServer
from chatload.fleet.world import World
from chatload.plan import Dialog

DOMAIN: Final = "people.example"
OPERATION: Final = "balance"
_CODE: Final = re.compile(r"(?<!\d)\d{6}(?!\d)")
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{24}(?!\d)")
_PERSON: Final = re.compile(rf"c(\d+)(?:@{DOMAIN})?")
_UNKNOWN: Final = reply(404, b"{}")


class _Asked(msgspec.Struct):
    account: str = ""
    person: str = ""


_asked: Final = msgspec.json.Decoder(_Asked)


class Books:
    """What the bank knows of the plan's customers; each answer leaves a BANK row."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actor = Actor(world, "bank")
        self._told: dict[int, int] = {}  # by dialog: how often its customer's balance was told
        proofs = ((dialog, dialog.proof) for dialog in world.plan.dialogs)
        self._owners = {proof.account: dialog for dialog, proof in proofs if proof is not None}

    def owner(self, text: str, stamp_ns: int) -> str:
        """Whose account a text names: a person of the bank's, or "" for nobody's."""
        named = _ACCOUNT.search(text)
        owner = self._owners.get(named[0]) if named is not None else None
        if owner is None:
            return ""
        self._row(owner, "account", stamp_ns, -1)
        return f"c{owner.index}"

    def balance(self, person: str, stamp_ns: int) -> str:
        """What a person has; "" of somebody whom the bank does not know."""
        found = _PERSON.fullmatch(person)
        if found is None or not self._world.has_dialog(index := int(found[1])):
            return ""
        count = self._told[index] = self._told.get(index, 0) + 1
        self._row(self._world.plan.dialog(index), OPERATION, stamp_ns, count)
        mark = compose(self._world.run, f"{BANK}{index}", count)
        return f"{mark} Your balance is {index % 9973}.{index % 97:02}."

    def mailed(self, mailbox: str, code: str, stamp_ns: int) -> bool:
        """Hand a code to the person whose mailbox it went to, if they look for one; False if there is none such."""
        found = _PERSON.fullmatch(mailbox)
        if found is None:
            return False
        waits = self._world.mailboxes.get(int(found[1]))
        if waits is not None:
            waits(code, stamp_ns)
        return True

    def _row(self, owner: Dialog, what: str, stamp_ns: int, count: int) -> None:
        world = self._world
        contact = Subject(world, f"{world.account(owner.channel)}/{owner.user}", owner.index)
        self._actor.row(
            codes.BANK, codes.OK, contact, stamp_ns, started=stamp_ns, done=world.clock.now_ns(), counter=count,
            sender=world.recorder.text(f"{BANK}{owner.index}"), reason=world.recorder.text(what),
        )  # fmt: skip


class Bank:
    """Answers from its books over HTTP, and takes the mails with codes, from `start` on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._books = Books(world)
        self._service = Server(self.answer, headers=True)
        self._post = MailServer(self.mail)

    async def start(self, host: str) -> tuple[str, str]:
        """Listen; returns the URL of the service, and that of the mail server."""
        return await self._service.start(host), await self._post.start(host)

    async def close(self) -> None:
        """Answer no more."""
        await self._service.close()
        await self._post.close()

    def answer(self, request: Request) -> bytes | Pending:
        """The answer to a question of the platform."""
        if not request.bears(self._world.target.bank_token):
            return reply(401, b"{}")
        try:
            asked = _asked.decode(request.body)
        except msgspec.DecodeError:
            return reply(400, b"{}")
        if request.path == "/accounts":
            return self._whose(asked.account, request.stamp_ns)
        return self._balance(asked.person, request.stamp_ns) if request.path == f"/operations/{OPERATION}" else _UNKNOWN

    def mail(self, request: Request) -> bytes | Pending:
        """Hand a mail to whom it is for, if they look for one."""
        code = _CODE.search(read(message_from_bytes(request.body))[0])
        if code is None or not self._books.mailed(request.path, code[0], request.stamp_ns):
            return b"550 5.1.1 no such mailbox here\r\n"
        return b"250 2.0.0 queued\r\n"

    def _whose(self, text: str, stamp_ns: int) -> bytes:
        person = self._books.owner(text, stamp_ns)
        return reply(200, encode({"person": person, "email": f"{person}@{DOMAIN}"})) if person else _UNKNOWN

    def _balance(self, person: str, stamp_ns: int) -> bytes:
        text = self._books.balance(person, stamp_ns)
        return reply(200, encode({"text": text})) if text else _UNKNOWN
