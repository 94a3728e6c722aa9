"""`python -m chatcore --config FILE`: the reference core in the foreground."""

import argparse
import gc
import logging
import sys
from pathlib import Path

import uvloop

from chatcore import config
from chatcore.errors import CoreError
from chatcore.journal.errors import JournalError
from chatcore.server import serve


def main() -> int:
    """Run until told to stop; 0 after an orderly end, 2 for a user's mistake, 70 after a commit of unknown outcome."""
    parser = argparse.ArgumentParser(prog="python -m chatcore", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration, a JSON file")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setswitchinterval(0.0005)  # the journal's thread hands commits back; five milliseconds would be their latency
    gc.set_threshold(50_000, 50, 1_000)  # the state is long-lived: full collections would stop the loop for it
    try:
        uvloop.run(serve(config.load(arguments.config)))
    except (CoreError, JournalError) as error:
        print(f"chatcore: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
