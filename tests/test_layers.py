"""Imports point downwards only, and nothing below the top reads a clock, draws chance or prints."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "daemon/archsyncd"
ALLOWED = {
    "domain": ("domain",),
    "wire": ("domain", "wire"),
    "engine": ("domain", "engine"),
    # the ports, and those of the store and of alerts, which have modules of their own; and what all that call share of HTTP
    "adapters": ("domain", "wire", "engine.ports", "engine.store", "engine.alerts", "adapters.answers"),
}
_OUTSIDE = ("aiohttp", "aiosqlite", "os", "random", "socket", "sqlite3", "subprocess", "threading", "time")
LIBRARY_BANS = {
    "domain": (*_OUTSIDE, "asyncio", "logging"),
    "wire": (*_OUTSIDE, "asyncio", "logging"),
    "engine": _OUTSIDE,
    "adapters": ("random",),
}
CALL_BANS = {
    "print",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}
CLOCK = Path("adapters/clock.py")  # the one reader of clocks and chance
MODULES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)


# Simulators judge independently: they share nouns with the program, never its decisions or its store.
SIMULATOR_BANS = ("app", "assembly", "cli", "operator", "engine", "adapters.sqlite")


def imports(tree: ast.AST) -> Iterator[str]:
    """Full dotted names of everything imported; a name imported from a package counts with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


def calls(tree: ast.AST) -> Iterator[str]:
    """What is called, by its last two names: `datetime.now` for `datetime.datetime.now`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ".".join(ast.unparse(node.func).split(".")[-2:])


def within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def faults(place: Path, source: str) -> list[str]:
    """What the module at this place (relative to the package) must not do."""
    layer, own = place.parts[0], ".".join(place.parts[:2])
    tree = ast.parse(source)
    ours = [name.removeprefix("archsyncd.") for name in imports(tree) if name.startswith("archsyncd.")]
    if layer == "simulators":
        return [f"imports {name}" for name in ours if within(name, SIMULATOR_BANS)]
    if layer not in ALLOWED or place == CLOCK:
        return []
    allowed = (*ALLOWED[layer], own) if layer == "adapters" else ALLOWED[layer]
    found = [f"imports {name}" for name in ours if not within(name, allowed)]
    found += [f"imports {name}" for name in imports(tree) if within(name, (*LIBRARY_BANS[layer], ""))]
    found += [f"calls {name}" for name in calls(tree) if name in CALL_BANS]
    if layer in {"domain", "wire"} and any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree)):
        found.append("is asynchronous")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_in_its_layer(path: Path) -> None:
    """Domain ← wire, engine ← adapters ← everything else; clocks and chance are passed in."""
    assert faults(path.relative_to(ROOT), path.read_text()) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("domain/stock.py", "from archsyncd.wire import r247"),
        ("domain/stock.py", "import asyncio"),
        ("domain/stock.py", "from os import path"),
        ("domain/stock.py", "from . import feed"),
        ("domain/stock.py", "async def f(): pass"),
        ("wire/r247.py", "from archsyncd.engine.ports import Clock"),
        ("engine/drain.py", "import archsyncd.adapters.clock"),
        ("engine/drain.py", "from random import random"),
        ("engine/drain.py", "import datetime\ndatetime.datetime.now()"),
        ("engine/drain.py", "print('x')"),
        ("adapters/journal.py", "from archsyncd.adapters.clock import SystemClock"),
        ("adapters/journal.py", "from archsyncd.engine.limiter import Limiter"),
        ("adapters/sqlite/store.py", "from archsyncd.config.settings import Settings"),
        ("adapters/sqlite/store.py", "import time\ntime.time()"),
        ("simulators/r247/log.py", "from archsyncd.adapters.sqlite.store import Store"),
    ],
)
def test_a_step_out_of_the_layer_is_found(place: str, source: str) -> None:
    """The judge itself is judged: each of these must be found."""
    assert faults(Path(place), source) != []
