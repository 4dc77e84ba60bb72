"""Files of a foreign program reach commercetools: the whole daemon, a directory and a profile, and no line of code."""

from __future__ import annotations

import json
from pathlib import Path

from archsyncd.domain.cases import CaseKind
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.inside import inside

NIGHTLY = {
    "profile": "nightly",
    "format": "csv",
    "encoding": "windows-1252",
    "csv": {"delimiter": ";", "skipLines": 1},
    "decimal": ",",
    "thousands": ".",
    "tz": "Europe/Berlin",
    "names": [
        {"pattern": "BESTAND_{time:yyyyMMdd_HHmm}.csv", "kind": "full"},
        {"pattern": "AENDERUNG_{time:yyyyMMdd_HHmm}.csv", "kind": "delta"},
    ],
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {
        "sku": {"path": "/Artikelnummer", "trim": True},
        "onHand": {"path": "/Bestand", "unit": "/ME", "factors": {"ST": 1, "KAR": 12}},
        "asOf": {"part": "time"},
    },
}
HEAD = "Bestand\nArtikelnummer;ME;Bestand\n"
FEED = '[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{0}"\nready = "rename"\nprofile = "{0}/site.json"\n'


def put(root: Path, name: str, rows: str) -> None:
    """As a careful program does: written aside, then renamed."""
    (root / "aside").write_bytes((HEAD + rows).encode("windows-1252"))
    (root / "aside").rename(root / "in" / name)


@virtual
async def test_a_nightly_file_becomes_stock_and_its_faults_become_exceptions() -> None:
    """A full, then changes: pieces and cartons are published, what is no number is a case with line, path and value."""
    async with inside(seed=431) as (site, house):
        site.open({"A": 0, "B": 0, "C": 0})
        root = house.directory / "files"
        (root / "in").mkdir(parents=True)
        (root / "site.json").write_text(json.dumps(NIGHTLY, indent=1))
        put(root, "BESTAND_20260501_0200.csv", "A  ;ST;1.200\nB;KAR;2,5\nC;ST;7\n")
        sells = f'WH1 = {{ channel = "{CHANNEL}", sellable = "onHand" }}'
        async with house.daemon(feed=FEED.format(root), locations=sells) as daemon:
            await site.until_stock({"A": 1200, "B": 30, "C": 7})
            put(root, "AENDERUNG_20260501_0930.csv", "A;ST;1.199\nB;PAL;1\nC;ST;viel\n")
            await site.until_stock({"A": 1199})
            await daemon.until_case(CaseKind.INVALID_RECORD)
            cases = {one.subject: one.reason for one in await daemon.cases(CaseKind.INVALID_RECORD)}
            told = "files/site.json:31 onHand: "
            number = 'is no number written with "," before the fraction and "." between thousands'
            assert cases == {
                "B at WH1 unknown_unit": f'{told}is a unit that factors does not name at /ME (it is "PAL")',
                "C at WH1 not_an_integer": f'{told}{number} at /Bestand (it is "viel")',
            }
            assert (site.stock("B"), site.stock("C")) == (30, 7)
        receipt = json.loads((root / "receipts/AENDERUNG_20260501_0930.csv.ack.json").read_text())
        assert (receipt["status"], receipt["applied"], receipt["rejected"]) == ("partial", 1, 2)
