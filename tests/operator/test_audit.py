"""`archsyncctl audit`: the real client against the simulated project, compared with what a source has told."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from archsyncd.domain.audit import SkuPage
from archsyncd.domain.inventory import Failure, Refused, SupplyChannel, Throttled, TooLarge, Unknown
from archsyncd.engine.auditing import FAILURES_AT_MOST, Auditing
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import FIELDS
from archsyncd.operator.progress import Progress
from archsyncd.simulators.commercetools import CommercetoolsSimulator, FaultKind
from tests.adapters.commercetools.test_simulator import Shop, open_shop
from tests.operator.daemon import CHANNEL, HastyClock, SmallDaemon, ask_json, ctl, served
from tests.operator.test_ctl import Terminal
from tests.support.virtual_time import virtual


@asynccontextmanager
async def auditing(daemon: SmallDaemon, client: Any) -> AsyncIterator[Auditing]:
    """The audit's pump at work against this client."""
    daemon.auditing = daemon.auditing_with(client)
    running = asyncio.create_task(daemon.auditing.run())
    await asyncio.sleep(0)
    try:
        yield daemon.auditing
    finally:
        daemon.shared.begin_stop()
        await running


@asynccontextmanager
async def site(directory: Path, **config: Any) -> AsyncIterator[tuple[SmallDaemon, Shop]]:
    """A daemon, a shop, and the audit between them."""
    async with (
        served(directory, clock=HastyClock()) as daemon,
        open_shop(**config) as shop,
        auditing(daemon, shop.client),
    ):
        yield daemon, shop


def stocked(simulator: CommercetoolsSimulator, *skus: str, channel: str = CHANNEL) -> None:
    for sku in skus:
        simulator.add_entry(sku, channel, 1)


def by_name(rows: Sequence[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows if row["kind"] == kind}


async def test_identifiers_are_compared_both_ways(tmp_path: Path) -> None:
    """What is sold and was never told, what was told and is not sold, with the near-match and a suggestion each."""
    async with site(tmp_path) as (daemon, shop):
        shop.simulator.add_product("ABC-1", None, "FITS")
        shop.simulator.add_product("DRAFT-1", published=False)
        stocked(shop.simulator, "ENTRY-1", "S-3")
        stocked(shop.simulator, "ELSEWHERE", channel="warehouse-2")
        for sku in ("abc_1", "FITS", "00S-2", "DRAFT-1", "S-3"):
            await daemon.level(sku, 1)
        code, out, _ = await ctl(daemon, "audit", "--json")
        answer = json.loads(out)
        assert code == 1
        missing, unsold = by_name(answer["rows"], "not_sent"), by_name(answer["rows"], "not_sold")
        assert set(missing) == {"ABC-1", "S-2", 'S"1 ä', "ENTRY-1"}
        assert set(unsold) == {"abc_1", "00S-2", "DRAFT-1"}
        assert missing["ABC-1"]["near"] == "abc_1"
        assert missing["ABC-1"]["differs"] == ["case", "separators"]
        assert unsold["00S-2"]["near"] == "S-2"
        assert unsold["00S-2"]["differs"] == ["leading zeros"]
        assert unsold["DRAFT-1"]["near"] is None
        assert missing["ENTRY-1"]["says"].startswith("an entry in warehouse-1 has it")
        assert (answer["sold"], answer["sent"], answer["without_sku"]) == (6, 5, 1)
        assert answer["totals"] == {"not_sent": 4, "not_sold": 3, "channel_without_location": 1}
        assert by_name(answer["rows"], "channel_without_location").keys() == {"warehouse-2"}
        assert set(answer) == set(FIELDS["audit"])
        assert all(
            set(row) == {"number", "kind", "name", "place", "near", "differs", "says"}
            for row in answer["rows"]
        )


async def test_locations_and_channels_that_do_not_fit_are_told(tmp_path: Path) -> None:
    """A location that nobody mapped, and a channel of the configuration that the project does not have."""
    async with site(tmp_path) as (daemon, shop):
        await daemon.level("S-2", 1, "WH9")
        shop.simulator.add_channel("spare")
        rows = (await ask_json(daemon, "audit"))["rows"]
        assert by_name(rows, "location_unmapped").keys() == {"WH9"}
        assert by_name(rows, "channel_without_location").keys() == {"warehouse-2", "spare"}
        assert "S-2" not in by_name(rows, "not_sent")


async def test_the_last_result_is_kept_and_told_again(tmp_path: Path) -> None:
    """--last asks commercetools nothing, also with a new daemon on the same directory; CSV tells every finding."""
    async with site(tmp_path) as (daemon, shop):
        assert (await ctl(daemon, "audit", "--last"))[0] == 1
        first = await ask_json(daemon, "audit")
        asked = len(shop.simulator.asked)
        daemon.auditing = daemon.auditing_with(shop.client)
        assert await ask_json(daemon, "audit", "--last") == first
        _, out, _ = await ctl(daemon, "audit", "--last", "--csv")
        lines = list(csv.DictReader(io.StringIO(out)))
        assert [line["name"] for line in lines] == [row["name"] for row in first["rows"]]
        assert len(shop.simulator.asked) == asked


async def test_an_audit_that_fits_says_so_and_ends_with_0(tmp_path: Path) -> None:
    """Nothing to do is a plain sentence and exit status 0."""
    async with site(tmp_path) as (daemon, shop):
        shop.simulator.set_channel_roles("warehouse-2", ["ProductDistribution"])
        for sku in ('S"1 ä', "S-2", "S-3"):
            await daemon.level(sku, 1)
        code, out, err = await ctl(daemon, "audit")
        assert (code, err) == (0, "")
        assert "Every identifier fits" in out
        assert "3 SKUs sold, 3 told by Archean" in out


async def test_the_table_tells_counts_and_the_first_findings(tmp_path: Path) -> None:
    """Counts by finding, as many rows as asked for, how many more there are; nothing hostile reaches the terminal."""
    async with site(tmp_path) as (daemon, _):
        await daemon.level("evil\x1b[2J", 1)
        _, out, _ = await ctl(daemon, "audit", "--limit", "2")
        assert ["not_sent", "3"] in [line.split() for line in out.splitlines()]
        assert "more findings; `archsyncctl audit --last --csv` tells them" in out
        _, out, _ = await ctl(daemon, "audit", "--last")
        assert "\x1b" not in out
        assert "evil\\x1b[2J" in out


async def test_a_spreadsheet_takes_no_sku_for_a_formula(tmp_path: Path) -> None:
    """A SKU that begins like a formula is quoted in CSV."""
    async with site(tmp_path) as (daemon, _):
        await daemon.level("=1+1", 1)
        _, out, _ = await ctl(daemon, "audit", "--csv")
        assert "'=1+1" in [line["name"] for line in csv.DictReader(io.StringIO(out))]


async def test_a_page_that_is_too_complex_is_asked_in_smaller_ones(tmp_path: Path) -> None:
    """Where the project allows little at once the audit goes on with less."""
    async with site(tmp_path, graphql_complexity_limit=400) as (daemon, shop):
        shop.simulator.add_products([f"P-{number:03}" for number in range(120)])
        answer = await ask_json(daemon, "audit")
        assert answer["sold"] == 123
        assert answer["totals"]["not_sent"] == 123


async def test_answers_that_are_lost_are_asked_for_again(tmp_path: Path) -> None:
    """A few failures cost time and no finding."""
    async with site(tmp_path) as (daemon, shop):
        shop.simulator.faults.add("graphql", FaultKind.OVER_CAPACITY, count=2)
        answer = await ask_json(daemon, "audit")
        assert answer["totals"]["not_sent"] == 3


class Scripted:
    """A project of one channel that answers listings as it is told to."""

    def __init__(self, *pages: SkuPage | Failure) -> None:
        self.pages = list(pages)
        self.limits: list[int] = []
        self.counted: list[bool] = []

    async def catalogue(
        self, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        del after_id
        self.counted.append(counted)
        self.limits.append(limit)
        return self.pages.pop(0) if self.pages else SkuPage((), None, 0)

    async def stocked(
        self, channel: str, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        del channel, after_id, limit, counted
        return SkuPage((), None, 0)

    async def channels(self, after_id: str | None) -> tuple[tuple[SupplyChannel, ...], str | None]:
        del after_id
        return (SupplyChannel(CHANNEL, "c-1", supplies=True),), None

    def use_channels(self, channels: object) -> None:
        del channels


@virtual
async def test_hostile_skus_are_findings_and_no_fault(tmp_path: Path) -> None:
    """A SKU on two products, one of 100,000 characters, variants without one: told, and the others are compared."""
    pages = SkuPage(("TWICE", "x" * 100_000), "p-1", 2, 3), SkuPage(("TWICE", "FINE"), "p-2", 2)
    async with served(tmp_path) as daemon, auditing(daemon, Scripted(*pages)):
        await daemon.level("FINE", 1)
        await daemon.level("TWICE", 1)
        answer = await ask_json(daemon, "audit")
        assert answer["totals"] == {"sku_twice": 1, "sku_unusable": 1}
        assert answer["without_sku"] == 3
        rows = {row["kind"]: row for row in answer["rows"]}
        assert "2 published products have it" in rows["sku_twice"]["says"]
        assert rows["sku_unusable"]["name"] == "x" * 64


@virtual
async def test_a_refused_listing_ends_the_audit_and_keeps_the_last_one(tmp_path: Path) -> None:
    """The reason is told with what is kept, nothing of the scratch file stays, and the next audit begins anew."""
    async with served(tmp_path) as daemon:
        script = Scripted()
        async with auditing(daemon, script):
            before = await ask_json(daemon, "audit")
            script.pages = [Refused("InvalidField", "no such field")] * 2
            code, _, err = await ctl(daemon, "audit")
            assert code == 1
            assert "no such field" in err
            assert "(--last)" in err
            assert await ask_json(daemon, "audit", "--last") == before
            left = {path.name for path in daemon.settings.daemon.state_dir.glob("audit*")}
            assert left == {"audit.db"}
            assert (await ctl(daemon, "audit"))[0] == 0


async def finished(audit: Auditing) -> str:
    """Make one audit, in the loop's own time; how it ended."""
    assert audit.start()
    while audit.progress.state == "running":
        await audit.look(audit.progress.revision, 600.0)
    return audit.progress.state


@virtual
async def test_a_silent_project_is_given_up_after_a_bounded_number_of_calls(tmp_path: Path) -> None:
    """Failures of one page are waited out longer and longer, and come to an end."""
    script = Scripted(*[Unknown("no answer")] * 20)
    async with served(tmp_path) as daemon, auditing(daemon, script) as audit:
        assert await finished(audit) == "failed"
        assert "no answer" in audit.progress.failure
        assert len(script.limits) == FAILURES_AT_MOST + 1
        assert script.counted.count(True) == 1
        too_large = TooLarge("QueryTimedOut", "it could not be counted")
        script.pages = [too_large, Throttled(429, "", None), too_large, SkuPage(("A",), "p-1", 1)]
        assert await finished(audit) == "done"
        assert (await ask_json(daemon, "audit", "--last"))["totals"] == {"not_sent": 1}
        assert script.limits[-5:] == [500, 500, 500, 250, 250]
        assert script.counted[-5:] == [True, False, False, False, False]


@virtual
async def test_two_people_share_one_audit(tmp_path: Path) -> None:
    """Who asks while an audit is under way waits for that one."""
    async with served(tmp_path) as daemon, auditing(daemon, Scripted(SkuPage(("A",), "p-1", 1))) as audit:
        one, two = await asyncio.gather(ask_json(daemon, "audit"), ask_json(daemon, "audit"))
        assert one["rows"] == two["rows"]
        assert audit.progress.state == "done"


@virtual
async def test_a_daemon_that_does_not_work_audits_nothing(tmp_path: Path) -> None:
    """Before its pumps run, an audit would wait for ever: it is refused, --last as well where there is none."""
    async with served(tmp_path) as daemon:
        code, _, err = await ctl(daemon, "audit")
        assert code == 1
        assert "does not work yet" in err
        _, _, err = await ctl(daemon, "audit", "--last")
        assert "No audit was made yet" in err


@virtual
async def test_a_broken_result_is_told_and_made_anew(tmp_path: Path) -> None:
    """A file that is no result any more stops nothing."""
    async with served(tmp_path) as daemon, auditing(daemon, Scripted()):
        (daemon.settings.daemon.state_dir / "audit.db").write_bytes(b"no database" * 100)
        _, _, err = await ctl(daemon, "audit", "--last")
        assert "cannot be read" in err
        assert (await ctl(daemon, "audit"))[0] == 0
        assert (await ctl(daemon, "audit", "--last"))[0] == 0


@virtual
async def test_progress_is_drawn_on_a_terminal_alone(tmp_path: Path) -> None:
    """A terminal's error stream shows a bar and is clean afterwards; a pipe sees nothing of it."""
    async with served(tmp_path) as daemon, auditing(daemon, Scripted(SkuPage(("A",), "p-1", 1, 0, 2))):
        out, err = io.StringIO(), Terminal()
        socket = str(daemon.settings.daemon.control_socket)
        await asyncio.to_thread(main, ["audit", "--socket", socket], out, err)
        assert err.getvalue().endswith("\r\x1b[K")
        assert (await ctl(daemon, "audit"))[2] == ""


def test_a_part_of_the_work_is_named_without_control_characters() -> None:
    """What it is about came from outside; a new part begins anew."""
    out = Terminal()
    bar = Progress(out, None, "SKU")
    bar.phase("entries in \x1b[2Jx", 100)
    bar.to(50)
    assert "50 of 100 SKUs  entries in \\x1b[2Jx" in out.getvalue()
    bar.phase("products", None)
    bar.to(50)
    assert out.getvalue().endswith("50 SKUs  products")


@virtual
async def test_a_stop_ends_an_audit_at_once(tmp_path: Path) -> None:
    """The daemon's stop does not wait for a million SKUs."""
    endless = Scripted(*[SkuPage((f"S{number}",), f"p-{number}", 1) for number in range(100_000)])
    async with served(tmp_path) as daemon:
        async with auditing(daemon, endless) as audit:
            audit.start()
            await audit.look(audit.progress.revision, 60.0)
        assert audit.progress.state == "failed"
        assert len(endless.limits) < 100
        with contextlib.suppress(FileNotFoundError):
            (daemon.settings.daemon.state_dir / "audit.scratch.db").stat()
            raise AssertionError("the scratch file was left behind")
