"""One process per state directory, and one name for the database (faults 23, 37, 161)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archsyncd.adapters import host_lock
from archsyncd.adapters.host_lock import (
    check_database_place,
    filesystem_of,
    identity,
    still_there,
    take,
)
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, Fatal

DAEMON = str(Path(host_lock.__file__).parents[2])
HOLDER = """
import os, sys, pathlib
from archsyncd.adapters.host_lock import take
lock = take(pathlib.Path(sys.argv[1]), os.getpid())
print("held", flush=True)
sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        env={**os.environ, "PYTHONPATH": DAEMON},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_f161_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    """Exit status 73 and a sentence with the other's process id and what to do."""
    with holder(tmp_path) as other:
        with pytest.raises(Fatal, match=rf"process {other.pid}\) already uses") as refused:
            take(tmp_path, os.getpid())
        assert refused.value.code == EXIT_FENCED_OFF
        other.kill()


def test_f161_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """Kill -9 leaves a file but no lock."""
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
    lock = take(tmp_path, os.getpid())
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_f161_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """Within one process too, and releasing twice is harmless."""
    first = take(tmp_path, 1)
    with pytest.raises(Fatal, match="process 1"):
        take(tmp_path, 2)
    first.release()
    first.release()
    take(tmp_path, 2).release()


def test_f161_nonsense_in_the_lock_file_is_not_repeated(tmp_path: Path) -> None:
    """Only a process id is quoted from the file."""
    lock = take(tmp_path, 1)
    (tmp_path / "lock").write_bytes(b"\x1b[31m\xff\xfe no number")
    with pytest.raises(Fatal, match=r"^another archsyncd already uses"):
        take(tmp_path, 2)
    lock.release()


def test_f023_a_helper_program_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """Even a child that closes nothing has no descriptor of the lock, and cannot keep it beyond our end."""
    lock = take(tmp_path, 1)
    code = "import os; print([os.path.realpath(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')])"
    listed = subprocess.run(
        [sys.executable, "-c", code], close_fds=False, capture_output=True, text=True, check=True, timeout=30
    )
    assert str(tmp_path) not in listed.stdout
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], close_fds=False, stdin=subprocess.PIPE
    ) as helper:
        lock.release()
        take(tmp_path, 2).release()
        helper.kill()


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A missing directory, or a link in the lock's place, is a matter of configuration."""
    with pytest.raises(Fatal, match="No such file") as refused:
        take(tmp_path / "missing", 1)
    assert refused.value.code == EXIT_CONFIGURATION
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fatal, match="cannot open"):
        take(tmp_path, 1)
    assert not (tmp_path / "elsewhere").exists()


def mounts(tmp_path: Path, *lines: tuple[str, str]) -> Path:
    table = tmp_path / "mountinfo"
    table.write_text(
        "".join(
            f"{40 + number} 1 8:{number} / {point} rw,relatime shared:1 - {kind} /dev/x rw\n"
            for number, (point, kind) in enumerate(lines)
        )
    )
    return table


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs"])
def test_f037_a_network_filesystem_is_refused(tmp_path: Path, kind: str) -> None:
    """Locks and fsync are not dependable there: the start ends with a sentence and status 78."""
    table = mounts(tmp_path, ("/", "ext4"), (str(tmp_path.parent), kind))
    with pytest.raises(Fatal, match=f"network filesystem {kind}") as refused:
        check_database_place(tmp_path / "state.db", None, table)
    assert refused.value.code == EXIT_CONFIGURATION


@pytest.mark.parametrize(
    ("kind", "warned"), [("ext4", 0), ("xfs", 0), ("btrfs", 0), ("overlay", 1), ("tmpfs", 1)]
)
def test_f037_a_passing_filesystem_is_a_warning_and_a_local_disk_is_right(
    tmp_path: Path, kind: str, warned: int
) -> None:
    """Overlay and tmpfs keep their promises until the container or the machine goes; that is said, not refused."""
    found = check_database_place(tmp_path / "state.db", None, mounts(tmp_path, ("/", kind)))
    assert (found.filesystem, len(found.warnings)) == (kind, warned)


def test_f037_the_filesystem_is_that_of_the_nearest_and_latest_mount(tmp_path: Path) -> None:
    """A mount covers what is below it and what was mounted there before; names may hold spaces."""
    table = mounts(
        tmp_path,
        ("/", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/local\\040disk", "ext4"),
        ("/srv/local\\040disk", "xfs"),
        ("/srvx", "cifs"),
    )
    assert filesystem_of(Path("/srv/local disk/state"), table) == "xfs"
    assert filesystem_of(Path("/srv/other"), table) == "nfs4"
    assert filesystem_of(Path("/var/lib"), table) == "ext4"
    assert filesystem_of(Path("/var/lib"), tmp_path / "absent") == "unknown"
    (tmp_path / "odd").write_text("garbage\n1 2 3 - ext4\n\n")
    assert filesystem_of(Path("/var/lib"), tmp_path / "odd") == "unknown"


def test_f037_this_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    """The kernel's real table names a filesystem for a real directory."""
    assert check_database_place(tmp_path / "state.db").filesystem != "unknown"


def test_f037_a_database_with_a_second_name_is_refused(tmp_path: Path) -> None:
    """A hard link would be opened past the lock and past SQLite's log."""
    table = mounts(tmp_path, ("/", "ext4"))
    database = tmp_path / "state.db"
    database.write_bytes(b"")
    assert check_database_place(database, None, table).warnings == ()
    (tmp_path / "copy.db").hardlink_to(database)
    with pytest.raises(Fatal, match="2 names"):
        check_database_place(database, None, table)


def test_f037_a_link_or_a_directory_is_no_database(tmp_path: Path) -> None:
    """SQLite would keep its log beside another name."""
    table = mounts(tmp_path, ("/", "ext4"))
    (tmp_path / "real.db").write_bytes(b"")
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")
    for name in ("state.db", "."):
        with pytest.raises(Fatal, match="no regular file"):
            check_database_place(tmp_path / name, None, table)


def test_f037_the_lock_must_lie_beside_the_database(tmp_path: Path) -> None:
    """A lock in another directory protects another database."""
    table = mounts(tmp_path, ("/", "ext4"))
    (tmp_path / "other").mkdir()
    lock = take(tmp_path, 1)
    check_database_place(tmp_path / "state.db", lock, table)
    with pytest.raises(Fatal, match="beside its lock"):
        check_database_place(tmp_path / "other" / "state.db", lock, table)
    lock.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_f037_a_database_of_another_user_is_refused(tmp_path: Path) -> None:
    """Restored as the wrong user: said at the start, not by a failing write."""
    database = tmp_path / "state.db"
    database.write_bytes(b"")
    os.chown(database, 12_345, -1)
    with pytest.raises(Fatal, match="belongs to user 12345"):
        check_database_place(database, None, mounts(tmp_path, ("/", "ext4")))


def test_f037_a_database_moved_or_replaced_under_the_process_is_noticed(tmp_path: Path) -> None:
    """The path no longer names the file that was opened."""
    database = tmp_path / "state.db"
    database.write_bytes(b"1")
    opened = identity(database)
    assert still_there(database, opened)
    database.rename(tmp_path / "moved.db")
    assert not still_there(database, opened)
    database.write_bytes(b"2")
    assert not still_there(database, opened)
