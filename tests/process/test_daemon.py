"""The real daemon's life as a process: its signals, its exit statuses, its locks and its secrets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from archsyncd.simulators.commercetools import ApiClient, FaultKind
from archsyncd.simulators.r247 import Auth, Fault
from archsyncd.simulators.r247 import FaultKind as FeedFault
from archsyncd.simulators.trade import TradeConfig
from tests.process.harness import CLOCK, Daemon, configuration, daemon, text_everywhere
from tests.process.site import CHANNEL, LOCATION, assert_right, gather_all, in_step, site

pytestmark = pytest.mark.timeout(180)
STOCK = {f"S{number:02}": 10 + number for number in range(8)}
CANARY = "canary-7d1f0c7e9b"
LARGE_BYTES = 80 * 1024 * 1024


def contents(path: Path) -> list[str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        lines = list(database.iterdump())
    database.close()
    return lines


async def test_f014_f015_a_stop_under_load_is_quick_and_leaves_nothing_unknown(tmp_path: Path) -> None:
    """SIGTERM, twice or with SIGHUP and SIGINT, while writes hang: 0 within seconds, and the next start settles all."""
    await gather_all(*(_stopped(tmp_path / name, name) for name in ("once", "twice", "mixed")))


async def _stopped(directory: Path, how: str) -> None:
    async with site(CLOCK, seed=70) as around, daemon(directory, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        around.shop.faults.add("inventory.update", FaultKind.SLOW, count=4, seconds=2.0)
        if how != "once":
            around.shop.faults.add("inventory.update", FaultKind.STALL, count=2)
        for sku in STOCK:
            around.house.warehouse.store_sale(sku, LOCATION, 1)
        await around.until(lambda: around.shop.journal.requests["inventory.update"] >= 3, "writes under way")
        if how == "mixed":
            one.send(signal.SIGTERM)
            one.send(signal.SIGHUP)
            one.send(signal.SIGINT)
        elif how == "twice":
            one.send(signal.SIGTERM)
            await one.until(lambda: any("STOPPING=1" in told for told in one.told), "the first one heard")
        code, seconds = await one.stop()
        assert code == 0
        assert seconds < 5
        assert any("STOPPING=1" in told for told in one.told)
        assert one.complaints() == []
        around.shop.faults.clear()
        await one.start(ready=True)
        await around.until_stock({sku: pieces - 1 for sku, pieces in STOCK.items()}, 60)
        await around.stays(lambda: around.stock("S00") == 9, "an operation took effect twice", 3)


async def test_f016_a_stop_during_a_long_snapshot_is_quick_and_the_next_start_takes_it(
    tmp_path: Path,
) -> None:
    """The source hangs in the middle of a full; nothing of it was published."""
    async with site(CLOCK, seed=71, house={"snapshot_limit": 2}) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        around.house.script.add(Fault(FeedFault.STALL, endpoint="snapshots", after=1))
        await one.start(ready=True)
        await around.until(lambda: around.house.script.struck, "the snapshot hangs")
        code, seconds = await one.stop()
        assert (code, seconds < 5) == (0, True)
        assert around.stock("S00") is None
        around.house.script.clear()
        await one.start(ready=True)
        await around.until_stock(STOCK)
        assert one.complaints() == []


async def test_f013_a_wrong_configuration_ends_with_78_and_touches_nothing(tmp_path: Path) -> None:
    """All faults are told with their places, and the database is what it was, byte by byte."""
    async with site(CLOCK, seed=72) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        await one.stop()
        before = text_everywhere(one.state)
        for wrong in ("[commercetools", "[rollout]\nstage = 'half'", "[guards]\nmaximum_to_zero = 4"):
            one.configure(more=wrong)
            del one.lines[:]
            await one.start()
            assert await one.ended() == 78
            assert one.line("config.toml")
        assert text_everywhere(one.state) == before


async def test_f014_a_reload_by_signal_is_in_force_and_a_faulty_one_is_not(tmp_path: Path) -> None:
    """SIGHUP tells the service manager RELOADING and READY, whatever comes of it."""
    async with site(CLOCK, seed=73) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        one.configure(more="[rollout")
        one.send(signal.SIGHUP)
        await one.until_line("stays in force")
        one.configure(more=f'[channels."{CHANNEL}"]\nsafety_stock = 3')
        one.send(signal.SIGHUP)
        await around.until_stock({sku: pieces - 3 for sku, pieces in STOCK.items()})
        reloads = [told for told in one.told if "RELOADING=1" in told]
        assert len(reloads) == 2
        assert all("MONOTONIC_USEC=" in told for told in reloads)
        assert one.complaints() == []


async def test_f161_a_second_instance_on_one_directory_ends_with_73(tmp_path: Path) -> None:
    """It names who holds the directory, and the first goes on."""
    async with site(CLOCK, seed=74) as around, daemon(tmp_path / "one", around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        async with daemon(tmp_path / "two", around) as two:
            two.config.write_text(configuration(one.directory, around))
            await two.start()
            assert await two.ended() == 73
            assert one.process is not None
            assert str(one.process.pid) in "\n".join(two.lines)
        await around.until_stock(STOCK)


async def test_f165_a_newer_schema_is_refused_with_74_and_left_alone(tmp_path: Path) -> None:
    """The sentence says what to do: the version that wrote it, or a restore."""
    async with site(CLOCK, seed=75) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        await one.stop()
        with sqlite3.connect(one.database) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {version + 1}")
        database.close()
        before = contents(one.database)
        del one.lines[:]
        await one.start()
        assert await one.ended() == 74
        assert any("newer" in line for line in one.lines), one.tail()
        assert contents(one.database) == before


async def test_f093_another_projects_database_is_refused_with_78(tmp_path: Path) -> None:
    """Credentials of a sandbox in production, or the other way round."""
    async with site(CLOCK, seed=76) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        await one.stop()
        one.configure(project="sandbox")
        await one.start()
        assert await one.ended() == 78
        assert one.line("belongs to the project demo")


async def test_f031_a_damaged_database_is_refused_with_74_and_rebuilt_once_it_is_moved_away(
    tmp_path: Path,
) -> None:
    """A flipped page: not written to any more. Moved aside, everything is taken over from commercetools."""
    async with site(CLOCK, seed=77) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        await one.stop()
        data = bytearray(one.database.read_bytes())
        for place in range(4096 * 2, len(data), 4096):
            data[place : place + 64] = os.urandom(64)
        one.database.write_bytes(data)
        await one.start()
        assert await one.ended() == 74
        assert one.database.read_bytes() == bytes(data)
        for path in one.state.glob("archsyncd.db*"):
            path.rename(one.directory / path.name)
        around.house.warehouse.store_sale("S07", LOCATION, 4)
        await one.start(ready=True)
        await around.until_stock({"S07": 13})


async def test_f031_a_large_database_is_checked_after_the_start_and_refused_with_74(tmp_path: Path) -> None:
    """READY does not wait for a file of many megabytes; damage where nothing else would meet it still ends the work."""
    async with site(CLOCK, seed=79) as around, daemon(tmp_path, around) as one:
        around.open({"S07": 17})
        await one.start(ready=True)
        await around.until_stock({"S07": 17})
        await one.stop()
        with contextlib.closing(sqlite3.connect(one.database)) as store:
            store.execute("CREATE TABLE ballast (content BLOB) STRICT")
            store.execute("INSERT INTO ballast VALUES (zeroblob(?))", (LARGE_BYTES,))
            store.commit()
        with one.database.open("r+b") as file:
            file.seek(LARGE_BYTES // 2 // 4096 * 4096)
            file.write(b"\xff" * 4096)
        await one.start(ready=True)
        assert await one.ended() == 74
        assert one.line("is damaged")


async def test_f170_a_secret_in_file_argument_or_environment_is_refused(tmp_path: Path) -> None:
    """78 before anything is opened, and the secret itself is not repeated."""
    await gather_all(*(_leaky(tmp_path / where, where) for where in ("file", "argument", "environment")))


async def _leaky(directory: Path, where: str) -> None:
    async with site(CLOCK, seed=78) as around, daemon(directory, around) as one:
        more: tuple[str, ...] = ()
        if where == "file":
            one.configure(commercetools=f'client_secret = "{CANARY}"')
        elif where == "argument":
            more = (f"--client-secret={CANARY}",)
        else:
            one.environment["CTP_CLIENT_SECRET"] = CANARY
        await one.start(more=more)
        assert await one.ended() in {64, 78}
        assert one.lines
        assert not any(CANARY in line for line in one.lines)
        assert not one.database.exists()
        assert around.shop.journal.requests == {}


async def test_f171_a_canary_secret_appears_nowhere(tmp_path: Path) -> None:
    """Refused, replaced, thrown at, killed: not in the journal, the status, the database, or a configuration's faults."""
    async with site(CLOCK, seed=79, house={"auth": Auth.BEARER, "credential": CANARY}) as around:
        around.shop.replace_client(_client(CANARY))
        feed = (
            '[[feed]]\nname = "main"\ntransport = "pull"\nurl = "{url}"\nauth = "bearer"\nwait_seconds = 5\n'
        )
        async with daemon(tmp_path, around, feed=feed.replace("{url}", around.house_url)) as one:
            (one.credentials / "commercetools-client-secret").write_text(CANARY)
            (one.credentials / "feed-main").write_text(CANARY)
            around.open(STOCK)
            await one.start(ready=True)
            await around.until_stock(STOCK)
            for kind in (FaultKind.INVALID_TOKEN, FaultKind.NOT_JSON, FaultKind.DROP, FaultKind.REDIRECT):
                for route in ("inventory.update", "messages.query"):
                    around.shop.faults.add(route, kind, count=1)
            around.shop.faults.add("oauth.token", FaultKind.GARBAGE_TOKEN, count=1)
            around.house.script.add(Fault(FeedFault.STATUS, times=2, status=401))
            around.house.script.add(Fault(FeedFault.GARBAGE, times=2))
            around.house.warehouse.store_sale("S00", LOCATION, 1)
            await around.until_stock({"S00": 9}, 60)
            await one.kill()
            around.shop.replace_client(_client("another"))
            around.shop.tokens.revoke_all()
            await one.start()
            await one.until(lambda: "restart" in one.status, "the refused credential in the status")
            await one.stop()
            one.configure(more="[rollout")
            await one.start()
            assert await one.ended() == 78
            _assert_nowhere(one)


def _client(secret: str) -> ApiClient:
    return ApiClient(secret=secret)


def _assert_nowhere(one: Daemon) -> None:
    said = "\n".join((*one.lines, *one.told)).encode()
    assert CANARY.encode() not in said
    for name, data in text_everywhere(one.directory).items():
        assert CANARY.encode() not in data or "/credentials/" in name, name
    assert len(said) > 500


DAY = TradeConfig(
    seconds=18,
    keys=10,
    hot_keys=2,
    shoppers=3,
    orders_per_second=1.5,
    store_sales_per_second=0.5,
    throttled_requests=0,
)


# Taken over: channels and orders are read first, then each entry.
TAKE_OVER_DRAIN_SECONDS = 8.0


async def test_f162_a_standby_takes_over_from_a_killed_host(tmp_path: Path) -> None:
    """Two databases, one project: the second waits, takes the lease of the dead one, and nothing is oversold.

    What the take-over hides comes back when bases are proven, 81 s later: the same in virtual time waits for that.
    """
    async with site(CLOCK, seed=80) as around:
        trade = around.trade(DAY, 80)
        await trade.open()
        async with (
            daemon(tmp_path / "a", around, lease_seconds=6) as first,
            daemon(tmp_path / "b", around, lease_seconds=6) as second,
        ):
            await first.start(ready=True)
            await first.until_line("this host writes")
            await second.start(ready=True)
            await second.until_line("stands by")
            taking = asyncio.create_task(_writes_from(second))
            killed = CLOCK.now()
            async for event in trade.run():
                if event.at_seconds > 5 and first.process is not None and first.process.returncode is None:
                    killed = CLOCK.now()
                    await first.kill()
            taken_over = await taking
            await trade.settle()
            verdict = await in_step(around, trade, 3, TAKE_OVER_DRAIN_SECONDS, [(killed, taken_over)])
            assert_right({**verdict, "hidden_units": 0})
            code, seconds = await second.stop()
            assert (code, seconds < 5, second.complaints()) == (0, True, [])


async def _writes_from(standby: Daemon) -> float:
    await standby.until_line("this host writes", 90)
    return CLOCK.now()


async def test_f162_a_paused_host_that_wakes_up_under_a_newer_fence_ends_with_73(tmp_path: Path) -> None:
    """SIGSTOP for longer than the lease: its successor's fence stops it at its first look, before it writes."""
    async with site(CLOCK, seed=81) as around:
        around.open(STOCK)
        async with (
            daemon(tmp_path / "a", around, lease_seconds=6) as first,
            daemon(tmp_path / "b", around, lease_seconds=6) as second,
        ):
            await first.start(ready=True)
            await around.until_stock(STOCK)
            first.send(signal.SIGSTOP)
            await second.start(ready=True)
            await second.until_line("this host writes")
            for sku in STOCK:
                around.house.warehouse.store_sale(sku, LOCATION, 1)
            await around.until_stock({sku: pieces - 1 for sku, pieces in STOCK.items()}, 60)
            first.send(signal.SIGCONT)
            assert await first.ended() == 73
            await around.stays(lambda: around.stock("S00") == 9, "two hosts wrote", 3)


async def test_f164_a_clone_is_released_by_adopt(tmp_path: Path) -> None:
    """The database says that it was made elsewhere: nothing is written, the status names the verb that allows it."""
    async with site(CLOCK, seed=82) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        await one.stop()
        with sqlite3.connect(one.database) as database:
            database.execute("UPDATE ledger SET host = 'elsewhere'")
        database.close()
        around.house.warehouse.store_sale("S00", LOCATION, 1)
        await one.start(ready=True)
        await one.until(lambda: "archsyncd adopt" in one.status, "the verb in the status")
        await around.stays(lambda: around.stock("S00") == 10, "a clone wrote", 3)
        await one.stop()
        code, said = await one.run_verb("adopt")
        assert (code, "belongs to this host now" in said) == (0, True)
        await one.start(ready=True)
        await around.until_stock({"S00": 9})


async def test_f034_the_database_is_deleted_under_a_process_that_was_killed(tmp_path: Path) -> None:
    """A fall is on sale within seconds of the start, nothing is raised without a proof, and all else is what it was.

    The raise comes when nothing of the lost file can land any more, 75 s and a clean read later: `system/test_takeover.py`
    waits for it in virtual time.
    """
    async with site(CLOCK, seed=83) as around, daemon(tmp_path, around, lease_seconds=6) as one:
        around.open(STOCK)
        await one.start(ready=True)
        await around.until_stock(STOCK)
        around.order("S01", 2, import_seconds=0.5)
        await around.until_stock({"S01": 9})
        await one.kill()
        shutil.rmtree(one.state)
        one.state.mkdir(mode=0o700)
        around.house.warehouse.store_sale("S00", LOCATION, 3)
        around.house.warehouse.receipt("S02", LOCATION, 4)
        await one.start(ready=True)
        await around.until_stock({"S00": 7}, 30)
        right = {**STOCK, "S00": 7, "S01": 9}
        await around.stays(
            lambda: {sku: around.stock(sku) for sku in STOCK} == right, "moved without a proof", 10
        )
        assert one.complaints() == []


async def test_f032_an_old_copy_put_back_under_a_process_that_was_killed_ends_in_step(
    tmp_path: Path,
) -> None:
    """Behind its markers, its orders and its feed: after its start everything is on sale that is there, and no more."""
    async with site(CLOCK, seed=84) as around, daemon(tmp_path, around, lease_seconds=6) as one:
        trade = around.trade(DAY, 84)
        await trade.open()
        await one.start(ready=True)
        await around.until(lambda: around.stock(DAY.skus[0]) is not None, "the first entry")
        async for event in trade.run():
            if event.at_seconds > 4 and not (tmp_path / "copy").exists():
                await one.stop()
                shutil.copytree(one.state, tmp_path / "copy")
                await one.start(ready=True)
        await one.kill()
        shutil.rmtree(one.state)
        shutil.copytree(tmp_path / "copy", one.state)
        await one.start(ready=True)
        await trade.settle()
        assert_right(await in_step(around, trade, 30, 30.0))
        assert one.complaints() == []


async def test_f016_more_time_is_asked_for_before_the_start_is_done_and_in_the_stop(tmp_path: Path) -> None:
    """Opening a large database, and closing it, may take longer than systemd gives a start and a stop."""
    async with site(CLOCK, seed=85) as around, daemon(tmp_path, around) as one:
        around.open(STOCK)
        await one.start(ready=True)
        started = [line for told in one.told for line in told.splitlines()]
        asked = "EXTEND_TIMEOUT_USEC=60000000"
        assert asked in started[: started.index("READY=1")]
        await one.stop()
        stopped = [line for told in one.told for line in told.splitlines()]
        assert asked in stopped[stopped.index("STOPPING=1") :]
