"""Files that cannot be used, and files that come too late: the whole daemon, real directories, what people are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from archsyncd.domain.cases import Case, CaseKind
from archsyncd.operator.explain import explained_case
from tests.process.site import CHANNEL, Site
from tests.support.virtual_time import virtual
from tests.system.inside import Running, inside

NIGHTLY = {
    "profile": "nightly",
    "format": "xml",
    "records": "/Bestand/Artikel",
    "tz": "Europe/Berlin",
    "names": [{"pattern": "LAGERBESTAND-{time:yyyyMMdd-HHmm}.xml", "kind": "full"}],
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Nr", "onHand": "/Ist"},
}
CHANGES = {
    "profile": "changes",
    "format": "csv",
    "csv": {"delimiter": ";"},
    "names": [
        {"pattern": "AEND_{number}.csv", "kind": "delta"},
        {"pattern": "VOLL_{number}.csv", "kind": "full", "locations": ["WH1"]},
    ],
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Artikel", "onHand": {"path": "/Bestand", "unit": "/ME", "factors": {"ST": 1}}},
}
FEED = (
    '[[feed]]\nname = "{0}"\ntransport = "drop"\ndirectory = "{1}/{0}"\nready = "rename"\nprofile = "{1}/{0}.json"\n'
    'locations = ["WH1"]\n'
)


class Yard:
    """The directories of one feed and what lies in them."""

    def __init__(self, root: Path, daemon: Running, site: Site) -> None:
        self.root = root
        self.daemon = daemon
        self.site = site

    def put(self, name: str, text: str) -> str:
        (self.root / "aside").write_text(text)
        (self.root / "aside").rename(self.root / "in" / name)
        return name

    def full(self, name: str, **levels: object) -> str:
        rows = "".join(
            f"<Artikel><Nr>{sku}</Nr><Ist>{pieces}</Ist></Artikel>" for sku, pieces in levels.items()
        )
        return self.put(name, f"<Bestand>{rows}</Bestand>")

    def changed(self, number: int, *rows: str, head: str = "Artikel;Bestand;ME") -> str:
        return self.put(f"AEND_{number:06}.csv", "\n".join((head, *rows, "")))

    def receipt(self, name: str) -> dict[str, Any] | None:
        path = self.root / "receipts" / f"{name}.ack.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found

    async def answered(self, name: str) -> dict[str, Any]:
        """Its receipt, once it is there."""
        await self.site.until(lambda: self.receipt(name) is not None, f"no receipt of {name}")
        found = self.receipt(name)
        assert found is not None
        return found

    @property
    def lies(self) -> list[str]:
        return sorted(one.name for one in (self.root / "in").iterdir())

    async def case(self, kind: CaseKind) -> Case:
        found = await self.daemon.until_case(kind)
        assert found is not None
        return found


@asynccontextmanager
async def yard(name: str, profile: dict[str, Any], seed: int, **stock: int) -> AsyncIterator[Yard]:
    """A daemon that reads one directory by a profile."""
    async with inside(seed=seed) as (site, house):
        site.open(stock)
        (house.directory / name / "in").mkdir(parents=True)
        (house.directory / f"{name}.json").write_text(json.dumps(profile, indent=1))
        sells = f'WH1 = {{ channel = "{CHANNEL}", sellable = "onHand" }}'
        feed = FEED.format(name, house.directory)
        async with house.daemon(feed=feed, locations=sells) as daemon:
            yield Yard(house.directory / name, daemon, site)


@virtual
async def test_a_corrected_file_under_a_name_that_was_read_is_told_and_both_receipts_stay() -> None:
    """Nothing of it is used: a case and a line in the journal say so by name, until a later full is applied."""
    async with yard("nightly", NIGHTLY, 611, A=0, B=0) as here:
        name = here.full("LAGERBESTAND-20260501-0200.xml", A=5, B="zwoelf")
        first = await here.answered(name)
        here.full(name, A=5, B=12)
        case = await here.case(CaseKind.REFUSED_FILE)
        assert (case.subject, case.code) == (name, "stale_file")
        assert case.reason.startswith(
            f"{name} was refused: a file of this name was read before, with other content. "
        )
        assert "Send what it says again in a file of a later time" in case.reason
        assert here.daemon.journal.line(f"refused_file: {name} was refused") is not None
        assert here.receipt(name) == first
        again = await here.answered(f"{name}.2")
        assert (again["status"], again["code"], again["file"]) == ("rejected", "stale_file", name)
        assert "later time" in again["reasons"][-1]
        later = here.full("LAGERBESTAND-20260502-0200.xml", A=5, B=12)
        await here.site.until_stock({"B": 12})
        assert (await here.answered(later))["status"] == "applied"
        await here.daemon.until_case(CaseKind.REFUSED_FILE, open_=False)
        assert await here.daemon.cases(CaseKind.INVALID_RECORD) == []


@virtual
async def test_the_receipt_of_a_full_tells_the_records_that_could_not_be_read() -> None:
    """As that of a delta: partial, how many, and the first ones; the feed's figures count all of them."""
    async with yard("nightly", NIGHTLY, 612, A=0, B=0) as here:
        receipt = await here.answered(here.full("LAGERBESTAND-20260501-0200.xml", A=5, B="zwoelf", C=1))
        counts = [receipt[name] for name in ("status", "read", "applied", "rejected")]
        assert counts == ["partial", 3, 2, 1]
        assert receipt["errors"] == [{"line": 2, "code": "not_an_integer", "sku": "B"}]
        (state,) = await here.daemon.app.store.feeds.states()
        assert (state.read_total, state.applied_total, state.rejected_total) == (3, 2, 1)


@virtual
async def test_a_record_without_its_sku_is_told_by_its_file_and_number_and_closes_with_a_whole_full() -> None:
    """Of XML nobody knows a line: it is the second record. No later record can be of the same key, but a full says all."""
    async with yard("nightly", NIGHTLY, 620, A=0, B=0, C=0) as here:
        name = "LAGERBESTAND-20260501-0200.xml"
        row = "<Artikel><Nr>{}</Nr><Ist>5</Ist></Artikel>"
        bare = row.format("A") + "<Artikel><Ist>6</Ist></Artikel>" + row.format("B") + row.format("C")
        here.put(name, f"<Bestand>{bare}</Bestand>")
        case = await here.case(CaseKind.INVALID_RECORD)
        assert case.subject == f"{name} record 2 missing"
        here.full("LAGERBESTAND-20260502-0200.xml", A=6, B=5, C=5, D="x")
        await here.site.until_stock({"A": 6})
        assert case.id in {one.id for one in await here.daemon.cases(CaseKind.INVALID_RECORD)}
        here.full("LAGERBESTAND-20260503-0200.xml", A=7, B=5, C=5, D=1)
        await here.site.until_stock({"A": 7})
        await here.daemon.until_case(CaseKind.INVALID_RECORD, open_=False)


@virtual
async def test_the_case_of_a_broken_full_closes_with_the_next_one() -> None:
    """No line of it could be read; the file lies in error/, and the full of the night after makes up for it."""
    async with yard("nightly", NIGHTLY, 613, A=0) as here:
        name = here.put("LAGERBESTAND-20260501-0200.xml", "<Bestand><Artikel>")
        case = await here.case(CaseKind.REFUSED_FILE)
        assert (case.subject, case.code) == (name, "bad_content")
        assert "the feed goes on. Send it again, corrected, with the same time or a later one" in case.reason
        here.full("LAGERBESTAND-20260502-0200.xml", A=3)
        await here.site.until_stock({"A": 3})
        await here.daemon.until_case(CaseKind.REFUSED_FILE, open_=False)


@virtual
async def test_one_bad_numbered_file_is_told_truly_and_at_once() -> None:
    """Case, status and receipt say that the feed waits, for what, and where to put it; nobody waits for the grace."""
    async with yard("changes", CHANGES, 614, A=0) as here:
        here.changed(1, "A;5;ST")
        await here.site.until_stock({"A": 5})
        began = here.daemon.app.clock.monotonic()
        bad = here.changed(2, "A;6", head="Artikel;Menge")
        later = here.changed(3, "A;7;ST")
        case = await here.case(CaseKind.AWAITED_FILE)
        assert (case.subject, case.code) == (bad, "bad_content")
        waits = "the feed waits for a corrected file of the same number (2), or a full of this feed, in in/"
        assert waits in case.reason
        assert waits in (await here.answered(bad))["reasons"][-1]
        await here.site.until(lambda: here.daemon.app.tails["changes"].fault is not None, "no fault is told")
        fault = here.daemon.app.tails["changes"].fault
        assert (
            fault
            == f"{bad} was refused and lies in error/; nothing after it is read: {waits}; 1 later file waits"
        )
        assert here.daemon.app.clock.monotonic() - began < 15
        assert here.lies == [later]
        assert "under the same number" in explained_case(case)["next"]
        began = here.daemon.app.clock.monotonic()
        here.changed(2, "A;6;ST")
        await here.site.until_stock({"A": 7})
        assert here.daemon.app.clock.monotonic() - began < 15
        assert (await here.answered(bad))["status"] == "applied"
        await here.daemon.until_case(CaseKind.AWAITED_FILE, open_=False)
        assert here.daemon.app.tails["changes"].fault is None


@virtual
async def test_a_full_of_the_feed_makes_up_for_a_bad_numbered_file_at_once() -> None:
    """The other way out that the case names."""
    async with yard("changes", CHANGES, 615, A=0, B=0, C=0) as here:
        here.changed(1, "A;5;ST", "B;5;ST", "C;5;ST")
        await here.site.until_stock({"A": 5})
        here.changed(2, "A;6", head="Artikel;Menge")
        await here.case(CaseKind.AWAITED_FILE)
        began = here.daemon.app.clock.monotonic()
        here.put("VOLL_000004.csv", "Artikel;Bestand;ME\nA;9;ST\nB;5;ST\nC;5;ST\n")
        await here.site.until_stock({"A": 9})
        assert here.daemon.app.clock.monotonic() - began < 15
        await here.daemon.until_case(CaseKind.AWAITED_FILE, open_=False)


@virtual
async def test_a_file_that_never_came_is_an_exception_and_a_line_of_the_journal() -> None:
    """Once the grace is over; it closes when the file comes."""
    async with yard("changes", CHANGES, 616, A=0) as here:
        here.changed(1, "A;5;ST")
        await here.site.until_stock({"A": 5})
        here.changed(3, "A;7;ST")
        case = await here.case(CaseKind.AWAITED_FILE)
        assert (case.subject, case.code, case.count) == ("file 2", "missing_file", 1)
        assert "Put file 2 into in/, or a full of this feed" in case.reason
        assert here.daemon.journal.line("awaited_file: file 2 is missing; 1 later files are held") is not None
        await here.site.stays(lambda: here.lies == ["AEND_000003.csv"], "it was read", 30)
        assert [one.count for one in await here.daemon.cases(CaseKind.AWAITED_FILE)] == [1]
        here.changed(2, "A;6;ST")
        await here.site.until_stock({"A": 7})
        await here.daemon.until_case(CaseKind.AWAITED_FILE, open_=False)


@virtual
async def test_the_first_file_of_a_numbered_feed_says_why_it_waits() -> None:
    """In the status and in the journal, from the first look on, and no longer than it waits."""
    async with yard("changes", CHANGES, 617, A=0) as here:
        notes = here.daemon.app.shared.notes
        name = here.changed(101, "A;5;ST")
        await here.site.until(lambda: "beginning of changes" in notes, "nothing is told")
        told = notes["beginning of changes"]
        assert told.startswith(
            f"{name} is the first file here, and earlier ones may still come: it is read in "
        )
        await here.site.until_stock({"A": 5})
        assert "beginning of changes" not in notes
        assert here.daemon.journal.line(f"beginning of changes: {name} is the first file here") is not None


@virtual
async def test_a_unit_that_the_profile_does_not_name_says_what_to_do() -> None:
    """Not in Archean: in the profile; and that what was set aside must come again under a later number."""
    async with yard("changes", CHANGES, 618, A=0) as here:
        here.changed(1, "A;5;ST", "B;1;PAL")
        case = await here.case(CaseKind.INVALID_RECORD)
        assert case.code == "unknown_unit"
        step = explained_case(case)["next"]
        assert "to factors in the profile, then restart" in step
        assert "in a file of a later number" in step
        assert "retry cannot" in step


@virtual
async def test_the_receipt_of_a_held_full_tells_what_became_of_it() -> None:
    """Approved, it says so with its counts; another one that a newer full replaced says that."""
    async with yard("nightly", NIGHTLY, 619, **{f"S{n}": 0 for n in range(30)}) as here:
        await here.answered(here.full("LAGERBESTAND-20260501-0200.xml", **{f"S{n}": 5 for n in range(30)}))
        replaced = here.full("LAGERBESTAND-20260502-0200.xml", S0=5)
        assert (await here.answered(replaced))["status"] == "held"
        approved = here.full("LAGERBESTAND-20260503-0200.xml", S0=4, S1="x")
        assert (await here.answered(approved))["status"] == "held"
        app = here.daemon.app
        held = next(one for one in await app.store.snapshots.listed() if one.state == "held")
        assert await app.store.snapshots.decide(held, "looked at", approve=True)
        app.keeper.approve(held.id)
        await here.site.until_stock({"S0": 4})

        def status(name: str) -> object:
            return (here.receipt(name) or {})["status"]

        await here.site.until(
            lambda: status(approved) != "held" and status(replaced) != "held", "it stays held"
        )
        receipt = await here.answered(approved)
        counts = [receipt[name] for name in ("status", "read", "applied", "rejected", "passed")]
        assert counts == ["partial", 2, 1, 1, True]
        assert receipt["errors"] == [{"line": 2, "code": "not_an_integer", "sku": "S1"}]
        receipt = await here.answered(replaced)
        assert (receipt["status"], receipt["code"]) == ("rejected", "snapshot_rejected")
        assert "a newer full took its place" in receipt["reasons"][0]
