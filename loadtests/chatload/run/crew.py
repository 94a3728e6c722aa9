"""The fleets of one run, one a worker: what each has said, who is lost, and the places they have in the run.

A worker that is lost is not waited for any more; the others go on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from gevent.event import Event

from chatload import host
from chatload.control import gauges
from chatload.errors import BadOption, ChatloadError, GeneratorFailed, Interrupted
from chatload.run.arrivals import Arrivals
from chatload.run.offsets import OURS, Answer, Offset, measured

TICK_S: Final = 0.1
SILENT_S: Final = 10.0  # a fleet reports every second: one that was not heard for so long is lost
AWAY_S: Final = 2.0  # who did not look for so long cannot say who was silent meanwhile
ANSWERS_WITHIN_S: Final = 1.0

Message = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A worker's place in a run: worker `index` of `count`, recording into `rundir`."""

    index: int
    count: int
    run: str
    rundir: Path
    cpus: list[int]

    @property
    def name(self) -> str:
        """What the ledger and the manifest call the worker."""
        return f"w{self.index}"

    @property
    def log(self) -> Path:
        """Where its fleet's words go."""
        return self.rundir / ("fleet.log" if self.count == 1 else f"fleet-{self.name}.log")


class Link(Protocol):
    """The way to one fleet, wherever it runs.

    What the fleet says goes to `on_message`, in order, and its end, with its last words, to `on_end`.
    """

    def send(self, do: str, **rest: Any) -> None:
        """Say something to the fleet; lost without an error if it is gone."""

    def close(self) -> None:
        """End the fleet. May be called twice."""

    def processes(self) -> list[int]:
        """Its process ids, the fleet's first, as far as they are this machine's."""


Open = Callable[[Place, Callable[[Message], None], Callable[[str], None]], Link]


@dataclass
class Member:
    """One worker: `said` has its latest message of each kind; `ended` its last words once it can say no more."""

    place: Place
    link: Link
    arrivals: Arrivals
    said: dict[str, Message] = field(default_factory=dict)
    ended: str | None = None
    heard_s: float = 0.0
    offset: Offset = OURS

    @property
    def lost(self) -> bool:
        """Whether it ended without having closed its ledger."""
        return self.ended is not None and "bye" not in self.said


class Crew:
    """Everybody who plays a run. `opens` makes the link of each.

    `on_message` gets what is nobody's business here; the row of gauges and the crew's sums go to `on_gauges` with each
    report, sums only with those of one worker, so once a second.
    """

    def __init__(
        self,
        opens: Sequence[Open],
        on_message: Callable[[str, Message], None],
        on_gauges: Callable[[dict[str, Any], dict[str, float] | None], None],
    ) -> None:
        self.seated: set[int] = set()
        self.members: list[Member] = []
        self._opens, self._on_message, self._on_gauges = opens, on_message, on_gauges
        self._heard = Event()
        self._looked_s = 0.0

    @property
    def present(self) -> list[Member]:
        """Those who can still be asked."""
        return [member for member in self.members if member.ended is None]

    @property
    def lost(self) -> dict[str, str]:
        """Last words by the name of whoever ended without having closed its ledger."""
        return {member.place.name: member.ended or "" for member in self.members if member.lost}

    @property
    def gone(self) -> bool:
        """Whether nobody is left to answer."""
        return bool(self.members) and not self.present

    # The order of a run

    def open(self, run: str, rundir: Path, cpus: list[list[int]]) -> None:
        """Start every fleet."""
        for index, (open_link, own) in enumerate(zip(self._opens, cpus, strict=True)):
            place = Place(index, len(self._opens), run, rundir, own)

            def heard(message: Message, index: int = index) -> None:
                self._take(self.members[index], message)

            def ended(words: str, index: int = index) -> None:
                self._end(self.members[index], words)

            arrivals = Arrivals(rundir / "ledger", place.name)
            self.members.append(Member(place, open_link(place, heard, ended), arrivals))

    def require(self, kind: str, otherwise: str, within_s: float, given_up: Callable[[], bool]) -> None:
        """Wait until everybody has said this.

        Raises:
            GeneratorFailed: somebody ended, or did not say it in time; with its name and last words.
            Interrupted: it was given up meanwhile.
        """
        deadline_s = time.monotonic() + within_s
        while missing := [member for member in self.members if kind not in member.said]:
            if self.lost or time.monotonic() > deadline_s:
                member = next((member for member in missing if member.ended is not None), missing[0])
                raise GeneratorFailed(f"{self._subject(member)} {otherwise}: {member.ended or 'it said nothing'}")
            if given_up():
                raise Interrupted
            self._listen()

    def meet(self, listens: str) -> None:
        """Once all have said hello: learn whose clocks differ from ours, by how much.

        Raises:
            BadOption: somebody is in another network, where a target that `listens` on loopback cannot be reached.
        """
        for member in self.members:
            hello = member.said["hello"]
            if hello.get("network", host.network()) != host.network() and host.is_loopback(listens):
                what = f"{member.place.name} on {hello['host']} cannot reach it; name an address that it reaches"
                raise BadOption("--master-bind-host", listens, what)
        self.compare_clocks()

    def compare_clocks(self) -> None:
        """Measure the clocks that are not ours, again if need be: what changed in between counts as uncertainty."""
        for member in self.present:

            def ask(member: Member = member) -> Answer | None:
                return self._ping(member)

            if member.said["hello"].get("clock", host.clock()) != host.clock():
                member.offset = member.offset.again(measured(ask))

    def arm(self, config: dict[str, Any]) -> None:
        """Tell everybody what is played, and whose share is whose."""
        for member in self.members:
            place = member.place
            own = {"index": place.index, "count": place.count, "worker": place.name, "rundir": str(place.rundir)}
            member.link.send("arm", config=config | own)

    def callbacks(self) -> dict[str, str]:
        """Where the provider of each messenger account listens; once everybody is armed."""
        return {name: url for member in self.members for name, url in member.said["armed"]["callbacks"].items()}

    def send(self, do: str, **rest: Any) -> None:
        """Tell everybody who is left."""
        for member in self.present:
            member.link.send(do, **rest)

    def go(self, t0_ns: int) -> None:
        """Tell everybody when it begins, each by its own clock."""
        for member in self.present:
            member.link.send("go", t0_ns=t0_ns + member.offset.ns)

    def seat(self, number: int, on: bool) -> None:
        """Have an operator come or go, at the worker whose seat it is."""
        if self.members:
            self.members[(number - 1) % len(self.members)].link.send("seat", n=number, on=on)

    def look_after(self) -> None:
        """Called several times a second while everybody reports: give up who has fallen silent."""
        now_s = time.monotonic()
        away_s = now_s - self._looked_s
        self._looked_s = now_s
        for member in self.present:
            if away_s > AWAY_S:
                member.heard_s = now_s
            if now_s - member.heard_s > SILENT_S:
                self._end(member, f"nothing was heard of it for {SILENT_S:g} s")
                member.link.close()

    def all_said(self, kind: str) -> bool:
        """Whether everybody who is left has said this."""
        return all(kind in member.said for member in self.present)

    def wait(self, kind: str, silence_s: float) -> None:
        """Until everybody who is left has said this, or has been silent for so long."""
        begun_s = time.monotonic()
        while waiting := [member for member in self.present if kind not in member.said]:
            self._listen()
            if time.monotonic() - max(begun_s, *(member.heard_s for member in waiting)) > silence_s:
                return

    def close(self) -> None:
        """End every fleet. May be called at any time, and twice."""
        for member in self.members:
            member.link.close()

    def processes(self) -> list[int]:
        """The process ids that are this machine's."""
        return [pid for member in self.members for pid in member.link.processes()]

    def fleets(self) -> dict[str, int]:
        """The process ids of the fleets on this machine."""
        return {member.place.name: own[0] for member in self.members if (own := member.link.processes())}

    # For the record

    @property
    def unsent(self) -> int:
        """How many due steps nobody started, as far as the workers said; -1 if none did."""
        told = [member.said["drained"]["unsent"] for member in self.members if "drained" in member.said]
        return sum(told) if told else -1

    def shifts(self) -> dict[str, int]:
        """By how many ns the record of a worker runs ahead of our clock, where it does."""
        return {member.place.name: member.offset.ns for member in self.members if member.offset.ns}

    def manifest(self) -> list[dict[str, Any]]:
        """A line for each worker."""
        return [
            {
                "name": member.place.name,
                "host": member.said.get("hello", {}).get("host", ""),
                "pid": member.said.get("hello", {}).get("pid", -1),
                "rows": member.said.get("bye", {}).get("rows", 0),
                "lost": "bye" not in member.said,
                "clock": member.said.get("hello", {}).get("clock", host.clock()),
                "clock_ahead_ns": member.offset.ns,
                "clock_uncertainty_ns": member.offset.uncertainty_ns,
            }
            for member in self.members
        ]

    def anchors(self) -> list[dict[str, Any]]:
        """Wall and monotonic time at each worker's start, by its own clocks."""
        return [
            {"process": member.place.name, **member.said["hello"]["anchor"]}
            for member in self.members
            if "hello" in member.said
        ]

    # Inside

    def _take(self, member: Member, message: Message) -> None:
        member.heard_s = time.monotonic()
        if member.ended is not None:
            return
        member.said[message["is"]] = message
        match message["is"]:
            case "seated":
                (self.seated.add if message["on"] else self.seated.discard)(message["n"])
            case "report":
                self._report(member, message)
            case "part":
                self._keep(member, message)
            case "pong":
                message["ns"] = time.monotonic_ns()
        self._heard.set()
        self._on_message(member.place.name, message)

    def _keep(self, member: Member, message: Message) -> None:
        """A piece of a ledger that is not written here."""
        try:
            member.arrivals.take(message)
        except ChatloadError as error:
            self._end(member, str(error))
        member.link.send("took")

    def _end(self, member: Member, words: str) -> None:
        if member.ended is None:
            member.ended = words
            count = len(self.members)
            self.seated -= {number for number in self.seated if (number - 1) % count == member.place.index}
        self._heard.set()

    def _report(self, member: Member, message: Message) -> None:
        row = gauges.row(message, member.place.name)
        row["t_ns"] -= member.offset.ns
        leads = member is self.present[0]
        reports = [each.said["report"] for each in self.present if "report" in each.said]
        self._on_gauges(row, gauges.together(reports) if leads else None)

    def _ping(self, member: Member) -> Answer | None:
        """When a question was sent and answered by our clock, and when it was by theirs; None without an answer."""
        member.said.pop("pong", None)
        sent_ns, deadline_s = time.monotonic_ns(), time.monotonic() + ANSWERS_WITHIN_S
        member.link.send("ping")
        while "pong" not in member.said:
            if time.monotonic() > deadline_s or member.ended is not None:
                return None
            self._listen()
        return sent_ns, member.said["pong"]["ns"], member.said["pong"]["at_ns"]

    def _listen(self) -> None:
        self._heard.clear()
        self._heard.wait(TICK_S)

    def _subject(self, member: Member) -> str:
        return "the fleet" if len(self.members) == 1 else f"the fleet of {member.place.name}"
