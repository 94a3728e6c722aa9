"""`python -m benchmarks [NAME …] [--out FILE]`: the whole table of benchmarks, or the named ones, as Markdown.

Each is a module here with `main(argv)`, whose last line on stdout is one JSON object: `line`, `ratio` or `value` with
`unit`, `low` and `high`, `at_least`, `aim`, `details`. They run one after the other, each as a process of its own.
What they say besides goes to stderr. Ends with 1 if one of them failed or missed its "at least".
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from chatload.run.directory import cpu_model, filesystem, versions

AGAINST = {
    "core_in": "a bare aiohttp + orjson echo, same client",
    "core_out": "the same echo",
    "memory_core": "without sockets",
    "restart": "after `kill -9`, a million messages in the journal",
    "flat_cost": "a run ten times longer",
    "fleet_http": "Locust FastHttpUser posting the same body",
    "fleet_ws": "Locust with websocket-client",
    "memory_fleet": "without sockets",
    "judge": "ten million ledger rows",
    "day": "wall time of the load part",
    "day_curve": "wall time of the load part",
    "wrk": "wrk, the same echo",
}
ON_DEMAND = {"endurance": "the run's first tenth"}  # an hour: named, or not at all
HERE = Path(__file__).parent


def main(argv: Sequence[str]) -> int:
    """Run and print; 1 if a benchmark failed or missed its bound, 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Prints the table of benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*AGAINST, *ON_DEMAND])}")
    parser.add_argument("--out", type=Path, help="write the table there, too")
    options = parser.parse_args(argv)
    known = {name: against for name, against in (AGAINST | ON_DEMAND).items() if (HERE / f"{name}.py").exists()}
    wrong = [name for name in options.names if name not in known]
    if wrong:
        print(f"error: no benchmark {wrong[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    names = options.names or [name for name in AGAINST if name in known]
    results = [measured(name) for name in names]
    table = markdown([(known[name], result) for name, result in zip(names, results, strict=True)])
    print(table)
    if options.out:
        options.out.write_text(table + "\n", encoding="utf-8")
    return 0 if all(met(result) for result in results) else 1


def measured(name: str) -> dict[str, Any]:
    """The result of one benchmark; what it prints before goes to stderr as it comes."""
    print(f"== {name}", file=sys.stderr, flush=True)
    last = ""
    with subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            last = line
    try:
        found: dict[str, Any] = json.loads(last)
    except ValueError:
        found = {"line": name, "value": None, "unit": "", "details": {"ended with": run.returncode}}
    return found


def met(result: dict[str, Any]) -> bool:
    """Whether "at least" is reached: a ratio from below, a value in its unit from above."""
    figure, bound = result.get("ratio", result.get("value")), result.get("at_least")
    if figure is None or bound is None:
        return figure is not None
    return bool(figure >= bound) if "ratio" in result else bool(figure <= bound)


def markdown(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """The table with its conditions."""
    lines = ["| line | against | at least | aim | measured (spread) | conditions |", "|---|---|---:|---:|---:|---|"]
    lines += [
        f"| {result['line']} | {against} | {bound(result, 'at_least')} | {bound(result, 'aim')} | {figure(result)}"
        f" | {conditions(result)} |"
        for against, result in rows
    ]
    return "\n".join([*lines, "", machine()])


def bound(result: dict[str, Any], name: str) -> str:
    """A bound as the table shows it."""
    value = result.get(name)
    if value is None:
        return "–"
    return f"{value:g}" if "ratio" in result else f"≤ {value:g} {result.get('unit', '')}".rstrip()


def figure(result: dict[str, Any]) -> str:
    """What was measured, in bold if it misses "at least"."""
    value = result.get("ratio", result.get("value"))
    unit = "" if "ratio" in result else f" {result.get('unit', '')}".rstrip()
    shown = "failed" if value is None else f"{value:.4g}{unit}"
    low, high = result.get("low"), result.get("high")
    spread = f" ({low:.4g}–{high:.4g})" if low is not None and high is not None else ""
    return (shown if met(result) else f"**{shown}**") + spread


def conditions(result: dict[str, Any]) -> str:
    """The details in one cell."""
    parts = (f"{name.replace('_', ' ')} {spoken(value)}" for name, value in (result.get("details") or {}).items())
    return ", ".join(parts).replace("|", "\\|").replace("\n", " ")


def spoken(value: Any) -> str:
    """A figure or a few words."""
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {spoken(each)}" for name, each in value.items()) + ")"
    if isinstance(value, list):
        return "; ".join(spoken(each) for each in value)
    if isinstance(value, int):
        return f"{value:,}"
    return (f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}") if isinstance(value, float) else str(value)


def machine() -> str:
    """Where it was measured."""
    found = versions()
    load = psutil.getloadavg()[0]
    memory_gb = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name} {number}" for name, number in found.items())
    return (
        f"{psutil.cpu_count()} CPUs of {cpu_model()}, {memory_gb:.0f} GB, {filesystem(Path.cwd())}, Linux"
        f" {platform.release()}, load average {load:.1f} at the end; {libraries}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
