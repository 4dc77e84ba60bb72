"""The order desk in files: crashes, restarts, full disks, answers that cannot be read and ids that mean harm."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from archsyncd.adapters.r247_drop.desk import TELL_AGAIN_SECONDS, DropDesk
from archsyncd.adapters.r247_drop.order_files import OrderFiles
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import CancelAnswer, Objection, Taken
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import drop_desk as source
from archsyncd.wire.r247_order_files import ACK_LIMIT_BYTES
from tests.adapters.feeds.desk_contract import body, booked
from tests.adapters.feeds.dropping import Drop, dropped
from tests.simulators.r247.houses import ORDER_ID, House
from tests.support.virtual_time import VirtualClock, virtual

RECEIVED = OrderLookup("received")
NAME = f"order-{ORDER_ID}-v3.json"
WISH = f"cancel-{ORDER_ID}.json"
OTHER_ID = "0f1c7a52-3a1e-4a8e-9a52-0f4d3f6f0002"


class Killed(BaseException):
    """The process ends here: nothing is caught, nothing is tidied."""


@dataclass
class FaultyFiles(OrderFiles):
    """Order files whose steps fail as they are told, before they do anything or after it."""

    path: Path
    before: dict[str, BaseException] = field(default_factory=dict)
    after: dict[str, BaseException] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def stage(self, name: str, data: bytes) -> None:
        with self._failing("stage"):
            super().stage(name, data)

    def publish(self, name: str) -> None:
        with self._failing("publish"):
            super().publish(name)

    @contextmanager
    def _failing(self, step: str) -> Iterator[None]:
        self.steps.append(step)
        if step in self.before:
            raise self.before[step]
        yield
        if step in self.after:
            raise self.after[step]


class Desk:
    """A directory, its desk, and what lies in the two folders."""

    def __init__(self, drop: Drop) -> None:
        self.drop = drop
        self.out, self.ack = drop.root / "orders" / "out", drop.root / "orders" / "ack"
        self.out.mkdir(parents=True)
        self.ack.mkdir()
        self.clock = VirtualClock()
        self.files = FaultyFiles(drop.root)
        self.desk = DropDesk(self.files, self.clock)

    def restart(self) -> None:
        self.files = FaultyFiles(self.drop.root)
        self.desk = DropDesk(self.files, self.clock)

    def says(self, name: str, **fields: Any) -> None:
        """The source answers, by rename."""
        part = self.ack / ".part"
        part.write_text(json.dumps(fields))
        part.rename(self.ack / f"{name}.ack.json")

    def lies(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())

    async def fault(self, order_id: str = ORDER_ID) -> FeedFault:
        with pytest.raises(FeedFault) as fault:
            await self.desk.hand_over(order_id, body(order_id))
        assert not fault.value.blind
        return fault.value


@contextmanager
def at_desk() -> Iterator[Desk]:
    with dropped() as drop:
        yield Desk(drop)


@virtual
async def test_an_order_is_a_file_of_its_id_and_version() -> None:
    """To the byte what was to be sent, for the eyes of owner and group."""
    with at_desk() as at:
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert at.lies() == [NAME]
        assert (at.out / NAME).read_text() == body()
        assert (at.out / NAME).stat().st_mode & 0o007 == 0


@virtual
async def test_the_folders_are_made_where_there_are_none() -> None:
    """A directory that was only read so far can be written."""
    with dropped() as drop:
        desk = DropDesk(OrderFiles(drop.root), VirtualClock())
        assert await desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert (drop.root / "orders" / "out" / NAME).exists()
        assert (drop.root / "orders" / "ack").is_dir()


@virtual
async def test_f134_a_crash_before_the_name_leaves_nothing_that_is_read() -> None:
    """The source sees no order; the repeat is whole, and no trace of the first try stays."""
    with at_desk() as at:
        house = House().stock(X=10)
        files = source.DropDesk(at.drop.root, house.simulator.desk, takes=True)
        at.files.after["stage"] = Killed()
        with pytest.raises(Killed):
            await at.desk.hand_over(ORDER_ID, body())
        assert at.lies() == [f".{NAME}.tmp"]
        assert files.poll() == []
        at.restart()
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert at.lies() == [NAME]
        assert files.poll() == [NAME]
        assert house.warehouse.available("X", "WH1") == 8


@virtual
async def test_f134_a_crash_after_the_name_leaves_one_order() -> None:
    """The repeat finds the answer, and writes nothing."""
    with at_desk() as at:
        house = House().stock(X=10)
        files = source.DropDesk(at.drop.root, house.simulator.desk, takes=True)
        at.files.after["publish"] = Killed()
        with pytest.raises(Killed):
            await at.desk.hand_over(ORDER_ID, body())
        files.poll()
        at.restart()
        found = await at.desk.hand_over(ORDER_ID, body())
        assert isinstance(found, OrderLookup)
        assert found.status == "accepted"
        assert (at.files.steps, at.lies()) == ([], [])
        assert house.warehouse.book.duplicates == []


@virtual
async def test_f148_what_a_crash_left_half_done_goes_with_the_order() -> None:
    """A temporary file names a person as well; that of another order stays."""
    with at_desk() as at:
        other = at.out / f".order-{OTHER_ID}-v1.json.tmp"
        other.touch()
        (at.out / f".{NAME}.tmp").write_text(body())
        assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
        assert at.lies() == sorted([other.name, WISH])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_file_that_could_not_be_written_was_certainly_not_told(code: int) -> None:
    """A full or read-only disk: nothing lies there, the fault says so, and later it goes by itself."""

    @virtual
    async def run() -> None:
        with at_desk() as at:
            at.files.before["stage"] = OSError(code, os.strerror(code))
            fault = await at.fault()
            assert (fault.unreached, fault.reason) == (True, f"{at.drop.root}: {os.strerror(code)}")
            assert at.lies() == []
            at.files.before.clear()
            assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED

    run()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_whose_name_is_in_doubt_may_have_been_told(when: str) -> None:
    """The rename or its durability failed: only a repeat makes sure, which changes nothing."""

    @virtual
    async def run() -> None:
        with at_desk() as at:
            getattr(at.files, when)["publish"] = OSError(errno.EIO, "I/O error")
            assert not (await at.fault()).unreached
            at.files.before.clear()
            at.files.after.clear()
            assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
            assert [name for name in at.lies() if not name.startswith(".")] == [NAME]

    run()


@pytest.mark.parametrize("left_pages", [0, 1, 3])
def test_a_full_disk_leaves_no_part_of_a_file(left_pages: int) -> None:
    """A small file system really filled: it breaks off within the file or before it, and goes once there is room."""

    @virtual
    async def run() -> None:
        with dropped() as drop, full_disk(drop.root, left_pages) as ballast:
            at = Desk(drop)
            notes = "x" * 4096 * 4
            for _ in range(2):
                with pytest.raises(FeedFault, match="No space left") as fault:
                    await at.desk.hand_over(ORDER_ID, body(notes=notes))
                assert fault.value.unreached
                assert at.lies() == []
            ballast.unlink()
            assert await at.desk.hand_over(ORDER_ID, body(notes=notes)) == RECEIVED
            assert json.loads((at.out / NAME).read_text())["notes"] == notes

    run()


@contextmanager
def full_disk(path: Path, left_pages: int) -> Iterator[Path]:
    """Mount a file system of 64 pages there and fill all but some; yields the file that fills it."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        ballast = path / "ballast"
        # Folders take no page there; what is left is less than the order needs.
        ballast.write_bytes(b"x" * 4096 * (64 - left_pages))
        yield ballast
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


@virtual
async def test_a_temporary_name_that_cannot_be_used_is_a_fault() -> None:
    """Something else lies under it: it is left alone, and nothing was told."""
    with at_desk() as at:
        (at.out / f".{NAME}.tmp").mkdir()
        assert (await at.fault()).unreached
        assert at.lies() == [f".{NAME}.tmp"]


@virtual
async def test_a_repeat_leaves_the_file_that_lies_there_alone() -> None:
    """The same bytes: the source may be reading them. Other ones under the name take their place in one step."""
    with at_desk() as at:
        await at.desk.hand_over(ORDER_ID, body())
        before = (at.out / NAME).stat().st_ino
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert (at.out / NAME).stat().st_ino == before
        assert await at.desk.hand_over(ORDER_ID, body(notes="ring twice")) == RECEIVED
        assert json.loads((at.out / NAME).read_text())["notes"] == "ring twice"
        assert at.lies() == [NAME]


@virtual
async def test_a_restart_finds_the_answer() -> None:
    """By the body that is kept; without one nobody knows which file was meant."""
    with at_desk() as at:
        await at.desk.hand_over(ORDER_ID, body())
        assert await at.desk.answer(ORDER_ID, body()) is None
        at.says(NAME, status="accepted", sourceOrder="SO-1", position={"epoch": "e1", "seq": "104"})
        at.restart()
        assert await at.desk.answer(ORDER_ID, body()) == OrderLookup("accepted", "SO-1", "e1", 104)
        assert await at.desk.answer(ORDER_ID, body()) == OrderLookup("accepted", "SO-1", "e1", 104)
        assert await at.desk.answer(ORDER_ID, body(version=4)) is None
        assert await at.desk.answer(ORDER_ID, "") is None


@virtual
async def test_a_refusal_is_told_before_anything_is_sent_again() -> None:
    """Read by this process it was told, and the next sending is a new one; after a restart it is told once more first."""
    with at_desk() as at:
        await at.desk.hand_over(ORDER_ID, body())
        at.says(NAME, status="rejected", code="unknown_sku")
        (at.out / NAME).unlink()
        refused = Objection("unknown_sku")
        assert await at.desk.answer(ORDER_ID, body()) == refused
        at.restart()
        assert await at.desk.hand_over(ORDER_ID, body()) == refused
        assert at.lies() == []
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert at.lies() == [NAME]
        assert await at.desk.answer(ORDER_ID, body()) is None


@virtual
async def test_a_second_sending_that_fails_is_made_up_for() -> None:
    """The refusal is withdrawn and the first file lies there: it is not taken for the second one."""
    with at_desk() as at:
        await at.desk.hand_over(ORDER_ID, body())
        at.says(NAME, status="rejected", code="unknown_sku")
        await at.desk.answer(ORDER_ID, body())
        first = (at.out / NAME).stat().st_ino
        at.files.before["stage"] = OSError(errno.ENOSPC, "No space left on device")
        assert (await at.fault()).unreached
        at.files.before.clear()
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert (at.out / NAME).stat().st_ino != first
        second = (at.out / NAME).stat().st_ino
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED
        assert (at.out / NAME).stat().st_ino == second


@virtual
async def test_another_order_under_the_id_is_never_sent_again() -> None:
    """A person must look at both."""
    with at_desk() as at:
        at.says(NAME, status="rejected", code="different_content")
        for _ in range(3):
            found = await at.desk.hand_over(ORDER_ID, body())
            assert found == Objection("different_content", different=True)
        assert at.lies() == []


def half_written(path: Path) -> None:
    path.write_text('{"status":"accepted","sourceOr')


def empty(path: Path) -> None:
    path.touch()


def too_large(path: Path) -> None:
    path.write_text('{"status":"received","detail":"' + "x" * ACK_LIMIT_BYTES + '"}')


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("spoil", [half_written, empty, too_large, a_link, a_pipe, a_folder])
def test_an_answer_that_cannot_be_read_is_a_fault_of_this_order_alone(spoil: Any) -> None:
    """It is named with what is wrong; other orders go on, and once it is whole it counts."""

    @virtual
    async def run() -> None:
        with at_desk() as at:
            for name in (NAME, WISH, "shipped-F-1.json"):
                spoil(at.ack / f"{name}.ack.json")
            fault = await at.fault()
            assert fault.reason.startswith(f"orders/ack/{NAME}.ack.json: ")
            assert (fault.answered, fault.unreached) == (True, False)
            for asking in (
                at.desk.answer(ORDER_ID, body()),
                at.desk.ask_to_cancel(ORDER_ID, "shopper"),
                at.desk.acknowledge_dispatch(booked()),
            ):
                with pytest.raises(FeedFault, match="orders/ack/"):
                    await asking
            assert await at.desk.hand_over(OTHER_ID, body(OTHER_ID)) == RECEIVED
            if spoil is a_folder:
                (at.ack / f"{NAME}.ack.json").rmdir()
            at.says(NAME, status="received")
            assert await at.desk.answer(ORDER_ID, body()) == RECEIVED

    run()


@virtual
async def test_an_answer_under_a_temporary_name_is_none() -> None:
    """It is not there before its writer says that it is whole."""
    with at_desk() as at:
        (at.ack / f".{NAME}.ack.json.tmp").write_text('{"status":"accepted"}')
        assert await at.desk.answer(ORDER_ID, body()) is None


@pytest.mark.parametrize(
    "own_id", ["../../in/evil", "..", ".", "a/b", "a\\b", "\0", "x" * 5_000, "", "-v3", "~"]
)
def test_an_id_that_means_harm_stays_in_its_folder(own_id: str) -> None:
    """One file a telling, in the one folder; nothing is read anywhere else."""

    @virtual
    async def run() -> None:
        with dropped() as around:
            (around.root / "inner").mkdir()
            at = Desk(Drop(around.root / "inner"))
            everything = {path for path in around.root.rglob("*") if path.parent != at.out}
            assert await at.desk.hand_over(own_id, body(own_id)) == RECEIVED
            assert await at.desk.acknowledge_dispatch(booked(own_id)) is Taken.PENDING
            (file,) = at.out.glob("order-*")
            at.says(file.name, status="accepted")
            assert await at.desk.ask_to_cancel(own_id, "shopper") is CancelAnswer.PENDING
            assert len(at.lies()) == 3
            ack = at.ack / f"{file.name}.ack.json"
            assert {path for path in around.root.rglob("*") if path.parent != at.out} == everything | {ack}
            assert await at.desk.answer(own_id, body(own_id)) == OrderLookup("accepted")

    run()


@pytest.mark.parametrize("link", ["orders", "orders/out", "orders/ack"])
def test_a_folder_that_is_a_link_is_not_followed(link: str) -> None:
    """Neither at the end nor on the way: nothing is written through it."""

    @virtual
    async def run() -> None:
        with at_desk() as at, dropped() as elsewhere:
            (elsewhere.root / "out").mkdir()
            (elsewhere.root / "ack").mkdir()
            shutil.rmtree(at.drop.root / link)
            (at.drop.root / link).symlink_to(elsewhere.root)
            assert (await at.fault()).unreached
            assert list((elsewhere.root / "out").iterdir()) == []

    run()


@virtual
async def test_a_missing_directory_is_a_fault_and_comes_back() -> None:
    """An unmounted one was told nothing; mounted again it is written without a restart."""
    with at_desk() as at:
        away = at.drop.root.with_name(f"{at.drop.root.name}-away")
        at.drop.root.rename(away)
        fault = await at.fault()
        assert (fault.unreached, fault.answered) == (True, False)
        assert "No such file" in fault.reason
        away.rename(at.drop.root)
        assert await at.desk.hand_over(ORDER_ID, body()) == RECEIVED


@virtual
async def test_a_body_without_version_is_not_sent() -> None:
    """It has no name."""
    with at_desk() as at:
        with pytest.raises(FeedFault) as fault:
            await at.desk.hand_over(ORDER_ID, "{}")
        assert fault.value.unreached
        with pytest.raises(FeedFault):
            await at.desk.answer(ORDER_ID, "{}")
        assert at.lies() == []


@virtual
async def test_a_wish_waits_for_the_answer_to_its_order() -> None:
    """Of whichever version lies there; another order's file holds nothing back."""
    with at_desk() as at:
        await at.desk.hand_over(OTHER_ID, body(OTHER_ID))
        await at.desk.hand_over(ORDER_ID, body())
        assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
        assert WISH not in at.lies()
        at.restart()
        assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
        assert WISH not in at.lies()
        at.says(NAME, status="received")
        assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
        assert json.loads((at.out / WISH).read_text()) == {"reason": "shopper"}


@virtual
async def test_what_the_source_took_away_is_told_again_only_after_a_while() -> None:
    """A source that answers slowly does not find it anew with every question; one that lost it does in the end."""
    with at_desk() as at:

        async def both() -> list[str]:
            assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
            assert await at.desk.acknowledge_dispatch(booked()) is Taken.PENDING
            found = at.lies()
            for name in found:
                (at.out / name).unlink()
            return found

        told = [WISH, "shipped-F-1.json"]
        assert await both() == told
        await at.clock.sleep(TELL_AGAIN_SECONDS - 1)
        assert await both() == []
        await at.clock.sleep(2)
        assert await both() == told
        at.restart()
        assert await both() == told
        at.says(WISH, status="received")
        assert await both() == []
        at.says(WISH, status="cancelled")
        assert await at.desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.CANCELLED


@virtual
async def test_a_wish_that_cannot_be_decided_is_a_fault_with_its_code() -> None:
    """The order stays as it is, and the wish is looked at again."""
    with at_desk() as at:
        at.says(WISH, status="rejected", code="bad_field")
        with pytest.raises(FeedFault, match="bad_field"):
            await at.desk.ask_to_cancel(ORDER_ID, "shopper")


@virtual
async def test_a_dispatch_that_was_refused_is_told_anew_when_it_is_told_again() -> None:
    """The refusal is told first; what is asked after that is a new question."""
    with at_desk() as at:
        at.says("shipped-F-1.json", status="rejected", code="unknown_fulfilment")
        assert await at.desk.acknowledge_dispatch(booked()) == Objection("unknown_fulfilment")
        assert await at.desk.acknowledge_dispatch(booked()) is Taken.PENDING
        told = json.loads((at.out / "shipped-F-1.json").read_text())
        assert told == {
            "orderId": ORDER_ID,
            "deliveryKey": "F-1",
            "shipmentState": "Shipped",
            "at": booked().at,
        }
        at.says("shipped-F-1.json", status="acknowledged")
        assert await at.desk.acknowledge_dispatch(booked()) is Taken.TAKEN


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@virtual
async def test_nothing_stays_open() -> None:
    """However a call ends, the descriptors of its folders are closed."""
    with at_desk() as at:
        await at.desk.hand_over(ORDER_ID, body())
        before = descriptors()
        for _ in range(20):
            await at.desk.answer(ORDER_ID, body())
            await at.desk.ask_to_cancel(ORDER_ID, "shopper")
        (at.ack).rmdir()
        (at.ack).symlink_to(at.out)
        for _ in range(20):
            await at.fault()
        assert descriptors() == before
