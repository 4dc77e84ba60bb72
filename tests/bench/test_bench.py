"""The bench runs. What it finds is never judged here: figures belong to the machine they were measured on."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.bench.figures import Figure, as_json, as_table
from tests.bench.processes import ROOT, environment


async def _ran(scratch: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench", "--quick", "--json", "--scratch", str(scratch)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaints = await asyncio.wait_for(process.communicate(), 220)
    assert process.returncode == 0, complaints.decode()
    return out


@pytest.mark.timeout(240)
def test_the_command_measures_everything_in_tiny_sizes(tmp_path: Path) -> None:
    """Every measurement ends with figures, each with a value, those that have a floor with a ratio; nothing is left."""
    figures = json.loads(asyncio.run(_ran(tmp_path)))
    assert {figure["name"].split()[0] for figure in figures} >= {
        "ingest",
        "pull,",
        "drop,",
        "pubsub,",
        "push,",
        "drain,",
        "requests",
        "p99",
        "orders",
        "dispatches",
        "walk",
        "time",
        "audit",
    }
    assert all(figure["value"] >= 0 for figure in figures)
    assert all(figure["ratio"] is not None for figure in figures if figure["floor"])
    assert list(tmp_path.iterdir()) == []


def test_a_figure_is_judged_by_its_ratio_or_by_itself() -> None:
    """With a floor the ratio is held against the aim, without one the value; no aim, no verdict."""
    assert Figure("half", 50, "records/s", 100, "≥", 0.5).met is True
    assert Figure("less", 49, "records/s", 100, "≥", 0.5).met is False
    assert Figure("memory", 151, "MiB", None, "≤", 150).met is False
    assert Figure("idle", 3, "%").met is None


def test_figures_are_shown_in_a_table_and_as_json() -> None:
    """Both forms carry name, value, floor and ratio."""
    figures = [Figure("ingest", 1_500, "records/s", 3_000, "≥", 0.5)]
    assert "ingest  1,500  records/s  3,000  0.500  ≥ 0.5  yes" in as_table(figures)
    assert json.loads(as_json(figures))[0]["ratio"] == 0.5
