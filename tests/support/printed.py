"""The commands that a document prints with their answers, taken out of it to be typed: blocks of `sh`, answers behind `#`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ANYTHING = "…"
# Between what one command prints and what the next one does.
_CUT = "\x1e"
TYPED_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, and what is printed as their answer; empty where nothing is."""

    commands: str
    answer: str

    @property
    def writes(self) -> re.Pattern[str]:
        """What fits the printed answer: spaces and line ends are the printer's, and `…` stands for anything."""
        parts = "".join(self.answer.split()).split(ANYTHING)
        return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)

    def is_answered(self, by: str) -> bool:
        """Whether this is the answer."""
        return self.writes.fullmatch("".join(by.split())) is not None


def sections(document: Path) -> Mapping[str, list[Step]]:
    """The steps of each section that has some, by its heading, in the order of the document."""
    text = document.read_text("utf-8")
    pieces = re.split(r"(?m)^## (.+)$", text)
    found = {
        heading: [step for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", body) for step in _steps(block)]
        for heading, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    return {heading: steps for heading, steps in found.items() if steps}


def _steps(block: str) -> list[Step]:
    steps: list[Step] = []
    commands: list[str] = []
    answer: list[str] = []
    for line in [*block.splitlines(), ""]:
        if line.startswith("#"):
            answer.append(line.removeprefix("#"))
            continue
        if answer or not line:
            steps.append(Step("\n".join(commands), "\n".join(answer)))
            commands, answer = [], []
        commands.append(line)
    return [step for step in steps if step.commands.strip()]


def as_typed(steps: Sequence[Step]) -> str:
    """The commands of some steps alone, one below the other."""
    return "\n".join(step.commands for step in steps)


async def typed(steps: Sequence[Step], environment: Mapping[str, str]) -> list[str]:
    """Type steps into one shell; what each of them prints. The first command that fails ends it, which fails the test."""
    script = "".join(f"{step.commands}\nprintf '\\x1e'\n" for step in steps)
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        env={"no_proxy": "*", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(shell.communicate(), TYPED_SECONDS)
    assert shell.returncode == 0, (out, err)
    return out.decode().split(_CUT)[:-1]
