"""Files of the `drop` transport (r247/1, sections 3 and 9)."""

import csv
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from archsyncd.simulators.r247.drop import DropExporter, DropFault, DropStyle, DropWriter, Form, Ready
from archsyncd.simulators.r247.drop_desk import DropDesk
from tests.simulators.r247.houses import ORDER_ID, House, order_body


class Depot:
    """A house that writes files."""

    def __init__(self, directory: Path, house: House | None = None, **style: Any) -> None:
        self.house = (house or House()).stock(X=10, Y=20)
        self.inbox = directory / "in"
        self.writer = DropWriter(directory, DropStyle(**style), "main", self.house.log)
        self.exporter = DropExporter(self.house.warehouse, self.writer)

    def names(self) -> list[str]:
        """List what lies in `in/`."""
        return sorted(path.name for path in self.inbox.iterdir())

    def manifest(self, name: str) -> dict[str, Any]:
        """Read a file's manifest."""
        found: dict[str, Any] = json.loads((self.inbox / f"{name}.done").read_text())
        return found

    def sell(self) -> None:
        """Make something new."""
        self.house.warehouse.store_sale("X", "WH1", 1)


def test_a_delta_has_name_records_and_manifest(tmp_path: Path) -> None:
    """The name carries feed, kind, number and time; the manifest describes exactly the bytes."""
    depot = Depot(tmp_path)
    depot.sell()
    (file,) = depot.exporter.new()
    assert file.name == "main-delta-000000000001-20260725T172000Z.ndjson"
    assert depot.names() == [file.name, f"{file.name}.done"]
    data = (depot.inbox / file.name).read_bytes()
    told = depot.manifest(file.name)
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert (told["bytes"], told["records"], told["complete"]) == (len(data), 1, True)
    assert (told["fileSeq"], told["prevFileSeq"], told["kind"], told["epoch"]) == (
        "1",
        "0",
        "delta",
        "2026-05-01a",
    )
    assert json.loads(data)["onHand"] == 9


def test_files_follow_the_order_of_the_log(tmp_path: Path) -> None:
    """An acceptance lies in a file before the levels it promises, and after those that lack it."""
    depot = Depot(tmp_path)
    depot.sell()
    depot.house.imported(("X", 2))
    depot.house.warehouse.dispatch.ship(ORDER_ID)
    files = depot.exporter.new()
    assert [file.manifest["kind"] for file in files] == ["delta", "order", "delta", "fulfilment", "delta"]
    seqs = [json.loads(line)["seq"] for file in files for line in file.data.splitlines()]
    assert seqs == sorted(seqs, key=int)
    assert depot.exporter.new() == []


def test_a_full_file_scopes_its_locations(tmp_path: Path) -> None:
    """The whole stock of the named locations, the manifest saying which."""
    depot = Depot(tmp_path)
    file = depot.exporter.full(["WH1"])
    told = depot.manifest(file.name)
    assert (told["kind"], told["locations"], told["records"]) == ("full", ["WH1"], 2)
    assert {json.loads(line)["sku"] for line in file.data.splitlines()} == {"X", "Y"}


def test_f101_a_full_file_may_lack_keys(tmp_path: Path) -> None:
    """Skipped SKUs are absent though the file calls itself complete."""
    depot = Depot(tmp_path)
    file = depot.exporter.full(skip=["X"])
    assert [json.loads(line)["sku"] for line in file.data.splitlines()] == ["Y"]
    assert depot.manifest(file.name)["complete"]


@pytest.mark.parametrize(("delimiter", "bom"), [(",", False), (";", True), ("\t", False)])
def test_levels_may_be_rows(tmp_path: Path, delimiter: str, bom: bool) -> None:
    """CSV has a header of canonical names, quoted where it must be, and orders separated by spaces."""
    depot = Depot(tmp_path, form=Form.CSV, delimiter=delimiter, bom=bom)
    depot.house.warehouse.seed('S "a", b;c', "WH1", 3)
    depot.house.imported(("X", 1), order_id="o1")
    depot.house.imported(("X", 1), order_id="o2")
    file = depot.exporter.full()
    assert file.data.startswith(b"\xef\xbb\xbf") is bom
    text = io.StringIO(file.data.decode("utf-8-sig"), newline="")
    rows = {row["sku"]: row for row in csv.DictReader(text, delimiter=delimiter)}
    assert rows['S "a", b;c']["onHand"] == "3"
    assert (rows["X"]["available"], rows["X"]["ordersIncluded"]) == ("8", "o1 o2")
    assert [name.split(".")[1] for name in depot.names() if "order" in name and "done" not in name] == [
        "ndjson"
    ] * 2


def test_a_file_may_be_one_array(tmp_path: Path) -> None:
    """JSON form is one list of records."""
    depot = Depot(tmp_path, form=Form.JSON)
    file = depot.exporter.full()
    assert file.name.endswith(".json")
    assert [item["sku"] for item in json.loads(file.data)] == ["X", "Y"]


def test_a_file_may_be_compressed(tmp_path: Path) -> None:
    """The manifest counts the bytes as they lie there."""
    depot = Depot(tmp_path, compress=True)
    file = depot.exporter.full()
    assert file.name.endswith(".ndjson.gz")
    assert len(gzip.decompress(file.data).splitlines()) == 2
    assert depot.manifest(file.name)["bytes"] == len(file.data)


def test_records_may_lack_ids(tmp_path: Path) -> None:
    """A source without ids leaves them and seq to the reader."""
    depot = Depot(tmp_path, ids=False)
    file = depot.exporter.full()
    assert not {"id", "seq"} & json.loads(file.data.splitlines()[0]).keys()


@pytest.mark.parametrize("ready", [Ready.RENAME, Ready.STABLE])
def test_other_styles_need_no_manifest(tmp_path: Path, ready: Ready) -> None:
    """Only the data file appears."""
    depot = Depot(tmp_path, ready=ready)
    file = depot.exporter.full()
    assert depot.names() == [file.name]


@pytest.mark.parametrize("ready", list(Ready))
def test_f108_a_file_may_be_half_written(tmp_path: Path, ready: Ready) -> None:
    """Half of it lies there without a sign of readiness, until it is completed."""
    depot = Depot(tmp_path, ready=ready)
    file = depot.exporter.full(fault=DropFault.HALF_WRITTEN)
    (half,) = depot.names()
    assert half == (f"{file.name}.part" if ready is Ready.RENAME else file.name)
    assert (depot.inbox / half).read_bytes() == file.data[: len(file.data) // 2]
    depot.writer.complete(file)
    assert (depot.inbox / file.name).read_bytes() == file.data
    assert f"{file.name}.part" not in depot.names()


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        (DropFault.WRONG_HASH, {"sha256": "0" * 64}),
        (DropFault.MISCOUNT, {"records": 3}),
        (DropFault.INCOMPLETE, {"complete": False}),
    ],
)
def test_f100_a_manifest_may_be_wrong(tmp_path: Path, fault: DropFault, wrong: dict[str, Any]) -> None:
    """One entry is wrong, the data is not."""
    depot = Depot(tmp_path)
    file = depot.exporter.full(fault=fault)
    assert depot.manifest(file.name) == file.manifest | wrong
    assert (depot.inbox / file.name).read_bytes() == file.data


def test_f100_a_file_may_be_truncated_or_lack_its_manifest(tmp_path: Path) -> None:
    """A truncated file is called whole; a file without manifest is not called anything."""
    depot = Depot(tmp_path)
    cut = depot.exporter.full(fault=DropFault.TRUNCATED)
    assert (depot.inbox / cut.name).stat().st_size == len(cut.data) * 2 // 3
    assert depot.manifest(cut.name)["bytes"] == len(cut.data)
    bare = depot.exporter.full(fault=DropFault.NO_MANIFEST)
    assert f"{bare.name}.done" not in depot.names()


def test_f096_a_gap_may_open_and_close(tmp_path: Path) -> None:
    """A withheld file leaves its number out; the next one names it as its predecessor; it may come late."""
    depot = Depot(tmp_path)
    depot.sell()
    (missing,) = depot.exporter.new(DropFault.WITHHELD)
    depot.sell()
    (after,) = depot.exporter.new()
    assert depot.names() == [after.name, f"{after.name}.done"]
    assert after.manifest["prevFileSeq"] == missing.manifest["fileSeq"] == "1"
    depot.writer.release()
    assert missing.name in depot.names()


@pytest.mark.parametrize("renumbered", [False, True])
def test_f110_a_file_may_come_again(tmp_path: Path, renumbered: bool) -> None:
    """The same bytes under the same name, or under the next number."""
    depot = Depot(tmp_path)
    file = depot.exporter.full()
    for path in depot.inbox.iterdir():
        path.unlink()
    again = depot.writer.again(file, renumbered=renumbered)
    assert (again.name != file.name) is renumbered
    assert (depot.inbox / again.name).read_bytes() == file.data
    assert depot.manifest(again.name)["fileSeq"] == ("2" if renumbered else "1")
    depot.sell()
    assert depot.exporter.new()[0].manifest["fileSeq"] == ("3" if renumbered else "2")


def test_f111_times_may_contradict_numbers(tmp_path: Path) -> None:
    """The later file looks older."""
    depot = Depot(tmp_path)
    first, second = (
        depot.exporter.full(fault=DropFault.OLD_MTIME),
        depot.exporter.full(fault=DropFault.OLD_MTIME),
    )
    times = [(depot.inbox / file.name).stat().st_mtime for file in (first, second)]
    assert times[1] < times[0]


def desk(tmp_path: Path, *, takes: bool = False, **settings: Any) -> tuple[Depot, DropDesk]:
    depot = Depot(tmp_path, House(**settings))
    return depot, DropDesk(tmp_path, depot.house.simulator.desk, takes=takes)


def put(tmp_path: Path, name: str, body: Any) -> str:
    (tmp_path / "orders" / "out" / name).write_text(json.dumps(body))
    return name


def answered(tmp_path: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "orders" / "ack" / f"{name}.ack.json").read_text())
    return found


def test_orders_are_answered_over_files(tmp_path: Path) -> None:
    """An order file is answered once under its own name with the PUT's answer."""
    depot, files = desk(tmp_path)
    name = put(tmp_path, f"order-{ORDER_ID}-v3.json", order_body())
    put(tmp_path, f".order-{ORDER_ID}-v4.json.tmp", order_body())
    assert files.poll() == [name]
    assert files.poll() == []
    assert answered(tmp_path, name)["status"] == "accepted"
    assert answered(tmp_path, name)["position"]["epoch"] == "2026-05-01a"
    assert depot.house.warehouse.available("X", "WH1") == 8


def test_o1_a_repeated_order_file_makes_no_second_order(tmp_path: Path) -> None:
    """A desk that has forgotten what it answered still knows the order."""
    depot, files = desk(tmp_path)
    name = put(tmp_path, f"order-{ORDER_ID}-v3.json", order_body())
    files.poll()
    DropDesk(tmp_path, depot.house.simulator.desk).poll()
    assert answered(tmp_path, name)["status"] == "accepted"
    assert depot.house.warehouse.available("X", "WH1") == 8


def test_cancellations_and_acknowledgements_travel_as_files(tmp_path: Path) -> None:
    """`cancel-` and `shipped-` files are answered like their HTTP forms."""
    depot, files = desk(tmp_path)
    depot.house.imported(("X", 1), order_id="o-1")
    depot.house.imported(("X", 1), order_id="o-2")
    depot.house.warehouse.dispatch.ship("o-2")
    said = {"orderId": "o-2", "deliveryKey": "F-1", "shipmentState": "Shipped", "at": "2026-07-25T17:30:00Z"}
    cancelled = put(tmp_path, "cancel-o-1.json", {"reason": "shopper"})
    refused = put(tmp_path, "cancel-o-2.json", {"reason": "shopper"})
    shipped = put(tmp_path, "shipped-F-1.json", said)
    files.poll()
    assert answered(tmp_path, cancelled)["status"] == "cancelled"
    assert (answered(tmp_path, refused)["status"], answered(tmp_path, refused)["code"]) == (
        "rejected",
        "already_shipped",
    )
    assert answered(tmp_path, shipped) == {"status": "acknowledged"}


def test_a_wrong_order_file_is_answered_with_its_code(tmp_path: Path) -> None:
    """Refusals have a code, and the lines where they are known."""
    depot, files = desk(tmp_path)
    line = {"lineId": "l1", "sku": "Q", "quantity": 1, "location": "WH1"}
    unknown = put(tmp_path, "order-a-v1.json", order_body("a", lines=[line]))
    broken = put(tmp_path, "order-b-v1.json", {"schema": "r247/1"})
    files.poll()
    assert answered(tmp_path, unknown)["code"] == "unknown_sku"
    assert answered(tmp_path, unknown)["lines"] == [{"lineId": "l1", "sku": "Q"}]
    assert answered(tmp_path, broken)["status"] == "rejected"
    assert depot.house.warehouse.book.orders == {}


@pytest.mark.parametrize("takes", [True, False])
def test_a_file_that_is_put_there_anew_is_answered_anew(tmp_path: Path, takes: bool) -> None:
    """Whether it was taken away or lay there; one that only lies there is not read twice."""
    depot, files = desk(tmp_path, takes=takes)
    line = {"lineId": "l1", "sku": "Q", "quantity": 1, "location": "WH1"}
    name = put(tmp_path, f"order-{ORDER_ID}-v3.json", order_body(lines=[line]))
    assert (files.poll(), files.poll()) == ([name], [])
    assert (tmp_path / "orders" / "out" / name).exists() is not takes
    assert answered(tmp_path, name)["code"] == "unknown_sku"
    depot.house.stock(Q=5)
    put(tmp_path, f".{name}.tmp", order_body(lines=[line]))
    (tmp_path / "orders" / "out" / f".{name}.tmp").rename(tmp_path / "orders" / "out" / name)
    assert files.poll() == [name]
    assert answered(tmp_path, name)["status"] == "accepted"


def test_an_order_accepted_later_is_answered_a_second_time(tmp_path: Path) -> None:
    """`received` first, and its acceptance in the same place."""
    depot, files = desk(tmp_path, takes=True, acceptance="later", acceptance_seconds=(2.0, 2.0))
    name = put(tmp_path, f"order-{ORDER_ID}-v3.json", order_body())
    files.poll()
    assert answered(tmp_path, name) == {"status": "received"}
    depot.house.clock.advance(2)
    depot.house.simulator.tick()
    files.poll()
    assert answered(tmp_path, name)["status"] == "accepted"


def test_an_order_that_was_turned_down_is_cancelled_all_the_same(tmp_path: Path) -> None:
    """The answer is about the wish, not about what became of the order before."""
    depot, files = desk(tmp_path, acceptance="later")
    put(tmp_path, f"order-{ORDER_ID}-v3.json", order_body())
    files.poll()
    depot.house.warehouse.book.reject(ORDER_ID, "unknown_sku")
    wish = put(tmp_path, f"cancel-{ORDER_ID}.json", {"reason": "shopper"})
    files.poll()
    assert answered(tmp_path, wish) == {"status": "cancelled"}


def test_an_id_is_encoded_in_a_name_as_in_a_url(tmp_path: Path) -> None:
    """What cannot stand in a name is read as what it means."""
    depot, files = desk(tmp_path)
    depot.house.imported(("X", 1), order_id="o/1.2")
    wish = put(tmp_path, "cancel-o%2F1%2E2.json", {"reason": "shopper"})
    files.poll()
    assert answered(tmp_path, wish) == {"status": "cancelled"}
