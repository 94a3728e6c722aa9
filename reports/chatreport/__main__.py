"""`python -m chatreport judge|verify|report DIR`: judge a run directory, or draw it again."""

import sys
from pathlib import Path
from typing import Final

from chatreport.errors import ReportError
from chatreport.judge import Run, read_verdict, write_verdict
from chatreport.summary import lines
from chatreport.verdict import BAD_INPUT

USAGE: Final = """usage: python -m chatreport judge|verify|report DIR
  judge   check the record, write the verdict and draw everything
  verify  check the record and write verdict.json only
  report  draw again from the record and verdict.json
or     python -m chatreport days DIR: put simulated days together, and draw them"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code is the verdict's, or 2 for what the user got wrong."""
    match arguments:
        case [("judge" | "verify" | "report") as command, directory]:
            try:
                return run(command, Path(directory))
            except ReportError as error:
                print(f"chatreport: {error}", file=sys.stderr)
                return BAD_INPUT
        case ["days", directory]:
            return _days(Path(directory))
        case ["-h" | "--help"]:
            print(USAGE)
            return 0
        case _:
            print(USAGE, file=sys.stderr)
            return BAD_INPUT


def _days(folder: Path) -> int:
    from chatreport.days.page import draw_all

    try:
        found, code = draw_all(folder)
    except ReportError as error:
        print(f"chatreport: {error}", file=sys.stderr)
        return BAD_INPUT
    print("\n".join(found))
    return code


def run(command: str, path: Path) -> int:
    """Judge, verify or draw one run directory.

    Raises:
        ReportError: the directory cannot be read.
    """
    opened = Run(path)
    verdict = read_verdict(path) if command == "report" else opened.verdict
    if command != "report":
        write_verdict(path, verdict)
    report = None
    if command != "verify":
        from chatreport.report import draw_run

        report = draw_run(opened, verdict)
    print("\n".join(lines(verdict, opened.manifest, report)))
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
