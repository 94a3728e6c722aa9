"""The bank as an administrator of a virtual installation: consent and notices, noted at once."""

from collections.abc import Callable

from chatcore.machines import commands as c
from chatload.fleet import codes
from chatload.fleet.notices import Became
from chatload.fleet.world import World
from chatload.simulate.bank import Bank


class DirectAdministrator:
    """Asks the machines."""

    def __init__(self, world: World, bank: Bank) -> None:
        self._clock = world.clock
        self._bank = bank
        self._templates = {notice.name: notice for notice in world.plan.scenario.notices}

    def agree(self, contact: str, told: Callable[[bool], None]) -> None:
        """Note that a contact agrees to be written to."""
        of = self._bank.account(contact)
        self._bank.installation.ask(c.Consent(contact, True, of.receipts, of.windowed))
        told(True)

    def notify(self, contact: str, template: str, notice_id: str, told: Callable[[Became], None]) -> None:
        """Have a template sent to a contact, or refused."""
        of, notice = self._bank.account(contact), self._templates[template]
        said = template, (), notice.text, notice.broadcast, of.receipts, of.windowed
        outcome, reason = codes.OK, ""
        try:
            self._bank.installation.ask(c.Notify(contact, notice_id, 0, *said))
        except c.Refused as refusal:
            outcome, reason = codes.REJECTED, refusal.reason
        told(Became(outcome, self._clock.now_ns(), reason))
