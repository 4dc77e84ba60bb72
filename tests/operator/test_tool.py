"""The tool as a whole: every verb has an example that works, answers as JSON with the same exit status, and is completed."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.operator.parser import parser
from completing import SHIPPED_TEAMS, script
from tests.operator.daemon import CHANNEL, ctl, served
from tests.support.virtual_time import virtual

EXAMPLE = re.compile(r"^example:\s+archsyncctl (.*)$", re.MULTILINE)
CONFIGURATION = """
[[feed]]
name = "main"
[[feed]]
name = "night$(touch HERE)"
[locations]
WH1 = { channel = "warehouse-1" }
[orders]
sync_channel = "export"
[owners]
drift = { team = "stock-team" }
"""


def leaves(made: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every verb that does something."""
    inner = [action for action in made._actions if isinstance(action, argparse._SubParsersAction)]
    for action in inner:
        for verb in action.choices.values():
            yield from leaves(verb)
    if not inner:
        yield made


VERBS = list(leaves(parser()))


@pytest.mark.parametrize("verb", VERBS, ids=[verb.prog for verb in VERBS])
def test_every_verb_has_an_example_that_it_understands(verb: argparse.ArgumentParser) -> None:
    """What its help shows can be typed."""
    found = EXAMPLE.search(verb.epilog or "")
    assert found, f"{verb.prog} has no example: give it one in operator/examples.py"
    words = shlex.split(found[1])
    assert ["archsyncctl", *words[: verb.prog.count(" ")]] == verb.prog.split()
    parser().parse_args(words)


@virtual
async def test_every_verb_ends_with_the_same_status_as_json(tmp_path: Path) -> None:
    """A program that reads JSON decides as one that reads the status; refusals are JSON too."""
    async with served(tmp_path) as daemon:
        await daemon.level("ABC-1", 5)
        await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "ABC-1", "drift"))
        seen = set()
        for verb in VERBS:
            found = EXAMPLE.search(verb.epilog or "")
            words = shlex.split(found[1]) if found else []
            words = [word for word in words if word not in {"--csv", "--json"}]
            # These go on for ever or wait for loops and projects that are not here; their own tests speak of their statuses.
            if verb.prog.endswith(("credentials check", "watch", "backup", "audit", "reconcile", "probe")):
                continue
            plain, _, _ = await ctl(daemon, *words)
            if verb.prog.endswith(("retry", "dismiss", "resume", "reload", "pause")):
                await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "ABC-1", "drift"))
            if verb.prog.endswith("unmute"):
                await ctl(daemon, "mute", "sku_not_found", "--for", "2h", "--reason", "once more")
            code, out, _ = await ctl(daemon, *words, "--json")
            assert code == plain, verb.prog
            assert isinstance(json.loads(out), dict), verb.prog
            seen.add(code)
        assert {0, 1} <= seen


@pytest.fixture(name="completed")
def completed_in_bash(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The script for bash beside a configuration of the site's own."""
    configuration = tmp_path / "config.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    path = tmp_path / "archsyncctl.bash"
    text = script("bash", str(configuration))
    path.write_text(text, encoding="utf-8")
    yield path, tmp_path
    assert not (tmp_path / "HERE").exists()


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        (["ex"], {"exceptions"}, {"status"}),
        (["exceptions", "list", "--kind", "sku"], {"sku_not_found"}, {"drift"}),
        (["exceptions", "export", "--kind", ""], {kind.value for kind in CaseKind}, set()),
        (["exceptions", "list", "--owner", ""], {*SHIPPED_TEAMS, "stock-team"}, set()),
        (["exceptions", "list", "--state", "d"], {"dismissed"}, {"open"}),
        (["orders", "list", "--state", "in"], {"in_doubt"}, {"held"}),
        (["pause", "feed", ""], {"main", "warehouse-1"}, {"export", "stock-team"}),
        (["report", "w"], {"weekly"}, {"daily"}),
        (["credentials", "check", ""], {"commercetools-client-secret", "feed-main"}, {"main"}),
    ],
)
def test_the_shell_completes_what_the_site_has(
    completed: tuple[Path, Path], typed: list[str], wanted: set[str], unwanted: set[str]
) -> None:
    """As a person types: the word so far, the tabulator. A name that the shell would obey is not offered."""
    path, directory = completed
    words = " ".join(shlex.quote(word) for word in ["archsyncctl", *typed])
    code = (
        f"source {path}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; "
        "$(complete -p archsyncctl | sed 's/.*-F \\([^ ]*\\).*/\\1/') archsyncctl; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-c", code], capture_output=True, text=True, timeout=30, check=False, cwd=directory
    )
    offered = set(done.stdout.split())
    assert wanted <= offered, (offered, done.stderr)
    assert not unwanted & offered


def test_the_script_for_zsh_offers_the_same() -> None:
    """Kinds and teams are named in it."""
    text = script("zsh")
    assert all(kind.value in text for kind in CaseKind)
    assert "compadd -- operations data" in text
