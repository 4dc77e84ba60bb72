"""Files of a foreign program in a drop directory: their own names, their own content, by a profile alone."""

from __future__ import annotations

import gzip
import json
from contextlib import aclosing
from typing import Any

import pytest

from archsyncd.adapters.r247_drop import Readiness
from archsyncd.domain.feed import Batch, Level, Movement, SnapshotDue
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile, read_profile
from tests.adapters.feeds.dropping import Drop, dropped, fault_of, follow, opened
from tests.support.virtual_time import virtual

STOCK: dict[str, Any] = {
    "profile": "nightly",
    "format": "csv",
    "csv": {"delimiter": ";", "ignore": ["EOF"]},
    "encoding": "windows-1252",
    "decimal": ",",
    "thousands": ".",
    "names": [
        {
            "pattern": "BESTAND_{time:yyyyMMdd_HHmm}.csv",
            "kind": "full",
            "tz": "Europe/Berlin",
            "locations": ["WH1"],
        },
        {"pattern": "LIEFERUNG_{time:yyyyMMdd_HHmm}.csv.gz", "kind": "delta", "tz": "Europe/Berlin"},
    ],
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Artikel", "onHand": "/Bestand"},
}
CHANGES: dict[str, Any] = {
    "profile": "changes",
    "format": "xml",
    "records": "/Changes/Change",
    "names": {"pattern": "chg{number}.xml", "kind": "delta"},
    "const": {"type": "stock.movement", "state": "onHand"},
    "fields": {"sku": "/Code", "location": "/Site", "delta": "/Diff", "id": "/@id"},
}


def profiled(**members: Any) -> Profile:
    return read_profile(json.dumps(members).encode(), "profiles/site.json")


def put(drop: Drop, name: str, text: str) -> str:
    data = text.encode("windows-1252")
    (drop.root / "in" / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def reading(profile: Profile) -> dict[str, Any]:
    return {"profile": profile, "ready": Readiness.RENAME}


@virtual
async def test_a_nightly_file_with_a_name_of_its_own_is_a_full_picture_and_gets_a_receipt() -> None:
    """Its time is its number and its asOf; lines that are no rows and files of other names are left alone."""
    with dropped() as drop:
        name = put(
            drop, "BESTAND_20261123_0200.csv", 'Artikel;Bestand\nM\xfcller;1.234\n"B";-3,0\nC;12,5\nEOF;3\n'
        )
        put(drop, "LIESMICH.txt", "x")
        async with opened(drop, **reading(profiled(**STOCK))) as feed:
            told = await follow(feed, None, 1)
        assert told.fulls[0][0] == [("Müller", 1234), ("B", -3)]
        receipt = drop.receipt(name)
        assert receipt is not None
        assert (receipt["status"], receipt["asOf"]) == ("applied", "2026-11-23T01:00:00Z")
        assert drop.lies("done") == [name]
        assert drop.lies("in") == ["LIESMICH.txt"]


@virtual
async def test_a_full_of_a_profile_is_about_the_locations_that_it_names() -> None:
    """A file without a manifest cannot say what it is about, so its profile does. A bad row is told by its line."""
    with dropped() as drop:
        put(drop, "BESTAND_20261123_0200.csv", "Artikel;Bestand\nA;5\nC;12,5\n")
        async with (
            opened(drop, **reading(profiled(**STOCK))) as feed,
            aclosing(feed.batches(None)) as reader,  # type: ignore[type-var]
        ):
            full = await anext(reader)
            assert not isinstance(full, Batch)
            assert not isinstance(full, SnapshotDue)
            head = await full.head()
            pages = [page async for page in full.pages()]
        assert (head.locations, head.as_of) == (("WH1",), "2026-11-23T01:00:00Z")
        assert [(one.line, one.code, one.path, one.sku) for one in pages[0].rejects] == [
            (3, "not_an_integer", "/Bestand", "C")
        ]
        told = pages[0].rejects[0].reason
        assert told.startswith(
            "profiles/site.json:1 onHand: is not a whole number: a fraction is read where "
        )


@virtual
async def test_files_ordered_by_time_follow_each_other_and_a_late_one_is_refused() -> None:
    """No gap can be seen between two times; what comes too late is told, in error/, never read over newer levels."""
    with dropped() as drop:
        profile = profiled(**STOCK)
        put(drop, "BESTAND_20261123_0200.csv", "Artikel;Bestand\nA;5\n")
        put(drop, "LIEFERUNG_20261123_0930.csv.gz", "Artikel;Bestand\nA;4\n")
        put(drop, "LIEFERUNG_20261123_1130.csv.gz", "Artikel;Bestand\nA;3\n")
        async with opened(drop, **reading(profile)) as feed:
            told = await follow(feed, None, 3)
            assert told.levels == [("A", 4), ("A", 3)]
            late = put(drop, "LIEFERUNG_20261123_1030.csv.gz", "Artikel;Bestand\nA;9\n")
            again = await follow(feed, told.checkpoint, 1)
        assert again.levels == []
        assert drop.status(late) == "rejected"
        refused = json.loads((drop.root / "error" / f"{late}.err.json").read_text())
        assert refused["code"] == "stale_file"


@virtual
async def test_files_with_numbers_show_a_missing_one() -> None:
    """Changes behind a gap are held, as with names of ours."""
    change = '<Changes><Change id="{0}"><Code>A</Code><Site>WH1</Site><Diff>-{0}</Diff></Change></Changes>'
    with dropped() as drop:
        put(drop, "chg1.xml", change.format(1))
        put(drop, "chg2.xml", change.format(2))
        async with opened(drop, **reading(profiled(**CHANGES))) as feed:
            told = await follow(feed, None, 2)
            records = [one for batch in told.batches for one in batch.records]
            assert [(one.delta, one.seq) for one in records if isinstance(one, Movement)] == [
                (-1, 1_000_001),
                (-2, 2_000_001),
            ]
            put(drop, "chg4.xml", change.format(4))
            fault = await fault_of(feed, told.checkpoint)
        assert fault == "file 3 is missing; 1 later files are held, the first is chg4.xml"


def test_movements_in_files_without_numbers_are_a_fault_of_the_profile() -> None:
    """A missing file would be a change that nobody notices."""
    names = {"pattern": "chg{time:yyyyMMddHHmmss}.xml", "kind": "delta", "tz": "UTC"}
    with pytest.raises(ProfileFaults, match=r"movements without balanceAfter need files with a \{number\}"):
        profiled(**CHANGES | {"names": names})


@virtual
async def test_a_half_read_file_is_taken_up_where_it_was_left() -> None:
    """Positions of a foreign file are as firm as those of ours."""
    with dropped() as drop:
        name = put(
            drop,
            "LIEFERUNG_20261123_0930.csv.gz",
            "Artikel;Bestand\n" + "".join(f"S{n};{n}\n" for n in range(5)),
        )
        profile = profiled(**STOCK)
        async with opened(drop, batch_records=2, **reading(profile)) as feed:
            first = (await follow(feed, None, 1)).checkpoint
        async with opened(drop, batch_records=2, **reading(profile)) as feed:
            told = await follow(feed, first, 2)
        assert told.levels == [("S2", 2), ("S3", 3), ("S4", 4)]
        assert drop.status(name) == "applied"


@virtual
async def test_a_file_without_its_columns_is_refused_as_a_whole() -> None:
    """Another report under the same name: nothing of it is used, and the reason names what is missing."""
    with dropped() as drop:
        name = put(drop, "BESTAND_20261123_0200.csv", "Artikel;Preis\nA;5\n")
        async with opened(drop, **reading(profiled(**STOCK))) as feed:
            told = await follow(feed, None, 1)
        assert told.codes == ["bad_content"]
        assert "no column 'Bestand'; it has 'Artikel', 'Preis'" in told.refused[0].reason
        assert drop.lies("error") == [name, f"{name}.err.json"]


@virtual
async def test_the_same_content_a_night_later_is_a_new_statement() -> None:
    """Stock that came back to where it was; the very same file again is a duplicate."""
    with dropped() as drop:
        profile = profiled(**STOCK)
        text = "Artikel;Bestand\nA;5\n"
        for name in ("BESTAND_20261123_0200.csv", "BESTAND_20261124_0200.csv"):
            put(drop, name, text)
        async with opened(drop, **reading(profile)) as feed:
            told = await follow(feed, None, 2)
        assert len(told.fulls) == 2


@virtual
async def test_the_same_content_under_the_next_number_is_a_new_statement() -> None:
    """A name that tells no time tells by its number that it is newer."""
    names = {"pattern": "stock{number}.csv", "kind": "full"}
    with dropped() as drop:
        for name in ("stock1.csv", "stock2.csv"):
            put(drop, name, "Artikel;Bestand\nA;5\n")
        async with opened(drop, **reading(profiled(**STOCK | {"names": names}))) as feed:
            told = await follow(feed, None, 2)
        assert len(told.fulls) == 2


@virtual
async def test_what_r247_refuses_is_told_in_the_words_of_the_profile() -> None:
    """A row without its SKU: line, column, and the bytes of the row."""
    with dropped() as drop:
        put(drop, "LIEFERUNG_20261123_0930.csv.gz", "Artikel;Bestand\n;5\n")
        async with opened(drop, **reading(profiled(**STOCK))) as feed:
            told = await follow(feed, None, 1)
    (bad,) = told.batches[0].rejects
    assert (bad.reason, bad.path, bad.line) == ("profiles/site.json:1 sku: is not stated", "/Artikel", 2)
    assert bad.payload == b";5"


@virtual
async def test_an_id_that_is_made_of_the_content_makes_no_new_statement_a_duplicate() -> None:
    """The very same levels in a later file: stock that went and came back."""
    profile = profiled(**STOCK | {"fields": STOCK["fields"] | {"id": {"hash": True}}})
    with dropped() as drop:
        for name in ("LIEFERUNG_20261123_0930.csv.gz", "LIEFERUNG_20261123_1130.csv.gz"):
            put(drop, name, "Artikel;Bestand\nA;5\n")
        async with opened(drop, **reading(profile)) as feed:
            told = await follow(feed, None, 2)
        assert told.levels == [("A", 5), ("A", 5)]


@virtual
async def test_names_of_ours_may_carry_content_of_theirs() -> None:
    """A profile without names: number, kind and manifest as ever, also for XML."""
    levels = CHANGES | {"const": {"type": "stock.level"}, "names": None}
    levels["fields"] = {"sku": "/Code", "location": "/Site", "onHand": "/Qty"}
    profile = profiled(**{name: value for name, value in levels.items() if value is not None})
    data = b"<Changes><Change><Code>A</Code><Site>WH1</Site><Qty>5</Qty></Change></Changes>"
    with dropped() as drop:
        name = drop.put(data=data, ending="xml", records=1)
        async with opened(drop, profile=profile) as feed:
            told = await follow(feed, None, 1)
        assert told.levels == [("A", 5)]
        assert drop.status(name) == "applied"


@virtual
async def test_xml_without_a_profile_is_refused() -> None:
    """Nobody knows what its elements mean."""
    with dropped() as drop:
        drop.put(data=b"<a/>", ending="xml", records=1)
        async with opened(drop) as feed:
            told = await follow(feed, None, 1)
        assert told.codes == ["bad_content"]


@virtual
async def test_f133_a_file_that_grows_beyond_reason_is_refused_before_a_profile_reads_it() -> None:
    """A hundred megabytes of fives in a few kilobytes of gzip; nothing is unpacked to a path, whatever the name says."""
    with dropped() as drop:
        bomb = put(drop, "LIEFERUNG_20261123_0930.csv.gz", "Artikel;Bestand\nA;5\n")
        (drop.root / "in" / bomb).write_bytes(
            gzip.compress(b"Artikel;Bestand\n" + (b"A;" + b"5" * 100_000 + b"\n") * 1_000)
        )
        async with opened(drop, **reading(profiled(**STOCK))) as feed:
            told = await follow(feed, None, 1)
        assert told.codes == ["bad_content"]
        assert "grows beyond reason" in told.refused[0].reason


def test_f133_a_name_that_points_elsewhere_is_no_name() -> None:
    """A part of a name is a text for a field, never a path."""
    names = {"pattern": "{site}_{number}.csv", "kind": "full"}
    profile = profiled(**STOCK | {"names": names})
    for name in ("../x_1.csv", "a/b_1.csv", "x\n_1.csv", "x\udcff_1.csv"):
        assert profile.file_name(name) is None
    assert profile.file_name(".._1.csv") is not None


def test_levels_are_levels() -> None:
    """What the profile of the nightly file reads is what r247/1 has."""
    item = profiled(**STOCK).read(b"Artikel;Bestand\nA;5\n").items[0]
    item.value.update(id="1", seq="1")
    assert profiled(**STOCK).record(item) == Level("1", 1, "A", "WH1", 5, None, None, None, None, ())


@virtual
async def test_reading_a_long_document_counts_as_progress() -> None:
    """The watchdog hears of it while records are checked."""
    beats: list[None] = []
    rows = "".join(f"<Change><Code>S{n}</Code><Site>W</Site><Diff>1</Diff></Change>" for n in range(20_000))
    with dropped() as drop:
        put(drop, "chg1.xml", f"<Changes>{rows}</Changes>")
        async with opened(drop, beat=lambda: beats.append(None), **reading(profiled(**CHANGES))) as feed:
            await follow(feed, None, 1)
    assert len(beats) > 3
