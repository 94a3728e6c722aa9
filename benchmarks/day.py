"""T-Bank's day, 30,000 dialogs and 400 operators, over the channels that exist, with nothing lost.

    python -m benchmarks.day [--speed N] [--target NAME] [--out FOLDER]

Plays the day's dialogs, all at the rate of the peak hour, and reads the verdict: every guarantee that they exercise
must hold, nothing may be lost, doubled, reordered or invented, nothing due may stay unsent, and the books must balance.
Latencies and key figures are not asked for: at that compression they say nothing. Patience is compressed, too, so that
on a slower platform more customers give up: how the dialogs ended is told. The figure is the wall time of the load
part. `day_curve` plays the same day hour by hour, where the peak hour decides how fast the night may pass.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from benchmarks.sides import chatload, tell

LINE = "T-Bank's 30,000 dialogs of a day at its peak hour's rate, on two cores, nothing lost"
AT_LEAST_S, AIM_S = 180, 60
DIALOGS, AN_HOUR = 30_000, 3_000  # of a day, and of its peak hour: scenarios/tbank.toml, [volume]
SPEED = DIALOGS / AN_HOUR * 3_600 / AT_LEAST_S
LOSSES = ("messages_lost", "messages_duplicated", "messages_reordered", "messages_phantom")
UNEXERCISED = "not exercised"
ENDS = ("completed", "abandoned", "failed", "in_flight")
DETAILS = ("lag_p99_ms", "mirror_p99_ms", "cpu_share", "core_cpu_share", "unsent", "offered_share")


def main(argv: Sequence[str]) -> int:
    """Play and print; the last line is the result as JSON. 1 if the day did not hold."""
    options = parse(argv, "day", SPEED)
    seconds = DIALOGS / AN_HOUR * 3_600 / options.speed
    return play(LINE, options, ["--duration", f"{seconds:g}s"])


def parse(argv: Sequence[str], name: str, speed: float) -> argparse.Namespace:
    """The options of a benchmark that plays a day."""
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}", description="Plays T-Bank's day.")
    parser.add_argument("--speed", type=float, default=speed, help=f"times faster than life (default {speed:g})")
    parser.add_argument("--target", default="embedded", help="as of chatload run")
    parser.add_argument("--out", type=Path, help="keep the run there")
    return parser.parse_args(argv)


def play(line: str, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Play, judge and print; 1 if it did not hold."""
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch) / "run"
        common = ["--out", str(out), "--speed", f"{options.speed:g}", "--target", options.target]
        chatload(*arguments, *common).wait()
        if not (out / "verdict.json").exists():
            raise SystemExit(f"the run left no verdict; see {out}")
        verdict, manifest = (orjson.loads((out / name).read_bytes()) for name in ("verdict.json", "manifest.json"))
    wall_s = (manifest["end_ns"] - manifest["t0_ns"]) / 1e9
    wrong = failures(verdict)
    for reason in wrong:
        print(f"did not hold: {reason}")
    tell(
        line, at_least=AT_LEAST_S, aim=AIM_S, value=None if wrong else round(wall_s, 1), unit="s",
        details=details(verdict, manifest) | ({"did not hold": wrong} if wrong else {}),
    )  # fmt: skip
    return 1 if wrong else 0


def failures(verdict: dict[str, Any]) -> list[str]:
    """What kept the day from holding, in words; empty if it held."""
    counts, generator, books = verdict["counts"], verdict["generator"], verdict["generator"]["conservation"]
    found = [
        f"{name} {each['status']}: {each.get('why') or each.get('violations')}"
        for name, each in verdict["guarantees"].items()
        if each["status"] != "held" and each.get("why") != UNEXERCISED
    ]
    found += [f"{counts[name]:,} {name.replace('_', ' ')}" for name in LOSSES if counts.get(name)]
    if generator["unsent"]:
        found.append(f"{generator['unsent']:,} due steps unsent")
    if not books["balanced"]:
        found.append("the books do not balance")
    if verdict["verdict"] == "invalid":
        found += [reason for reason in verdict["reasons"] if reason not in found]
    return found


def details(verdict: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The conditions of the figure."""
    return {
        "dialogs": verdict["counts"]["dialogs"],
        **{end: verdict["generator"]["conservation"][end] for end in ENDS},
        "operators": verdict["counts"]["operators"],
        "messages_planned": manifest["planned"]["messages"],
        "messages_acked": verdict["counts"].get("messages_acked"),
        "messages_per_s": verdict["reading"]["messages_per_s"],
        "channels": manifest["channels"]["played"],
        "speed": manifest["speed"],
        "drain_s": round((manifest["drained_ns"] - manifest["end_ns"]) / 1e9, 1),
        **{name: verdict["generator"][name] for name in DETAILS},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
