"""Measure what Candela promises, beside its anchors, in one run.

`python tests/performance/benchmark_suite.py [--json FILE] [-k NAME]`

Every `*_benchmarks.py` beside this file offers `BENCHMARKS`, a tuple of functions. A function is named as its row, its
docstring says what is done, and it returns its row, a mapping with at least

    anchor, anchor_value   what it is compared with, and that one's figure in this run (or the stated budget)
    ours_value, unit       our figure in the same unit
    goal                   such as "<= 2" (of our figure) or ">= 24x" (of the ratio)
    gate                   "passed", "failed" or "none": were the results right, before speed counts

`work`, `ratio` (how many times better; `is_more_better` tells that larger figures are) and `holds` are added here
unless the row brings them. One that cannot be measured here (a program is missing) raises SkipTest with the reason.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from unittest import SkipTest

import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
LIBRARIES = ("numpy", "numba", "scikit-learn", "ta-lib", "python-binance", "flask", "gunicorn", "sqlalchemy")
_GOAL = re.compile(r"(<=|>=|≤|≥)\s*([0-9][0-9,_.]*)\s*(x?)")


def main(arguments=None):
    """Run what was asked for; return 1 when a result was wrong, 2 when nothing is named so, else 0."""
    parser = argparse.ArgumentParser(prog="benchmark_suite.py", description="Measure Candela beside its anchors.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("-k", dest="name", default="", metavar="NAME", help="run only rows whose name holds NAME")
    asked = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for folder in (HERE, CHECKOUT):
        sys.path.insert(0, str(folder))

    known = benchmarks()
    chosen = [benchmark for benchmark in known if asked.name in benchmark.__name__]
    if not chosen:
        console.print(f"no benchmark is named like {asked.name!r}; there are {', '.join(b.__name__ for b in known)}")
        return 2
    machine = describe_machine()
    rows = [run(benchmark, console) for benchmark in chosen]

    console.print(as_table(machine, rows))
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2, allow_nan=False) + "\n", "utf-8")
    return 1 if any(row["gate"] == "failed" for row in rows) else 0


def benchmarks():
    """Return every benchmark beside this file, in the order of files and of their tuples."""
    modules = [importlib.import_module(path.stem) for path in sorted(HERE.glob("*_benchmarks.py"))]
    return [benchmark for module in modules for benchmark in module.BENCHMARKS]


def run(benchmark, console):
    """Return the row of one benchmark; one that breaks is a failed gate, and its reason is shown."""
    name = benchmark.__name__
    work = (benchmark.__doc__ or name).strip().splitlines()[0].rstrip(".")
    console.print(f"[dim]{name}: {escape(work)}[/dim]")
    started = time.perf_counter()
    try:
        return complete(name, work, dict(benchmark()))
    except SkipTest as reason:
        console.print(f"[yellow]{name} is not measured: {escape(str(reason))}[/yellow]")
        return _without_figures(name, work, "none")
    except Exception as error:  # noqa: BLE001 - one broken benchmark must not hide the others
        console.print(f"[red]{name} failed after {time.perf_counter() - started:.1f} s: {escape(repr(error))}[/red]")
        return _without_figures(name, work, "failed")


def complete(name, work, measured):
    """Return a measurement as a row: with its ratio (how many times better) and whether the goal holds."""
    figures = {key: float(measured[key]) for key in ("anchor_value", "ours_value")}
    ratio = measured["ratio"] if "ratio" in measured else _ratio(*figures.values(), measured.get("is_more_better"))
    goal = str(measured["goal"])
    holds = measured["holds"] if "holds" in measured else meets(goal, figures["ours_value"], ratio)
    return {
        "name": name,
        "work": measured.get("work", work),
        "anchor": measured["anchor"],
        **figures,
        "unit": measured["unit"],
        "ratio": None if ratio is None else float(ratio),
        "goal": goal,
        "gate": measured["gate"],
        "holds": bool(holds) and measured["gate"] != "failed",
    }


def meets(goal, ours_value, ratio):
    """Return whether all parts of a goal such as "<= 2" or "<= 2, >= 24x" hold."""
    parts = _GOAL.findall(goal)
    if not parts:
        raise ValueError(f"goal {goal!r} is not of the form '<= 2' or '>= 24x'")
    for sign, figure, is_ratio in parts:
        value = (ratio if ratio is not None else float("inf")) if is_ratio else ours_value
        limit = float(figure.rstrip(",.").replace(",", "").replace("_", ""))
        if not (value <= limit if sign in ("<=", "≤") else value >= limit):
            return False
    return True


def describe_machine():
    """Return what the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1_048_576,
        "load_1m": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def as_table(machine, rows):
    """Return the rows as a table for a terminal."""
    title = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, load {machine['load_1m']:.1f}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("anchor", overflow="fold")
    for heading in ("anchor's", "ours"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("ratio", justify="right", no_wrap=True)
    for heading in ("goal", "gate", "holds"):
        table.add_column(heading)
    for row in rows:
        figures = [_figure(row["anchor_value"]), _figure(row["ours_value"])]
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:,.1f}x"
        holds = "[green]yes[/green]" if row["holds"] else "[red]no[/red]"
        texts = [escape(row["unit"]), ratio, escape(row["goal"]), row["gate"], holds]
        table.add_row(row["name"], escape(row["anchor"]), *figures, *texts)
    return table


def _without_figures(name, work, gate):
    figures = dict.fromkeys(("anchor_value", "ours_value", "ratio"))
    return {"name": name, "work": work, "anchor": "", **figures, "unit": "", "goal": "", "gate": gate, "holds": False}


def _ratio(anchor_value, ours_value, is_more_better):
    better, worse = (ours_value, anchor_value) if is_more_better else (anchor_value, ours_value)
    return better / worse if worse else None


def _figure(value):
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _cpu_model():
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match[1].strip() if match else platform.machine()


if __name__ == "__main__":
    raise SystemExit(main())
