"""What a customer does who asks for what only the owner of an account may know: shows who they are, by a mailed code.

Who does not own the account they name sees no mail, guesses, and asks all the same.
"""

from chatload.fleet import codes
from chatload.fleet.clock import NEVER
from chatload.fleet.frames import Entry
from chatload.fleet.identity import BANK, Identity
from chatload.fleet.script import End, Last, Script, Yes
from chatload.plan import Turn
from chatload.plan.model import Proof, ProofStep

AGAIN_MOST = 5  # times that a code is typed again because the platform asks for it as if it had come too early
WRONG = "000000"


class Applicant(Script):
    """One customer playing one planned dialog in which they are to show who they are."""

    __slots__ = ("_code", "_mail_ns", "_said", "_told")

    def _converse(self) -> Last:
        proof = self.dialog.proof
        assert proof is not None, "who is planned to show who they are has a way to"
        self._code, self._said, self._mail_ns, self._told = "", "", 0, False
        if proof.mail_ms is not None:
            self._world.mailboxes[self.dialog.index] = self._mailed
        self._channel.open(self._start_ns)
        self._reply_ns = self._start_ns
        request = ""
        for step, turn in zip(proof.steps, self.dialog.turns, strict=True):
            for _ in range(AGAIN_MOST):
                if not (yield from self._take(proof, step, turn)):
                    return self._over or (yield from self._give_up())
                if step not in ("code", "wrong") or self._said != request:
                    break
            request = self._said if step == "account" else request
        if self._world.target.bank_token and not self._told and proof.mail_ms is not None:
            yield from self._goodbye(self._reply_ns)
            return End(codes.FAILED, "not told")
        return (yield from self._finish())

    def _take(self, proof: Proof, step: ProofStep, turn: Turn) -> Yes:
        """Carry out a step and wait for the answer; False if the dialog is over, or patience ends before."""
        trigger_ns = self._reply_ns
        if step in ("code", "wrong") and proof.mail_ms is not None and self._world.target.bank_token:
            if not (yield from self._look_for_mail()):
                return False
            trigger_ns = max(trigger_ns, self._mail_ns + self._world.wall(proof.mail_ms))
        self._due_ns = trigger_ns + self._world.wall(turn.think_ms)
        if not (yield from self._come(self._due_ns)):
            return False
        before = self._score(turn)
        self._write(proof, step)
        return (yield from self._answer(turn, before))

    def _look_for_mail(self) -> Yes:
        """Wait for the code; False if the dialog is over, or patience ends before."""
        until_ns = self._reply_ns + self._world.wall(self.dialog.reply_patience_ms)
        while not self._code and self._over is None and self._world.clock.now_ns() < until_ns:
            yield until_ns
        return bool(self._code) and self._over is None

    def _write(self, proof: Proof, step: ProofStep) -> None:
        """Send what this step says; a code stands alone, or it would be none."""
        words = {"ask": self._world.plan.asking(self.dialog.index, self._sent), "account": proof.account}.get(step, "")
        message = self._actor.message(self._subject, self._sent + 1, words, self._due_ns)
        message.to, message.final = "bot", True  # new words would be stored under a mask, too
        if not words:
            right = step == "code" and bool(self._code)
            message.text = self._code if right else _other(self._code)
            message.size = len(message.text)
            self._typed("typed" if right else "mistyped")
        self._asked_ns, self._due_ns = self._due_ns, NEVER
        self._sent += 1
        self._channel.send(message)

    def _typed(self, how: str) -> None:
        now_ns = self._world.clock.now_ns()
        self._actor.row(
            codes.CODE, codes.OK, self._subject, now_ns, started=now_ns, counter=self._sent + 1,
            reason=self._world.recorder.text(how),
        )  # fmt: skip

    def _mailed(self, code: str, stamp_ns: int) -> None:
        """A mail with a code has come."""
        self._code, self._mail_ns = code, stamp_ns
        self._actor.row(
            codes.CODE, codes.OK, self._subject, stamp_ns, done=stamp_ns, reason=self._world.recorder.text("mailed")
        )
        self._change()

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """Remember what the bot said last, and whether that was what only the owner may know."""
        if entry.kind == "message" and entry.author == "bot":
            self._said = entry.text
            self._told = self._told or (identity is not None and identity.role == BANK)
        super().saw(entry, identity, stamp_ns)

    def _leave(self) -> None:
        self._world.mailboxes.pop(self.dialog.index, None)
        super()._leave()


def _other(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}" if code else WRONG
