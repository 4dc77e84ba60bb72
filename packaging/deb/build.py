"""Builds the Debian package: locked wheels of several CPythons side by side, the program, units, manual pages, bill of materials.

The same commit gives the same bytes: every time stamp is the changelog's, every list is sorted. Run by packaging/build-deb.
"""

from __future__ import annotations

import argparse
import email.utils
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import codes
import pages
import papers
from archsyncd import __version__
from archsyncd.domain.events import catalog

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "packaging" / "deb"
LOCK = ROOT / "packaging" / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
STRIPS = {"amd64": "x86_64-linux-gnu-strip", "arm64": "aarch64-linux-gnu-strip"}
# The host's own binding is used; setuptools is for building alone; the others colour code and set Markdown for rich, which
# draws tables and a live view here.
NOT_CARRIED = ("setuptools", "systemd-python", "pygments", "markdown-it-py", "mdurl")
# What no program reads at run time.
DROPPED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".typed")
DROPPED_FILES = ("RECORD", "WHEEL", "INSTALLER", "top_level.txt", "entry_points.txt")
SITE = "usr/lib/archsyncd"
DOC = "usr/share/doc/archsyncd"
UNITS = "usr/lib/systemd/system"
DOCUMENTS = ("guide.md", "metrics.md", "orders.md", "profiles.md", "r247.md", "stock-ledger.md")
MONITORING = ("alert-rules.yml", "grafana-dashboard.json")
CONTROL_SCRIPTS = ("postinst", "prerm", "postrm")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One downloaded wheel."""

    path: Path

    @property
    def name(self) -> str:
        """The distribution's name as its file says it."""
        return self.path.name.split("-")[0]

    @property
    def sha256(self) -> str:
        """Of its bytes, as the lock file pins it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def main() -> int:
    """Build one package; 0 when it is there."""
    given = argparse.ArgumentParser(prog="packaging/build-deb")
    given.add_argument("architecture", nargs="?", default=native(), choices=sorted(MACHINES))
    given.add_argument("--out", type=Path, default=ROOT / "build")
    options = given.parse_args()
    out = options.out.resolve()
    moment = stamp((HERE / "changelog").read_text())
    os.environ["SOURCE_DATE_EPOCH"] = str(moment)
    found = wheels(options.architecture, ROOT / ".venv" / "wheels")
    tree = out / f"tree-{options.architecture}"
    shutil.rmtree(tree, ignore_errors=True)
    lay(tree, options.architecture, found)
    settle(tree, moment)
    package = out / f"archsyncd_{__version__}_{options.architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "-z9", "--build"]
    subprocess.run([*command, str(tree), str(package)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    sys.stdout.write(f"{package}\n")
    return 0


def native() -> str:
    """This machine's architecture by Debian's name."""
    asked = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True)
    return asked.stdout.strip()


def stamp(changelog: str) -> int:
    """The moment of the newest entry, in seconds; its version must be the program's."""
    version = re.match(r"archsyncd \(([^)]+)\)", changelog)
    signed = re.search(r"(?m)^ -- .*>  (.+)$", changelog)
    if version is None or signed is None or version[1] != __version__:
        raise SystemExit(f"packaging/deb/changelog does not begin with version {__version__}")
    return int(email.utils.parsedate_to_datetime(signed[1]).timestamp())


def wheels(architecture: str, cache: Path) -> list[Wheel]:
    """The locked wheels for every CPython, downloaded once and checked against their hashes each time."""
    text = LOCK.read_text()
    blocks = re.findall(r"(?m)^[a-z][^\n]*(?:\n    --hash[^\n]*)+", text)
    carried = [block for block in blocks if not block.startswith(tuple(f"{name}==" for name in NOT_CARRIED))]
    key = hashlib.sha256("\n".join((architecture, *PYTHONS, *carried)).encode()).hexdigest()[:16]
    directory = cache / f"{architecture}-{key}"
    done = directory / "complete"
    if not done.exists():
        download(architecture, carried, directory)
        done.write_text("")
    pinned = set(re.findall(r"sha256:([0-9a-f]{64})", text))
    found = [Wheel(path) for path in sorted(directory.glob("*.whl"))]
    for wheel in found:
        if wheel.sha256 not in pinned:
            raise SystemExit(f"{wheel.path} is not what the lock file pins; remove it")
    return found


def download(architecture: str, requirements: list[str], directory: Path) -> None:
    """Fetch wheels for machines that this one need not be."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    wanted = directory / "requirements.txt"
    wanted.write_text("\n".join(requirements) + "\n")
    tags = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
    platforms = [word for tag in tags for word in ("--platform", f"{tag}_{MACHINES[architecture]}")]
    for python in PYTHONS:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", python, *platforms, "--dest", str(directory)]
        subprocess.run(
            [*command, "--requirement", str(wanted)], check=True, stdout=sys.stderr, stderr=subprocess.PIPE
        )


def lay(tree: Path, architecture: str, found: list[Wheel]) -> None:
    """Lay the whole package out below `tree`."""
    site = tree / SITE
    for wheel in found:
        unpack(wheel.path, site)
    strip(site, architecture)
    program = ROOT / "daemon" / "archsyncd"
    shutil.copytree(program, site / "archsyncd", ignore=shutil.ignore_patterns("__pycache__", "py.typed"))
    for name in ("archsyncd", "archsyncctl"):
        put(tree / "usr/bin" / name, (HERE / f"{name}.launcher").read_bytes(), 0o755)
    for unit in (ROOT / "archsyncd.service", *sorted((ROOT / "packaging").glob("archsyncd*.s*"))):
        put(tree / UNITS / unit.name, unit.read_bytes())
    put(tree / "usr/lib/systemd/catalog/archsyncd.catalog", catalog().encode())
    put(tree / "usr/lib/sysusers.d/archsyncd.conf", (HERE / "archsyncd.sysusers").read_bytes())
    put(tree / "usr/share/archsyncd/config.toml", (ROOT / "config.toml").read_bytes())
    for name in MONITORING:
        put(tree / "usr/share/archsyncd" / name, (ROOT / "packaging" / name).read_bytes())
    put(tree / "usr/share/archsyncd/newer-systemd.conf", (HERE / "newer-systemd.conf").read_bytes())
    put(tree / "usr/share/lintian/overrides/archsyncd", (HERE / "lintian-overrides").read_bytes())
    (tree / "etc/archsyncd/credentials").mkdir(parents=True, mode=0o700)
    document(tree, found)
    control(tree, architecture)


def unpack(wheel: Path, site: Path) -> None:
    """A wheel's modules and its licences, without what only builds and type checks read."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = Path(entry.filename)
            dropped = path.suffix in DROPPED_SUFFIXES or (
                ".dist-info" in path.parts[0] and path.name in DROPPED_FILES
            )
            if entry.is_dir() or dropped or "tests" in path.parts:
                continue
            if path.is_absolute() or ".." in path.parts or ".data" in path.parts[0]:
                raise SystemExit(
                    f"{wheel.name} holds {entry.filename}, which this build does not know how to lay"
                )
            put(site / path, archive.read(entry))


def strip(site: Path, architecture: str) -> None:
    """Take symbols from compiled libraries, where this machine has the tool for them."""
    tool = shutil.which(STRIPS[architecture])
    if tool is None:
        sys.stderr.write(f"archsyncd: {STRIPS[architecture]} is missing: libraries keep their symbols\n")
        return
    for library in sorted(site.rglob("*.so")):
        subprocess.run([tool, "--strip-unneeded", str(library)], check=True)


def document(tree: Path, found: list[Wheel]) -> None:
    """Documents, manual pages, completion, licences and the bill of materials."""
    for name in DOCUMENTS:
        put(tree / DOC / name, (ROOT / "packaging" / name).read_bytes())
    put(tree / DOC / "changelog.gz", zipped((HERE / "changelog").read_bytes()))
    for example in sorted((ROOT / "packaging" / "examples").iterdir()):
        put(tree / DOC / "examples" / example.name, example.read_bytes())
    dates = str(os.environ["SOURCE_DATE_EPOCH"])
    for name, section, text in (*pages.every(), ("archsyncd.exceptions", 7, codes.manual())):
        made = subprocess.run(
            ["scdoc"],
            input=text.encode(),
            capture_output=True,
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": dates},
        ).stdout
        put(tree / f"usr/share/man/man{section}" / f"{name}.{section}.gz", zipped(made))
    for path, text in pages.completion():
        put(tree / path, text.encode())
    parts = papers.components(tree / SITE, gathered(found))
    put(tree / DOC / "copyright", papers.copyright_text(parts).encode())
    put(tree / DOC / "sbom.cdx.json", papers.bill_of_materials(parts).encode())


def gathered(found: list[Wheel]) -> dict[str, list[str]]:
    """The hashes of each distribution's wheels."""
    hashes: dict[str, list[str]] = {}
    for wheel in found:
        hashes.setdefault(wheel.name, []).append(wheel.sha256)
    return hashes


def control(tree: Path, architecture: str) -> None:
    """What dpkg reads: fields, scripts and checksums."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    fields = (HERE / "control.in").read_text()
    for name, value in (("VERSION", __version__), ("ARCHITECTURE", architecture), ("SIZE", str(size))):
        fields = fields.replace(f"@{name}@", value)
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(tree)}\n"
        for path in files
    )
    put(tree / "DEBIAN/md5sums", "".join(sums).encode())
    put(tree / "DEBIAN/control", fields.encode())
    for name in CONTROL_SCRIPTS:
        put(tree / "DEBIAN" / name, (HERE / name).read_bytes(), 0o755)


def settle(tree: Path, moment: int) -> None:
    """Give everything the modes and the time of the package, whatever this machine's are."""
    for path in walk(tree):
        if path.is_dir():
            path.chmod(0o700 if path.name == "credentials" else 0o755)
        os.utime(path, (moment, moment))


def walk(tree: Path) -> Iterator[Path]:
    """Everything below, the deepest first."""
    yield from sorted(tree.rglob("*"), key=lambda path: (-len(path.parts), path))
    yield tree


def put(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def zipped(content: bytes) -> bytes:
    """As gzip -9n writes it."""
    return gzip.compress(content, 9, mtime=0)


if __name__ == "__main__":
    sys.exit(main())
