"""Short ways to a scene: a core of its own, a customer in the queue, a customer with an operator."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.chatcore.client import Client, Customer, Desk, Frame
from tests.chatcore.cores import inside, play

PARTITIONS = pytest.mark.parametrize("partitions", [1, 4])
Scene = Callable[[Client], Awaitable[None]]


def scene(partitions: int, acts: Scene, **changes: Any) -> None:
    """Play against a core of its own."""

    async def whole() -> None:
        async with inside(partitions=partitions, **changes) as core:
            await acts(core.client)
            assert core.fatal == []

    play(whole)


async def handed_over(client: Client, contact: str, desk: Desk) -> tuple[Customer, Frame]:
    """A customer who asked for an operator, and the offer that `desk` got."""
    customer = await client.customer(contact)
    await customer.say("ask", "operator please")
    return customer, await desk.until(op="offered")


async def owned(client: Client, contact: str, desk: Desk) -> tuple[Customer, Frame]:
    """A customer in a dialog with the operator at `desk`."""
    customer, offer = await handed_over(client, contact, desk)
    await desk.accept(offer)
    await customer.until(kind="assigned")
    return customer, offer
