"""Attachments: stored once, under a name that only this installation can make of their bytes."""

import asyncio
import hmac
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

from chatcore.journal.schema import create_folder, sync_folder
from chatcore.machines.commands import Refused

MAX_FILE: Final = 10 * 1024 * 1024
NAME: Final = re.compile("[0-9a-f]{64}")


class Files:
    """The attachments of an installation, in `folder`, or in memory without one. Blocking work has its own thread."""

    def __init__(self, folder: Path | None, secret: str) -> None:
        self._folder = folder
        self._secret = secret.encode()
        self._kept: dict[str, bytes] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="files")

    async def keep(self, data: bytes) -> str:
        """Store the bytes durably; their name, the same for the same bytes.

        Raises:
            OSError: they cannot be stored.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._keep, data)

    async def read(self, ref: str) -> bytes | None:
        """The bytes of that name, if there are any."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, ref)

    def size(self, ref: str) -> int:
        """How many bytes have that name.

        Raises:
            Refused: none.
        """
        try:
            return len(self._kept[ref]) if self._folder is None else self._path(ref).stat().st_size
        except (KeyError, FileNotFoundError, ValueError) as fault:
            raise Refused("unknown_file") from fault

    def close(self) -> None:
        """Finish what was asked; blocks."""
        self._thread.shutdown()

    def _keep(self, data: bytes) -> str:
        ref = hmac.new(self._secret, data, sha256).hexdigest()
        if self._folder is None:
            self._kept[ref] = data
        elif not self._path(ref).exists():
            self._write(self._path(ref), data)
        return ref

    def _read(self, ref: str) -> bytes | None:
        if self._folder is None:
            return self._kept.get(ref)
        try:
            return self._path(ref).read_bytes()
        except (FileNotFoundError, ValueError):
            return None

    def _path(self, ref: str) -> Path:
        assert self._folder is not None, "in memory there are no paths"
        if NAME.fullmatch(ref) is None:
            raise ValueError(ref)
        return self._folder / ref[:2] / ref[2:]

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        """Whole and durable, or not at all."""
        create_folder(path.parent)
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_folder(path.parent)


Link = Callable[[str, str], str]
"""(ref, name) → an address at which a provider may fetch the bytes for a while."""
