"""The bank's own service over HTTP: whose an account is, and what a customer who is known may ask of it.

`POST {api}/accounts` with `{"account"}` → 200 with `{"person", "email"}`, or 404. `POST {api}/operations/{operation}`
with `{"person"}` → 200 with `{"text"}`. What is under way stands in the partitions' state, and is asked again after a
restart. An account that the bank does not know gets a code, too, which nobody is told: who asks learns nothing by it.
Codes are limited by who asks, before the bank is asked, and by whom they go to, which who asks is not told either.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any, Final, TypeVar

import msgspec
import orjson

from chatcore.channels import email
from chatcore.channels.shapes import Answer, Call, Outbound, Outcome
from chatcore.config import Config
from chatcore.edges.guard import REMEMBERED
from chatcore.edges.limits import Buckets
from chatcore.edges.mailer import Mailer
from chatcore.edges.providers import Providers, ask
from chatcore.machines import events as e
from chatcore.machines.binding import awaits_code, hashed
from chatcore.machines.commands import FailBinding, IssueCode, Tell
from chatcore.machines.contacts import Contact
from chatcore.runtime.core import Core
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

AT_ONCE: Final = 16
DIGITS: Final = 6
HOUR_S: Final = 3_600
ASKED_MOST: Final = 3  # codes that a contact may ask for at once, and again within an hour
MAILED_MOST: Final = 5  # … that a person is mailed: more, so that it takes more than one contact to use them up
MAIL: Final = (
    "Your code for the chat\n\n{code}\n\nType it in the chat to let us know who you are. It is good for ten minutes.\n"
    "Show it to nobody else; if you did not ask for it, somebody gave your account's number for theirs.\n"
)

logger = logging.getLogger("chatcore")

Place = tuple[int, int, int]
"""A message: its contact, dialog and seq."""


class Unreachable(Exception):
    """The bank's service, or the mail server, gave no answer that can be used, or is not to be asked."""


class _Owner(msgspec.Struct):
    person: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    email: Annotated[str, msgspec.Meta(max_length=254)]


class _Told(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(max_length=4_096)]


Body = TypeVar("Body", _Owner, _Told)


class BankService:
    """Asks for all partitions, a few questions at a time. What it leaves open at the end is taken up by `resume`."""

    def __init__(self, config: Config, providers: Providers, mailer: Mailer) -> None:
        self._bank = config.bank
        self._sender = next((each for each in config.accounts if each.id == config.bank.mail_account), None)
        self._providers = providers
        self._mailer = mailer
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._asked = Buckets(ASKED_MOST / HOUR_S, ASKED_MOST, REMEMBERED)
        self._mailed = Buckets(MAILED_MOST / HOUR_S, MAILED_MOST, REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, partition: PartitionOwner, contact: Contact, asked: e.AccountNamed | e.OperationAsked) -> None:
        """Ask what a durable event wants to know."""
        place = (contact.id, asked.number, asked.seq)
        if isinstance(asked, e.AccountNamed):
            self._begin(self._bind(partition, place))
        else:
            self._begin(self._operate(partition, place, contact.person, asked.operation))

    def resume(self, core: Core) -> None:
        """Ask again what had no answer before the restart."""
        for partition in core.partitions:
            for contact in partition.state.contacts.active.values():
                if awaits_code(contact) and not contact.binding.hash:
                    self._begin(self._bind(partition, (contact.id, contact.number, contact.binding.seq)))
                if contact.operation_at[0]:
                    place = (contact.id, *contact.operation_at)
                    self._begin(self._operate(partition, place, contact.person, contact.operation))

    async def close(self) -> None:
        """Ask nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- binding ---------------------------------------------------------------------------------------------------

    async def _bind(self, partition: PartitionOwner, place: Place) -> None:
        command: IssueCode | FailBinding
        try:
            command = await self._issued(partition, place)
        except Unreachable as fault:
            command = FailBinding(*place, str(fault))
        except Exception as fault:
            logger.exception("an account could not be looked up")
            command = FailBinding(*place, type(fault).__name__)
        with suppress(Poisoned):
            partition.submit(command)

    async def _issued(self, partition: PartitionOwner, place: Place) -> IssueCode:
        """The hash of a code that the account's owner was mailed, or of one that nobody was told."""
        if not self._asked.take(partition.state.contacts[place[0]].key, time.monotonic()):
            raise Unreachable("the contact asks for too many codes")
        owner = await self._owner_of((await partition.said(*place)).text)
        code, salt = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", secrets.token_hex(16)
        if owner is not None and await self._mail(owner, code):
            return IssueCode(*place, owner.person, salt, hashed(salt, code))
        return IssueCode(*place, "", salt, hashed(salt, secrets.token_hex(32)))

    async def _owner_of(self, account: str) -> _Owner | None:
        answer = await self._ask("accounts", {"account": account.strip()})
        return None if answer.status == 404 else _read(answer, _Owner)

    async def _mail(self, owner: _Owner, code: str) -> bool:
        """Whether the mail server took the mail with the code.

        That it refused it for good, or that too many went there of late, is not for who asks, either.

        Raises:
            Unreachable: nobody knows, or it may take it later.
        """
        if self._sender is None or email.ADDRESS.fullmatch(owner.email.lower()) is None:
            raise Unreachable("no mail can be sent there")
        if not self._mailed.take(owner.person, time.monotonic()):
            return False
        mail = Outbound(owner.email, MAIL.format(code=code), f"code#{secrets.token_hex(16)}", automatic=True)
        outcome = await self._sent(email.send(self._sender, mail))
        if outcome.kind == "again":
            raise Unreachable("the mail server is not to be had")
        return outcome.kind == "taken"

    async def _sent(self, steps: Any) -> Outcome:
        call = next(steps)
        try:
            while (answer := await ask(self._mailer.call, call)) is not None:
                call = steps.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        return Outcome("again")

    # --- operations ------------------------------------------------------------------------------------------------

    async def _operate(self, partition: PartitionOwner, place: Place, person: str, operation: str) -> None:
        text = ""
        try:
            text = _read(await self._ask(f"operations/{operation}", {"person": person}), _Told).text
        except Unreachable as fault:
            logger.warning("%s was not carried out: %s", operation, fault)
        except Exception:
            logger.exception("an operation could not be asked for")
        with suppress(Poisoned):
            partition.submit(Tell(*place, text))

    # --- both ------------------------------------------------------------------------------------------------------

    async def _ask(self, path: str, body: dict[str, str]) -> Answer:
        headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {self._bank.token}"))
        if not self._bank.api:
            raise Unreachable("the configuration names no service of the bank")
        call = Call(f"{self._bank.api.rstrip('/')}/{path}", orjson.dumps(body), headers)
        answer = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bank.timeout_ms / 1_000), self._slots:
                answer = await ask(self._providers.call, call)
        if answer is None:
            raise Unreachable("the bank's service is not to be had, or slow")
        return answer


def _read(answer: Answer, kind: type[Body]) -> Body:
    if answer.status != 200:
        raise Unreachable(f"the bank's service answered with status {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except ValueError as fault:
        raise Unreachable("the bank's service answered in another form") from fault
