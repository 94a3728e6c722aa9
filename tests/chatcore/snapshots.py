"""Snapshots of the property-based tests' world, taken and stored at any moment, and what must hold of who rests."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.chatcore.world import World


class Snapshots(RuleBasedStateMachine):
    """A world with two partitions, of which snapshots are taken."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    @rule(index=st.integers(0, 1))
    def snapshot(self, index: int) -> None:
        self.world.snapshot(index)

    @rule(index=st.integers(0, 1))
    def snapshot_is_stored(self, index: int) -> None:
        self.world.store(index)

    @invariant()
    def exactly_the_idle_rest(self) -> None:
        """A contact is packed when nothing of it is under way, loses nothing by it, and comes back from a snapshot."""
        for partition, awake, shelf in zip(self.world.partitions, self.world.awake, self.world.shelves, strict=True):
            stored = shelf.snapshot(partition, 0).restored()
            for state in (partition, stored):
                assert [state.contacts[number] for number in state.contacts] == list(awake.contacts.active.values())
                assert set(state.contacts.active) == {n for n in state.contacts if not state.contacts[n].idle}
                assert state.contacts.dialogs == sum(state.contacts[number].number for number in state.contacts)
                held = {operator: those for operator, those in awake.held.items() if those}
                assert {operator: those for operator, those in state.held.items() if those} == held
                assert [state.by_key[contact.key].id for contact in awake.contacts.active.values()] == list(
                    awake.contacts
                )
