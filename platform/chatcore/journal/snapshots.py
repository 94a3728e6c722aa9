"""Snapshots as files beside the journal, so that writing one never holds up a commit."""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chatcore.journal.port import Snapshot
from chatcore.journal.schema import sync_folder

KEPT = 2
PARTS_A_WRITE = 1_000
_HEAD = struct.Struct("<I16sQQ")  # checksum of all that follows it, journal's identity, position, version


class Unsaved(NamedTuple):
    """A snapshot to be stored, in parts."""

    position: int
    version: int
    parts: Sequence[bytes]


class SnapshotFolder:
    """The newest snapshots of each log. `identity` ties them to their journal: another one's are passed over."""

    def __init__(self, folder: Path, identity: bytes) -> None:
        self._folder = folder
        self._identity = identity

    def save(self, log: int, snapshot: Unsaved) -> None:
        """Store durably, then remove all but the newest two. Raises OSError."""
        head = _HEAD.pack(0, self._identity, snapshot.position, snapshot.version)
        checksum = zlib.crc32(head[4:])
        path = self._path(log, snapshot.position)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb", buffering=0) as file:
            _write_all(file.fileno(), head)
            for first in range(0, len(snapshot.parts), PARTS_A_WRITE):
                piece = b"".join(snapshot.parts[first : first + PARTS_A_WRITE])
                checksum = zlib.crc32(piece, checksum)
                _write_all(file.fileno(), piece)
            file.seek(0)
            _write_all(file.fileno(), struct.pack("<I", checksum))
            os.fsync(file.fileno())
        unfinished.rename(path)
        sync_folder(self._folder)
        for old in self._of(log)[:-KEPT]:
            old.unlink()

    def latest(self, log: int, head: int) -> Snapshot | None:
        """The newest whole snapshot at or before `head`; those that cannot belong to this log are removed."""
        for path in reversed(self._of(log)):
            snapshot = self._load(path)
            if snapshot is not None and snapshot.position <= head:
                return snapshot
            path.unlink()
        return None

    def _load(self, path: Path) -> Snapshot | None:
        data = path.read_bytes()
        if len(data) < _HEAD.size:
            return None
        checksum, identity, position, version = _HEAD.unpack_from(data)
        if zlib.crc32(memoryview(data)[4:]) != checksum or identity != self._identity:
            return None
        return Snapshot(position, version, data[_HEAD.size :])

    def _path(self, log: int, position: int) -> Path:
        return self._folder / f"snapshot-{log}-{position:020}.bin"

    def _of(self, log: int) -> list[Path]:
        return sorted(self._folder.glob(f"snapshot-{log}-*.bin"))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
