"""What the kernel's files say about who ran where and waited for what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatload.process import own_cpus
from chatload.run.isolation import (
    Reading,
    Throttled,
    Ticks,
    Waited,
    cpu_list,
    cpu_ticks,
    disclosed,
    frequency_mhz,
    groups_of,
    preemptions,
    quota_of,
    read,
    scheduled,
    sibling_groups,
    steal_share,
    throttled_in,
)

STAT = """\
cpu  910760 3671 140233 1368647 18010 0 16768 3194 50 0
cpu0 352061 1780 68737 785708 12885 7 4898 1685 50 0
cpu1 558699 1891 71495 582939 5124 0 11869 1508 0 0
cpu10 1 1 1 1 1 1 1 1 1 1
intr 1 2 3
ctxt 12345
"""
STATUS = "Name:\tpython\nvoluntary_ctxt_switches:\t671\nnonvoluntary_ctxt_switches:\t42\n"
CPUINFO = "processor\t: 0\ncpu MHz\t\t: 2596.144\n\nprocessor\t: 1\ncpu MHz\t\t: 2596.2\n"


def test_ticks_are_those_of_our_cpus() -> None:
    """Guests' time is in the users' already; CPU 10 is not CPU 1."""
    assert cpu_ticks(STAT, [1]) == Ticks(558699 + 1891 + 71495 + 582939 + 5124 + 11869 + 1508, 1508)
    assert cpu_ticks(STAT, [0]) == Ticks(352061 + 1780 + 68737 + 785708 + 12885 + 7 + 4898 + 1685, 1685)
    assert cpu_ticks(STAT, [0, 1]).stolen == 1685 + 1508
    assert cpu_ticks("", [0]) == Ticks(0, 0)


@pytest.mark.parametrize(
    "before, after, share",
    [
        (Ticks(1000, 10), Ticks(1200, 14), 0.02),
        (Ticks(1000, 10), Ticks(1000, 10), None),
        (None, Ticks(1200, 14), None),
    ],
    ids=["some", "no time passed", "not shown"],
)
def test_steal_is_a_share_of_all_time(before: Ticks | None, after: Ticks, share: float | None) -> None:
    """Between two readings, idle time included."""
    assert steal_share(before, after) == share


@pytest.mark.parametrize(
    "text, cpus", [("0\n", [0]), ("0,64\n", [0, 64]), ("0-3,8\n", [0, 1, 2, 3, 8]), ("", [])], ids=repr
)
def test_lists_of_cpus(text: str, cpus: list[int]) -> None:
    """Numbers and ranges."""
    assert cpu_list(text) == cpus


@pytest.mark.parametrize(
    "texts, groups",
    [
        (["0\n", "1\n"], []),
        (["0,2\n", "1,3\n", "0,2\n", "1,3\n"], [[0, 2], [1, 3]]),
        (["0-1\n", "0-1\n", "2\n"], [[0, 1]]),
        ([], []),
    ],
    ids=["a core each", "two threads a core", "one of each", "not shown"],
)
def test_cpus_that_are_threads_of_one_core_form_a_group(texts: list[str], groups: list[list[int]]) -> None:
    """Each CPU's file names its whole group; a CPU alone on its core has none."""
    assert sibling_groups(texts) == groups


@pytest.mark.parametrize(
    "text, cpus",
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("-1\n 100000\n", None), ("50000\n 100000\n", 0.5)],
    ids=["version 2, none", "version 2", "version 1, none", "version 1"],
)
def test_quotas(text: str, cpus: float | None) -> None:
    """Time allowed by its period."""
    assert quota_of(text) == cpus


@pytest.mark.parametrize(
    "text, found",
    [
        ("usage_usec 10\nnr_periods 9\nnr_throttled 4\nthrottled_usec 250000\n", Throttled(4, 0.25)),
        ("nr_periods 9\nnr_throttled 4\nthrottled_time 250000000\n", Throttled(4, 0.25)),
        ("usage_usec 10\nuser_usec 5\nsystem_usec 5\n", Throttled(0, 0.0)),
    ],
    ids=["version 2", "version 1", "without a quota"],
)
def test_throttling(text: str, found: Throttled) -> None:
    """Microseconds in one version, nanoseconds in the other."""
    assert throttled_in(text) == found


@pytest.mark.parametrize(
    "text, groups",
    [
        ("0::/system.slice/docker.scope\n", ["system.slice/docker.scope", "system.slice", ""]),
        ("0::/\n", [""]),
        ("4:memory:/a\n1:cpu,cpuacct:/a/b\n0::/\n", ["cpu,cpuacct/a/b", "cpu,cpuacct/a", "cpu,cpuacct"]),
        ("", []),
    ],
    ids=["nested", "root", "version 1", "no cgroups"],
)
def test_a_quota_may_stand_anywhere_above_us(text: str, groups: list[str]) -> None:
    """Our own group and every one above it."""
    assert groups_of(text) == groups


def test_what_a_thread_waited_for() -> None:
    """Time on a CPU, time ready without one, and how often it was taken off."""
    assert scheduled("197770355 19370366 671\n") == (197_770_355, 19_370_366)
    assert preemptions(STATUS) == 42
    assert frequency_mhz(CPUINFO) == 2596.2
    assert frequency_mhz("processor : 0\n") is None


def test_what_happened_between_two_readings_is_disclosed() -> None:
    """Differences where the process is the same; since its start where it was started in between; else unknown."""
    pid, other = os.getpid(), os.getppid()
    before = Reading(
        Ticks(1000, 10), Throttled(3, 0.5), {"core": Waited(1, 500, 500, 5), "w0": Waited(pid, 100, 100, 7)}, 1.5
    )
    after = Reading(
        Ticks(1200, 14), Throttled(5, 0.75),
        {"core": Waited(other, 3 * 10**9, 10**9, 4), "w0": Waited(pid, 2 * 10**9 + 100, 100, 9)}, 9.0,
    )  # fmt: skip
    found = disclosed(before, after)
    used = {
        name: [process[key] for key in ("ran_s", "waited_s", "wait_share", "preempted")]
        for name, process in found["processes"].items()
    }
    assert used == {"core": [3.0, 1.0, 0.25, 4], "w0": [2.0, 0.0, 0.0, 2]}
    assert (found["steal_share"], found["throttled"], found["throttled_s"]) == (0.02, 2, 0.25)
    assert found["load_average"] == 1.5
    assert disclosed(before._replace(throttled=None, ticks=None), after)["steal_share"] is None


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system does not count waiting for a CPU")
def test_a_process_is_found_where_it_was_put() -> None:
    """A real child, pinned, nice and interrupting nobody, and gone when it is gone."""
    cpu = own_cpus()[-1]
    code = f"""
import os
os.sched_setaffinity(0, [{cpu}])
os.nice(3)
print("there", flush=True)
input()
sum(range(10**7))
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
print("done", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        before = read({"w0": child.pid})
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        found = disclosed(before, read({"w0": child.pid}))["processes"]["w0"]
        child.stdin.write(b"\n")
    assert [found[key] for key in ("cpus", "policy", "niceness")] == [[cpu], "batch", os.nice(0) + 3]
    assert found["ran_s"] > 0
    assert 0 <= found["wait_share"] < 1
    assert read({"w0": child.pid}).waited == {}
