"""The Debian package as a file: what is in it, that it is the same each time, and that nothing unpinned gets in (fault 176)."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import build as packager
from archsyncd import __version__
from archsyncd.config import described
from archsyncd.domain.events import Event
from archsyncd.domain.explained import KINDS, REASONS
from archsyncd.operator.fields import FIELDS
from tests.host.site import ROOT, build

pytestmark = pytest.mark.timeout(300)
SIZE_LIMIT_BYTES = 5 * 1024 * 1024
LOCK = (ROOT / "packaging" / "requirements.lock").read_text("utf-8")


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package unpacked."""
    out = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(out / "package")], check=True)
    yield out / "package"
    shutil.rmtree(out)


def test_the_same_checkout_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    """Nothing of the time or the machine is in it, and it is small."""
    again = build(tmp_path)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()
    assert package.stat().st_size < SIZE_LIMIT_BYTES


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_lintian_has_nothing_to_say_that_is_not_answered(package: Path) -> None:
    """Errors and warnings; what is overridden has its reason beside it."""
    command = [
        "lintian",
        "--allow-root",
        "--fail-on",
        "error,warning",
    ]
    done = subprocess.run([*command, str(package)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_f176_every_requirement_is_pinned_by_hash() -> None:
    """In every locked file; the installation from it asks for no other."""
    for name in ("requirements.lock", "requirements-test.lock", "requirements-fuzz.lock"):
        text = (ROOT / "packaging" / name).read_text("utf-8")
        entries = re.split(r"(?m)^(?=[a-z])", text)[1:]
        assert len(entries) > 15
        assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert (ROOT / "packaging" / "environment").read_text("utf-8").count("--require-hashes") == 2


def test_f176_a_wheel_that_is_not_the_pinned_one_stops_the_build(package: Path, tmp_path: Path) -> None:
    """One byte more, in what was downloaded once: nothing is built from it."""
    del package  # it was built, so the wheels are there
    kept = packager.wheels("amd64", ROOT / ".venv" / "wheels")[0].path.parent
    shutil.copytree(kept, tmp_path / kept.name)
    victim = min((tmp_path / kept.name).glob("orjson-*.whl"))
    victim.write_bytes(victim.read_bytes() + b" ")
    with pytest.raises(SystemExit, match=f"{victim.name} is not what the lock file pins"):
        packager.wheels("amd64", tmp_path)


def test_f176_the_bill_of_materials_lists_what_is_in_it(tree: Path) -> None:
    """Each library once, with its licence and the hashes that the lock file pins; nothing else is there."""
    bill = json.loads((tree / "usr/share/doc/archsyncd/sbom.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == (
        "CycloneDX",
        __version__,
    )
    listed = {part["name"].lower().replace("-", "_"): part for part in bill["components"]}
    found = {path.name.split("-")[0].lower() for path in (tree / packager.SITE).glob("*.dist-info")}
    assert set(listed) == found
    for name, part in listed.items():
        hashes = [each["content"] for each in part.get("hashes", ())]
        hashes += [each["value"] for each in part.get("properties", ())]
        assert hashes, name
        assert all(f"sha256:{each}" in LOCK for each in hashes), name
        assert part["licenses"], name


def test_every_python_that_it_names_has_its_libraries(tree: Path) -> None:
    """Compiled ones once for each, under the name that only that one loads."""
    for python in packager.PYTHONS:
        tag = f"cpython-{python.replace('.', '')}-x86_64-linux-gnu.so"
        names = {path.name.split(".")[0] for path in (tree / packager.SITE).rglob(f"*.{tag}")}
        assert {"orjson", "loop", "_http_parser", "_multidict"} <= names, python


def test_the_manual_pages_know_every_command_key_and_message(tree: Path) -> None:
    """They are made from what the program itself reads."""

    def page(name: str) -> str:
        path = tree / f"usr/share/man/man{name[-1]}/{name}.gz"
        return re.sub(r"\\f[BIR]|\\&|\\", "", gzip.decompress(path.read_bytes()).decode("utf-8"))

    daemon, operator, configuration = page("archsyncd.8"), page("archsyncctl.1"), page("archsyncd.config.5")
    codes = page("archsyncd.exceptions.7")
    for code in (*KINDS, *REASONS, *Event.__members__):
        assert f".SS {code}\n" in codes, code
    for event in Event:
        assert event.value.message_id in daemon
    for verb in FIELDS:
        assert f"archsyncctl {verb.replace('.', ' ')}" in operator
    for entry in described():
        assert entry.path.upper() in configuration.upper(), entry.path


def test_the_shell_completes_verbs_and_options(tree: Path) -> None:
    """As a person types: bash, the first letters, the tabulator."""
    script = tree / "usr/share/bash-completion/completions/archsyncctl"
    for typed, wanted in (
        (["ex"], "exceptions"),
        (["exceptions", "li"], "list"),
        (["status", "--ch"], "--check"),
    ):
        words = " ".join(f"'{word}'" for word in ["archsyncctl", *typed])
        code = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; "
            "$(complete -p archsyncctl | sed 's/.*-F \\([^ ]*\\).*/\\1/') archsyncctl; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=30, check=False)
        assert wanted in done.stdout.split(), (typed, done.stdout, done.stderr)
