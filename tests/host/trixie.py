"""The tests of the installed package on a Debian 13 made for them: `python -m tests.host.trixie [TREE]`.

Needs root and Debian's mirror. TREE is where the new system's files are kept and used again; without it they are removed.

Takes some minutes, most of them for the tree of the new system. Ends with the number of what passed and failed, and status 1
when anything failed.
"""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.host import test_service
from tests.host.machine import cannot_boot
from tests.host.site import build, installed, renamed

RELEASE = "trixie"
CONTENT = "systemd,systemd-sysv,dbus,python3,curl,ca-certificates,iproute2,passwd,util-linux,procps"


def main(words: Sequence[str]) -> int:
    """Make the system, install the package, run every test of the service in order."""
    reason = cannot_boot()
    if reason or shutil.which("debootstrap") is None:
        sys.stderr.write(f"{reason or 'debootstrap is not installed'}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="archsyncd-trixie-") as name:
        scratch = Path(name)
        system = Path(words[0]).resolve() if words else scratch / "system"
        if not (system / "etc").exists():
            command = ["debootstrap", "--variant=minbase", f"--include={CONTENT}", RELEASE, str(system)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        package = build(scratch)
        newer = renamed(package, "0.2.0", scratch)
        return _run(system, package, newer, scratch)


def _run(system: Path, package: Path, newer: Path, scratch: Path) -> int:
    failed = passed = 0
    with installed(package, scratch, newer, lower=system) as site:
        versions = site.machine.run(
            "sh", "-c", ". /etc/os-release; echo $PRETTY_NAME; systemctl --version; python3 -V"
        )
        sys.stdout.write(versions)
        site.open()
        tests = [
            (name, function)
            for name, function in inspect.getmembers(test_service, inspect.isfunction)
            if name.startswith("test_")
        ]
        for name, function in sorted(tests, key=lambda each: inspect.getsourcelines(each[1])[1]):
            try:
                function(site)
                passed += 1
                sys.stdout.write(f"ok      {name}\n")
            except AssertionError:
                failed += 1
                sys.stdout.write(f"FAILED  {name}\n{traceback.format_exc(limit=-2)}\n")
                said = site.machine.ask("journalctl", "--no-pager", "--lines=30", "-u", "archsyncd")
                sys.stdout.write(f"{said.stdout}\n{site.machine.ask('archsyncctl', 'status').stdout}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
