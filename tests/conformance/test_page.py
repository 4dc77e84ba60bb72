"""What the contract's page has a site type works as it stands there, against simulators that run as processes."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.printed import Step, sections, typed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "packaging/r247.md"
PUSH = "Transport `push`: signed calls"
NEEDED = ("bash", "curl", "sed", "sha256sum", "stat", "base64", "cut", "tail")
START_SECONDS = 60.0
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"one of {', '.join(NEEDED)} is not installed"
)


def starts() -> list[list[str]]:
    """The words with which the page starts its simulators."""
    found = re.findall(r"(?m)^    (archsyncd simulate .+)$", PAGE.read_text("utf-8"))
    return [shlex.split(line) for line in found]


@asynccontextmanager
async def started(words: list[str], drop: Path) -> AsyncIterator[str]:
    """A simulator as the page starts it, but for its port and its directory; yields its address."""
    own = [str(drop) if word == "/tmp/r247" else word for word in words[1:]]  # as it is printed
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "archsyncd.cli", *own, "--port", "0"),
        env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), START_SECONDS)).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def installed(folder: Path) -> str:
    """A PATH with archsyncctl on it, as a package installs it."""
    folder.mkdir()
    tool = folder / "archsyncctl"
    tool.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT}/daemon exec {sys.executable} -m archsyncd.operator.ctl "$@"\n'
    )
    tool.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.timeout(300)
async def test_every_block_is_answered_as_it_is_printed(tmp_path: Path) -> None:
    """From the first to the last, in one shell, as somebody types them who reads the page."""
    drop = tmp_path / "r247"
    steps = [step for heading, each in sections(PAGE).items() if heading != PUSH for step in each]
    assert len(steps) > 15
    assert len(starts()) == 2
    async with AsyncExitStack() as stack:
        house, queue = await asyncio.gather(
            *(stack.enter_async_context(started(words, drop)) for words in starts())
        )
        around = {"R247": house, "PUBSUB": queue, "DROP": str(drop), "PATH": installed(tmp_path / "bin")}
        answers = await typed(steps, around)
    wrong = [
        (step.commands, step.answer, answer)
        for step, answer in zip(steps, answers, strict=True)
        if not step.is_answered(answer)
    ]
    assert wrong == [], wrong


def test_each_transport_and_the_orders_have_an_example() -> None:
    """And each example says what is answered."""
    found = sections(PAGE)
    transports = ("Transport `pull`", "Transport `drop`", PUSH, "Transport `pubsub`", "Orders")
    assert [heading for heading in found if heading.startswith(transports)] == list(found)
    assert len(found) == len(transports)
    assert all(steps[-1].answer for steps in found.values())


@pytest.mark.parametrize(
    ("printed", "answer", "fits"),
    [
        ('{"seq":…}', '{"seq": 17}', True),
        ('{"seq":"…"}', '{"seq":17}', False),
        ("{…}", "{}", True),
        ("", "something", False),
        (' {"a":1,\n  "b":2}', '{"a":1,"b":2}\n', True),
        ('{"a":1}', '{"a":1}{"a":1}', False),
    ],
)
def test_an_answer_is_judged_by_what_is_printed(printed: str, answer: str, fits: bool) -> None:
    """The judge itself is judged."""
    assert Step("true", printed).is_answered(answer) is fits


def test_the_page_is_one_page() -> None:
    """Short enough to be read; a table's row may be as long as it must."""
    lines = PAGE.read_text("utf-8").splitlines()
    assert len(lines) <= 370
    assert [line for line in lines if len(line) > 130 and not line.startswith("|")] == []
