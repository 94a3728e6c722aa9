"""Parts of a ledger that were written on another machine, arriving in pieces; each appears whole or not at all."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from chatload.errors import GeneratorFailed

PIECE_BYTES: Final = 1 << 20


class Arrivals:
    """Takes the pieces of one worker's parts, in order, into `folder`."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._worker = worker
        self._name = re.compile(rf"{worker}-\d{{5}}\.parquet")

    def take(self, piece: dict[str, Any]) -> None:
        """Keep a piece: `name` of the part, `at` which byte it begins, its `data`, and the part's `size` and `digest`.

        Raises:
            GeneratorFailed: it is no part of this worker's, or the whole is not what was sent.
        """
        if not self._name.fullmatch(piece["name"]):
            raise GeneratorFailed(f"{self._worker} sent {piece['name']!r}, which is no part of its ledger")
        beside = self._folder / f"{piece['name']}.arriving"
        with beside.open("ab" if piece["at"] else "wb") as file:
            file.write(piece["data"])
        if piece["at"] + len(piece["data"]) < piece["size"]:
            return
        if sha256(beside.read_bytes()).hexdigest() != piece["digest"]:
            raise GeneratorFailed(f"{piece['name']} of {self._worker} arrived damaged")
        beside.rename(self._folder / piece["name"])


def pieces(path: Path) -> "list[dict[str, Any]]":
    """A part as the pieces that `Arrivals` takes."""
    content = path.read_bytes()
    whole = {"name": path.name, "size": len(content), "digest": sha256(content).hexdigest()}
    return [whole | {"at": at, "data": content[at : at + PIECE_BYTES]} for at in range(0, len(content), PIECE_BYTES)]
