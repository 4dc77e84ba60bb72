"""A throwaway system with systemd and journald, booted in half a second over an overlay of this one. Needs root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BOOT = Path(__file__).with_name("boot")
BOOT_SECONDS = 30.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 90.0
LOOK_SECONDS = 0.05
POWER_OFF = signal.SIGRTMIN + 4  # what systemd takes for it (systemd(1), "SIGNALS")


def cannot_boot() -> str:
    """Why no such system can be booted here; "" when one can."""
    if os.geteuid() != 0:
        return "only root can boot a system"
    tools = ("unshare", "nsenter", "pivot_root", "ip")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing or not Path("/lib/systemd/systemd").exists():
        return f"{', '.join(missing) or 'systemd'} is not installed"
    if not any(":name=systemd:" in line for line in Path("/proc/self/cgroup").read_text().splitlines()):
        return (
            "this machine has no cgroup v1 hierarchy of systemd's; use the longer command with systemd-nspawn"
        )
    return ""


def _groups(name: str) -> list[Path]:
    """A control group of this name in every hierarchy, below ours."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        place = controllers.removeprefix("name=") or "unified"
        found.append(Path(f"/sys/fs/cgroup/{place}{path.rstrip('/')}/{name}"))
    return found


class Machine:
    """A running system. Commands run inside it as root."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def ask(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever it ends with."""
        return subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--", *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def run(self, *words: str, text: str | None = None) -> str:
        """Run a command inside that must succeed; what it printed."""
        done = self.ask(*words, text=text)
        told = f"{done.stdout}{done.stderr}"
        if done.returncode and words[0] == "systemctl":
            told += self.ask("journalctl", "--no-pager", "--lines=20").stdout
        assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{told}"
        return done.stdout

    def until(self, holds: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        """Look until something is so. Real processes in real time: there is no clock to pass in."""
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
            time.sleep(LOOK_SECONDS)
        return found

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        told = self.run("systemctl", "show", unit, "--property", ",".join(names))
        return dict(line.split("=", 1) for line in told.splitlines())

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Journal entries that match, with all their fields. That there are none is no error (journalctl -g ends with 1)."""
        told = self.ask("journalctl", "--no-pager", "--output=json", "--boot", *matches)
        assert not told.stderr, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        """Write a file inside."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, text=content)


@contextmanager
def booted(seed: Path, lower: Path = Path("/")) -> Iterator[Machine]:
    """A system with this tree laid over it, until the block is left: the running one, or the one whose tree is `lower`."""
    name = f"archsyncd-test-{os.getpid()}"
    groups = _groups(name)
    for group in groups:
        group.mkdir(parents=True)
        for limit in ("cpuset.cpus", "cpuset.mems"):
            if (group / limit).exists():
                (group / limit).write_text((group.parent / limit).read_text())
    scratch = Path(tempfile.mkdtemp(prefix="archsyncd-machine-"))
    log = (scratch.parent / f"{scratch.name}.log").open("w+b")
    joined = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
    namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
    words = ["unshare", *namespaces, "--fork", "--kill-child", "--propagation", "private", str(BOOT)]
    outer = subprocess.Popen(
        ["bash", "-c", f'{joined}; exec "$@"', "boot", *words, str(scratch), str(seed), str(lower)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield _ready(outer, log)
    finally:
        _power_off(outer)
        log.close()
        Path(log.name).unlink()
        scratch.rmdir()
        for group in groups:
            for left in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                left.rmdir()
            group.rmdir()


def _ready(outer: subprocess.Popen[bytes], log: Any) -> Machine:
    end = time.monotonic() + BOOT_SECONDS
    state = "not begun"
    while time.monotonic() < end and outer.poll() is None:
        children = _children(outer.pid)
        if children:
            machine = Machine(children[0])
            state = machine.ask("systemctl", "is-system-running").stdout.strip()
            if state in {"running", "degraded"}:
                return machine
        time.sleep(LOOK_SECONDS)
    log.seek(0)
    raise AssertionError(f"the system did not boot ({state}): {log.read().decode(errors='replace')}")


def _children(pid: int) -> Sequence[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _power_off(outer: subprocess.Popen[bytes]) -> None:
    for leader in _children(outer.pid):
        os.kill(leader, POWER_OFF)
    try:
        outer.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        outer.kill()
        outer.wait(STOP_SECONDS)
