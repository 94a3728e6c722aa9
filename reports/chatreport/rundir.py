"""The run directory: the one schema that the load side writes and the judging side reads.

    manifest.json         what was run, on what, with which plan (`Manifest`)
    scenario.toml         the scenario as resolved
    ledger/*.parquet      one row per thing that happened (`ROW`), in parts per worker
    timeseries.parquet    gauges once a second (`GAUGES`)
    verdict.json, report.html, summary.md, junit.xml, plots/*.png   made from the above, and again at will
    latency.hlog, latency/*.hgrm    the same for HdrHistogram's tools: an interval log and percentiles, values in ns

A ledger row is a fixed-size binary record while the load runs (so that recording costs one `pack_into`) and a
typed Parquet row afterwards. Times are monotonic nanoseconds of the recording host; -1 stands for "none" in every
number column, the empty string in every text column.
"""

import enum
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from chatreport.errors import UnreadableRun

SCHEMA: Final = 1


class What(enum.IntEnum):
    """What a row records, and who records it."""

    # A customer's script ended; outcome: COMPLETED, ABANDONED, FAILED or IN_FLIGHT; intended = planned start,
    # started = first act (-1: never), done = end.
    DIALOG = 1
    CONNECT = 2  # a socket was opened: intended dial, started, done = logged in; epoch = n-th connection of `who`
    RESUME = 3  # the same for a redial with a cursor (cursor = its seq); done = last missed frame
    # A message was sent by a customer, an operator or a probe (socket: number and seq of the ack), or by a provider's
    # webhook; one row per attempt. Of an edit (`Kind.EDITED`): the message's identity, `cursor` = its number.
    SEND = 4
    # An observer (`who`) saw a dialog entry: done = stamp of the read callback; epoch; `cursor` = number of the edit
    # whose words it shows. QUEUED: reason = department, rule = skill, sender = why, if it is because of
    # the bank's bot: bot_slow, bot_broken, bot_wrong. TRANSFERRED: by author, under assignment, to
    # reason = department, rule = skill, sender = operator. CALL: provider_id = the call,
    # reason = its state.
    ENTRY = 5
    # A desk saw an offer: assignment, place, priority, done; size = the dialog's weight in slots, 0 = all of them;
    # reason = department, rule = skill, author = language.
    OFFER = 6
    ACCEPT = (
        7  # a desk accepted: assignment, started, done = answer; OK (seq = the assigned entry's) or REJECTED (reason)
    )
    CLOSE = 8  # a desk or customer asked to close: started, done = closed entry
    # A seat changed presence: reason = online, away, offline; done = acknowledged; slots in `size`. What it may take,
    # names with commas between them: sender = departments (empty: not known), rule = skills, author = languages.
    PRESENCE = 9
    # A history read: started, done; number and seq = the highest entry's; size = entries (-1: a desk was shown what
    # there is of a person's other contact); cursor = the seq read after; assignment = the ownership that allows it.
    HISTORY = 10
    # The simulated provider got a send request: identity, provider_id; outcome OK (200), REJECTED (4xx incl. 429;
    # reason = the status) or INDETERMINATE (5xx, or not answered); started = received, done = answered.
    ATTEMPT = 11
    RECEIPT = 12  # a desk saw a receipt: seq, provider_id, reason = sent, delivered, read or failed
    PROBE = 13  # an open-loop probe's answer: identity, intended, started, done = ack
    MIRROR = 14  # a loopback self-echo through the fleet's own loop: the measurement floor
    FAULT = 15  # the suite did something to the system: reason = kill, restart, stop; started, done
    # An entry of the final history, read after one more kill -9 (claims of the platform), in log order; as in ENTRY.
    AUDIT = 16
    AUDIT_RECEIPT = 17  # a receipt of the final history: seq, provider_id, reason = sent, delivered, read or failed
    # A dialog of the platform's final state: reason = bot, queued, offered, assigned, on_hold; author = operator;
    # outcome REJECTED if that operator is not there.
    STATE = 18
    UNSENT = 19  # a step that was due and never started; reason = dialog or step
    WITHDRAWN = 20  # a desk saw its offer withdrawn: assignment, done
    # A provider posted a receipt of a reply: provider_id, reason = sent, delivered, read or failed; intended = when it
    # was to go, started, done = answer; one row per attempt and reply, also where one event covers several.
    CALLBACK = 21
    FETCH = 22  # a provider fetched an attachment that was sent by URL: size; OK if it is whole, else reason
    # A customer rated a closed dialog: size = score, place = the best there is; by a socket (number = the dialog's) or
    # in a message through a provider's webhook (provider_id); one row per attempt.
    RATING = 23
    AUDIT_RATING = 24  # a rating of the final history: size = score, place = the best there is; provider_id
    # A telephone exchange told of a call: provider_id = the call, reason = ringing, answered, abandoned, finished or
    # unreached; intended = when it happened, started, done = answer; one row per attempt.
    CALL = 25
    # The bank's own bot was asked about a message: identity, started, done = answered; reason = answer, suggestion,
    # handover (rule = topic), broken or wrong; INDETERMINATE, and slow, if it did not answer in time.
    ASKED = 26
    # The bank's own service was asked: reason = account, or the operation; contact = of the person it is about; of an
    # operation the identity that its words carry, and done = when it said them.
    BANK = 27
    # A one-time code: reason = mailed (done = when the customer's mail server took it), typed (the right
    # one), mistyped.
    CODE = 28
    # A stranger asked for something: rule = how, size = requests, contact = whom they pretended to be; OK if it was
    # taken, REJECTED if not (reason = the status, or the code that a socket was closed with); intended, started, done.
    HOSTILE = 29
    # The bank asked for a notice to a contact: rule = template, size = 1 if they may get it, else 0;
    # one row per attempt.
    NOTICE = 30
    BILL = 31  # what the platform bills an account (`contact`) for: size = notices delivered


class Outcome(enum.IntEnum):
    """How it ended. A time-out or a broken socket is INDETERMINATE, never a failure."""

    NONE = 0
    OK = 1
    REJECTED = 2
    INDETERMINATE = 3
    COMPLETED = 4
    ABANDONED = 5
    FAILED = 6
    IN_FLIGHT = 7


class Kind(enum.IntEnum):
    """The kind of a dialog entry; each takes a seq. NOTICE stands in no dialog, but under the contact's number 0."""

    NONE = 0
    MESSAGE = 1
    QUEUED = 2
    ASSIGNED = 3
    RELEASED = 4
    CLOSED = 5
    TRANSFERRED = 6
    HELD = 7
    RESUMED = 8
    EDITED = 9
    CALL = 10
    RATED = 11
    NOTICE = 12


class Phase(enum.IntEnum):
    """When: RAMP is judged for delivery only, MAIN for everything, DRAIN is what follows the last planned start."""

    NONE = 0
    RAMP = 1
    MAIN = 2
    DRAIN = 3


class Channel(enum.IntEnum):
    """Channels of this version; NONE for what belongs to no channel."""

    NONE = 0
    WEB = 1
    APP = 2
    TELEGRAM = 3
    MESSENGER = 4
    VIBER = 5
    VK = 6
    WHATSAPP = 7
    INFOBIP = 8
    SMS = 9
    MAX = 10
    EMAIL = 11
    PHONE = 12


# Where replies leave through somebody else's API, and where a contact's messages come in the order they were written.
MESSENGERS: Final = tuple(channel for channel in Channel if channel >= Channel.TELEGRAM)
IN_ORDER: Final = (Channel.TELEGRAM, Channel.MESSENGER)


# Text columns are dictionary ids while recording; the recorder keeps the dictionary.
ROW: Final = np.dtype(
    [
        ("intended", "<i8"),  # when it should have happened (plan, or trigger's receipt + planned reaction)
        ("started", "<i8"),  # when it did
        ("done", "<i8"),  # when the answer came, or the thing was seen
        ("assignment", "<i8"),  # the floor's assignment number
        ("place", "<i8"),  # the floor's queue place
        ("provider_id", "<i8"),  # the messenger's message id, of a text a hash (inbound update's or outbound answer's)
        ("plan", "<i4"),  # the planned dialog's index
        ("number", "<i4"),  # the platform's dialog number of the contact
        ("seq", "<i4"),  # position in the dialog
        ("counter", "<i4"),  # identity: the sender's counter
        ("cause_seq", "<i4"),  # automatic texts: seq of the entry that caused it
        ("priority", "<i4"),
        ("epoch", "<i4"),  # n-th connection of `who`
        ("cursor", "<i4"),  # the seq to go on after; of an edit its number
        ("size", "<i4"),  # characters, slots or entries, see What
        ("attempt", "<i4"),  # n-th try of the same identity
        ("who", "<i4"),  # text: the actor: c1042, o17, p3, telegram, auditor, suite
        ("contact", "<i4"),  # text: web/u1042
        ("sender", "<i4"),  # text: identity: the sender in the message's text
        ("author", "<i4"),  # text: as the platform shows it: customer, o17, bot, system
        ("rule", "<i4"),  # text: automatic texts: the rule; of queue, floor and seats: skills
        ("reason", "<i4"),  # text
        ("what", "u1"),
        ("outcome", "u1"),
        ("kind", "u1"),
        ("phase", "u1"),
        ("channel", "u1"),
    ]
)
TEXT_COLUMNS: Final = ("who", "contact", "sender", "author", "rule", "reason")
# Of each worker's last second; percentiles of several workers or seconds are taken from the ledger, not from these.
GAUGES: Final = (
    "t_ns", "worker", "open", "waiting", "messages", "unconfirmed", "seats", "busy", "started", "planned",
    "lag_p99_ms", "deliver_p99_ms", "fleet_cpu", "fleet_rss_mb", "core_cpu", "core_rss_mb",
)  # fmt: skip


def write_part(folder: Path, worker: str, part: int, rows: npt.NDArray[Any], texts: list[str]) -> Path:
    """Write `rows` (dtype `ROW`) as one Parquet part; text ids index `texts`, -1 is the empty string.

    The file appears whole or not at all: it is written beside and renamed. Arrow gives back what memory that took.
    """
    dictionary = _strings([*texts, ""])
    columns: dict[str, pa.Array] = {}
    for name in ROW.names or ():
        values = np.ascontiguousarray(rows[name])
        if name in TEXT_COLUMNS:
            ids = np.where(values < 0, len(texts), values).astype(np.int32)
            columns[name] = pa.DictionaryArray.from_arrays(_numbers(ids), dictionary)
        else:
            columns[name] = _numbers(values)
    path = folder / f"{worker}-{part:05}.parquet"
    beside = path.with_suffix(".writing")
    # numbers hardly repeat, and nobody asks for a part of a part: dictionaries of them and statistics cost a third more
    of_texts = list(TEXT_COLUMNS)
    pq.write_table(pa.table(columns), beside, use_dictionary=of_texts, compression="zstd", write_statistics=False)
    beside.rename(path)
    pa.default_memory_pool().release_unused()
    return path


def _numbers(values: npt.NDArray[Any]) -> pa.Array:
    """An array of Arrow's in the memory of `values`; `pa.array` would import pandas, here and below."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _strings(texts: list[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def ledger_parts(run: Path) -> Iterator[Path]:
    """The ledger's parts in name order.

    Raises:
        UnreadableRun: `run` has no ledger.
    """
    parts = sorted((run / "ledger").glob("*.parquet"))
    if not parts:
        raise UnreadableRun(run, "it has no ledger/*.parquet", "name the directory that `chatload run` printed")
    yield from parts


def part_clocks(run: Path, manifest: dict[str, Any]) -> list[int] | None:
    """The number of the clock that stamped each of `ledger_parts`; -1 if nobody knows; None if all have one."""
    clocks = {str(worker.get("name")): str(worker.get("clock", "")) for worker in manifest.get("workers") or []}
    numbers = {clock: number for number, clock in enumerate(sorted(set(clocks.values())))}
    if len(numbers) < 2:
        return None
    found = (clocks.get(path.stem.rpartition("-")[0]) for path in ledger_parts(run))
    return [-1 if clock is None else numbers[clock] for clock in found]


def read_ledger(run: Path) -> pa.Table:
    """The whole ledger as one table, text columns as one shared dictionary each.

    Raises:
        UnreadableRun: no ledger, or a part is truncated or has other columns.
    """
    return pa.concat_tables(read_parts(run)).unify_dictionaries().combine_chunks()


def read_parts(run: Path) -> Iterator[pa.Table]:
    """The ledger part by part; a text column's dictionary is the part's own.

    Raises:
        UnreadableRun: as `read_ledger`.
    """
    return map(_read_part, ledger_parts(run))


def _read_part(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:  # not `read_table`, which imports pandas to read one file
            table = file.read(use_threads=False)  # a part's columns are too short to be worth a thread each
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableRun(
            path, f"not a whole Parquet file ({reason})", "repeat the run; a ledger is never repaired"
        ) from error
    missing = sorted(set(ROW.names or ()) - set(table.column_names))
    if missing:
        raise UnreadableRun(
            path, f"columns are missing: {', '.join(missing)}", "judge it with the version that wrote it"
        )
    foreign = [f"{name} is {table.schema.field(name).type}" for name in ROW.names or () if not _fits(table, name)]
    if foreign:
        raise UnreadableRun(path, f"columns are of another type: {', '.join(foreign)}", "judge it with its own version")
    return table.select(list(ROW.names or ()))


def _fits(table: pa.Table, name: str) -> bool:
    """Whether a column has the type that `write_part` gives it, and no nulls."""
    wanted = pa.dictionary(pa.int32(), pa.string()) if name in TEXT_COLUMNS else pa.from_numpy_dtype(ROW[name])
    return bool(table.schema.field(name).type == wanted and table.column(name).null_count == 0)


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest.

    Raises:
        UnreadableRun: absent, not JSON, or of another schema.
    """
    path = run / "manifest.json"
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableRun(run, "it has no manifest.json", "name the directory that `chatload run` printed") from error
    except ValueError as error:
        raise UnreadableRun(path, f"not JSON ({error})", "repeat the run") from error
    if not isinstance(manifest, dict):
        raise UnreadableRun(path, "not a JSON object", "repeat the run")
    if manifest.get("schema") != SCHEMA:
        raise UnreadableRun(
            path,
            f"schema {manifest.get('schema')!r}, this version reads {SCHEMA}",
            "judge it with the version that wrote it",
        )
    return manifest


def write_manifest(run: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest` whole or not at all."""
    beside = run / "manifest.writing"
    beside.write_text(
        json.dumps({"schema": SCHEMA, **manifest}, indent=2, ensure_ascii=False, sort_keys=True) + "\n",
        encoding="utf-8",
    )
    beside.rename(run / "manifest.json")
