"""How the records of a batch share one blob: a checksum, their lengths, then their bytes back to back."""

import struct
import zlib
from collections.abc import Sequence

_HEAD = struct.Struct("<II")  # checksum of all that follows it, number of records


class BrokenFrame(ValueError):
    """The blob is not what `pack` made; the message says why."""


def pack(records: Sequence[bytes]) -> bytes:
    """One blob of the records, of 8 + 4 bytes a record + their own bytes; each below 4 GiB."""
    count = len(records)
    body = b"".join((struct.pack(f"<I{count}I", count, *map(len, records)), *records))
    return b"".join((struct.pack("<I", zlib.crc32(body)), body))


def unpack(blob: bytes) -> list[bytes]:
    """The records of a blob. Raises BrokenFrame when the checksum or a length does not hold."""
    if len(blob) < _HEAD.size:
        raise BrokenFrame(f"{len(blob)} bytes are too few for a batch")
    checksum, count = _HEAD.unpack_from(blob)
    if zlib.crc32(memoryview(blob)[4:]) != checksum:
        raise BrokenFrame("the checksum does not match")
    return _slices(blob, count)


def _slices(blob: bytes, count: int) -> list[bytes]:
    start = _HEAD.size + 4 * count
    if len(blob) < start:
        raise BrokenFrame(f"{count} lengths do not fit into {len(blob)} bytes")
    records = []
    for length in struct.unpack_from(f"<{count}I", blob, _HEAD.size):
        records.append(blob[start : start + length])
        start += length
    if start != len(blob):
        raise BrokenFrame(f"the lengths add up to {start} bytes, not {len(blob)}")
    return records
