"""What the report says about neighbours on the CPUs."""

from typing import Any

import pytest

from chatreport.isolation import line, rows, sharing, waiting
from tests.chatreport.test_validity import ALONE, process

BARE: dict[str, Any] = {"processes": {"w0": process([1])}, "siblings": [], "load_average": 0.5}


@pytest.mark.parametrize(
    "core, fleet, siblings, shared",
    [
        ([0], [1], [], []),
        ([0, 1], [1, 2], [], ["w0 and the platform share CPU 1"]),
        ([0], [2], [[0, 2], [1, 3]], ["w0 and the platform share a core, whose threads are CPU 2 and 0"]),
        ([0, 2], [1, 3], [[0, 2], [1, 3]], []),
        ([], [1], [[0, 1]], []),
    ],
    ids=["apart", "same CPU", "same core", "a core each", "platform elsewhere"],
)
def test_who_shares_a_cpu_or_a_core_with_the_platform(
    core: list[int], fleet: list[int], siblings: list[list[int]], shared: list[str]
) -> None:
    """Locust does not count: it gives way to both."""
    processes = {"core": process(core), "w0": process(fleet), "locust": process([0, 1, 2, 3])}
    assert sharing({"processes": processes, "siblings": siblings}) == shared


def test_the_summary_has_one_line() -> None:
    """Sharing, waiting, steal and throttling; what the system does not show is said to be so."""
    assert line(ALONE) == (
        "platform and load on CPUs of their own; waited for a CPU, of the time with work: core 0.0 %, w0 10.0 %; "
        "stolen by the host: 1.0 %; throttled 0 times"
    )
    assert line(BARE) == (
        "platform and load on CPUs of their own; waited for a CPU, of the time with work: w0 0.0 %; stolen by the "
        "host: not shown by this system; throttled an unknown number of times"
    )
    assert line({}) == "not recorded"


def test_the_table_names_every_process_and_what_the_machine_took() -> None:
    """The platform first, Locust last; nothing at all for a run that recorded nothing."""
    assert [name for name, *_ in rows(ALONE)] == [
        "Platform", "Fleet w0", "Locust", "Sharing", "Stolen by the host", "CPU quota", "Frequency", "Load average",
    ]  # fmt: skip
    assert rows(ALONE)[1] == (
        "Fleet w0", "waited for a CPU in 10.0 % of the time it had work (1.00 s beside 10.00 s on one); "
        "taken off it 3 times",
        "CPU 1, normal scheduling, niceness 0",
    )  # fmt: skip
    assert rows({}) == []
    assert waiting(ALONE) == {"core": 0.0, "w0": 0.1}
