"""What every part of a fleet shares: clock, ledger, tally, plan, target, and how business time becomes wall time."""

from collections.abc import Callable

import msgspec

from chatload.accounts import account
from chatload.fleet import codes
from chatload.fleet.clock import MS, Time
from chatload.fleet.identity import Identity
from chatload.fleet.recorder import Recorder
from chatload.fleet.tally import Tally
from chatload.plan import Plan
from chatload.scenario.service import ON_HOLD
from chatload.targets import tokens


class MessengerAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A messenger's account of the bank, as the messenger knows it.

    `token`: of its API; `webhook_secret`: what shows that a webhook is genuine; `sender`: its number, page or group;
    `verify_token`: what the handshake is made with.
    """

    token: str
    webhook_secret: str
    sender: str = ""
    verify_token: str = ""


class Target(msgspec.Struct, frozen=True):
    """Where the system under test listens, and the secret that its tokens are signed with.

    `sockets`: the base of its WebSocket addresses, where that is not the same host and port. `mail`: where it takes
    mails, `smtp://…`. `bot_token`: what it shows the bank's own bot. `bank_token`: … the bank's service; "" asks none.
    """

    url: str
    secret: str = ""
    accounts: dict[str, MessengerAccount] = {}
    sockets: str = ""
    mail: str = ""
    bot_token: str = ""
    bank_token: str = ""

    @property
    def socket_url(self) -> str:
        """The base of its WebSocket addresses."""
        return self.sockets or "ws" + self.url.removeprefix("http")


class World:
    """One fleet's surroundings. `t0_ns` and `target` are set before anything is played.

    `worker` of `workers`: whose share this is, and so whose messenger accounts.
    """

    worker = 0
    workers = 1

    def __init__(self, clock: Time, recorder: Recorder, tally: Tally, plan: Plan, run: str, speed: float) -> None:
        self.clock = clock
        self.recorder = recorder
        self.tally = tally
        self.plan = plan
        self.run = run
        self.speed = speed
        self.target = Target("http://127.0.0.1:9")
        self.t0_ns = 0
        self.mailboxes: dict[int, Callable[[str, int], None]] = {}  # by dialog: who waits for a code by mail
        self.drain_ns = 0
        self.silence_ns = 0  # when customers fall silent; what was due before and never started is unsent
        asked = plan.scenario.feedback
        self.asks_to_rate = asked.request if asked is not None else None
        self.returned: dict[str, int] = {}  # by contact: the latest dialog in the plan of who has come back
        said = plan.scenario.replies
        self.automatic = frozenset((ON_HOLD, *(said.by_event().values() if said is not None else ())))  # no answers

    def account(self, channel: str) -> str:
        """The account on which this worker plays a channel."""
        return account(channel, self.worker, self.workers)

    def wall(self, business_ms: float) -> int:
        """Business milliseconds as nanoseconds on the wall."""
        return int(business_ms * MS / self.speed)

    def when(self, business_ms: float) -> int:
        """The moment so many business milliseconds after t0."""
        return self.t0_ns + self.wall(business_ms)

    def business(self, now_ns: int) -> float:
        """The business milliseconds from t0 to a moment."""
        return (now_ns - self.t0_ns) / MS * self.speed

    def phase(self, now_ns: int, ramp: bool = False) -> int:
        """The phase of something that happens now; what belongs to a ramp dialog stays in the ramp."""
        if ramp or now_ns < self.t0_ns or not self.t0_ns:
            return codes.RAMP
        return codes.DRAIN if self.drain_ns and now_ns >= self.drain_ns else codes.MAIN

    def planned(self, identity: Identity) -> bool:
        """Whether a customer's text belongs to a dialog of this run's plan."""
        return identity.run == self.run and self.has_dialog(identity.n)

    def has_dialog(self, index: int) -> bool:
        """Whether the plan has a dialog of this index."""
        try:
            self.plan.dialog(index)
        except KeyError:
            return False
        return True

    def token(self, role: tokens.Role, subject: str) -> str:
        """A token for a customer (contact) or an operator (id) of the target."""
        return tokens.make(self.target.secret, role, subject)
