"""The operators that one worker plays, by the numbers of their seats."""

from chatload.fleet.duty import Seated
from chatload.fleet.live import Live
from chatload.fleet.office import Office
from chatload.fleet.seats import Seat
from chatload.fleet.world import World


class Seats:
    """The seats this worker plays, by number; a seat that comes back goes on counting its messages."""

    def __init__(self, world: World, live: Live, office: Office, seated: Seated) -> None:
        self._world = world
        self._live = live
        self._office = office
        self._seated = seated
        self._seats: dict[int, Seat] = {}
        self._begun = False

    def set(self, n: int, on: bool) -> None:
        """Have seat `n` log on, or off; `seated` tells when it has."""
        if on:
            (self._seats.get(n) or self._new(n)).sit()
        elif n in self._seats:
            self._seats[n].stand()
        else:
            self._seated(n, False)

    def begin(self) -> None:
        """Have everybody go by the roster, once t0 is known; those who come later, too."""
        self._begun = True
        for seat in self._seats.values():
            seat.begin()

    def shut(self) -> None:
        """Close every desk at once."""
        for seat in self._seats.values():
            seat.shut()

    def _new(self, n: int) -> Seat:
        seat = self._seats[n] = Seat(self._world, self._live, self._office, n, self._seated)
        if self._begun:
            seat.begin()
        return seat
