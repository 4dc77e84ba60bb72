"""Scripted faults of the source (FAULTS.md, rows 94 to 133): each does what its name says, no more and no less."""

import asyncio
import json
from typing import Any

import orjson
import pytest

from archsyncd.simulators.r247 import POISONS, Fault, FaultKind
from archsyncd.simulators.r247.changes import BrokenStream
from archsyncd.simulators.r247.faults import BAD_QUANTITIES, BAD_SKUS
from tests.simulators.r247.houses import ORDER_ID, House, idle, order_body


def faulty(*faults: Fault, records: int = 4, **settings: Any) -> House:
    house = House(**settings).stock(X=1000)
    for _ in range(records):
        house.warehouse.store_sale("X", "WH1", 1)
    house.simulator.script.add(*faults)
    return house


async def seqs(house: House, cursor: str | None = None) -> list[str]:
    return [item["seq"] for item in (await house.page(cursor))["items"]]


async def test_f094_records_may_come_twice() -> None:
    """Every record of one page stands twice, the next reading is clean."""
    house = faulty(Fault(FaultKind.DUPLICATE), records=2)
    assert await seqs(house) == ["1", "1", "2", "2"]
    assert await seqs(house) == ["1", "2"]


async def test_f094_a_page_may_be_repeated() -> None:
    """`next` stays where it was, so the same records are read again."""
    house = faulty(Fault(FaultKind.REPEAT))
    page = await house.page(limit=2)
    assert [item["seq"] for item in (await house.page(page["next"], limit=2))["items"]] == ["1", "2"]


async def test_f095_records_may_come_out_of_order() -> None:
    """The page holds all its records, shuffled."""
    told = await seqs(faulty(Fault(FaultKind.REORDER), records=20))
    assert told != sorted(told, key=int)
    assert sorted(told, key=int) == [str(number) for number in range(1, 21)]


async def test_f096_records_may_be_lost() -> None:
    """A page lacks records in its middle and its cursor passes them for good."""
    house = faulty(Fault(FaultKind.GAP, records=2))
    page = await house.page()
    assert [item["seq"] for item in page["items"]] == ["1", "4"]
    assert await seqs(house, page["next"]) == []


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.CUT_BODY, FaultKind.GARBAGE])
async def test_a_page_that_nobody_could_read_was_not_sent(kind: FaultKind) -> None:
    """The judge blames nobody for what did not arrive; the repetition counts."""
    house = faulty(Fault(kind))
    await house.ask("GET", "/v1/changes")
    assert house.log.served_at_ms(0, 1) is None
    await house.page()
    assert house.log.served_at_ms(0, 1) == house.log.now_ms()


@pytest.mark.parametrize(
    ("kind", "code"), [(FaultKind.EXPIRED, "cursor_expired"), (FaultKind.EPOCH, "epoch_changed")]
)
async def test_f097_the_feed_may_send_its_reader_away(kind: FaultKind, code: str) -> None:
    """410 with the reason, once."""
    house = faulty(Fault(kind))
    answer = await house.ask("GET", "/v1/changes")
    assert (answer.status, answer.json()["code"]) == (410, code)
    assert (await house.ask("GET", "/v1/changes")).status == 200


@pytest.mark.parametrize("kind", POISONS)
async def test_f104_a_poisoned_record_stands_among_good_ones(kind: str) -> None:
    """The wrong bytes arrive as they are, and the records around them are whole."""
    house = faulty(records=1)
    house.simulator.poison(kind, "X", "WH1")
    house.warehouse.store_sale("X", "WH1", 1)
    body = (await house.ask("GET", "/v1/changes")).body
    before, after = house.log.after(0, 1, None, None).records, house.log.after(2, 1, None, None).records
    assert before[0].body + b"," in body
    assert b"," + after[0].body in body
    middle = house.log.after(1, 1, None, None).records[0].body
    assert not [left for left in (b"%SKU%", b"%VALUE%", b"%MORE%", b"{id}", b"{seq}") if left in middle]
    assert middle in body


@pytest.mark.parametrize("kind", sorted(BAD_QUANTITIES))
async def test_f120_bad_quantities_are_raw_bytes(kind: str) -> None:
    """The value of row 120 stands where the figure should, untouched by any encoder."""
    house = faulty(records=0)
    house.simulator.poison(kind, "X", "WH1")
    body = (await house.ask("GET", "/v1/changes")).body
    assert f'"available":{BAD_QUANTITIES[kind]},'.encode() in body


@pytest.mark.parametrize("kind", ["nan", "infinity", "1e400", "5000_digits"])
async def test_f120_some_values_spoil_a_fast_parser(kind: str) -> None:
    """One such value makes a strict or fast parser refuse or bend the whole page."""
    house = faulty()
    house.simulator.poison(kind, "X", "WH1")
    body = (await house.ask("GET", "/v1/changes")).body
    try:
        bent = orjson.loads(body)["items"][-1]["available"]
    except orjson.JSONDecodeError:
        return
    assert not isinstance(bent, int)


@pytest.mark.parametrize("kind", sorted(BAD_SKUS))
async def test_f124_bad_skus_are_json_that_can_be_read(kind: str) -> None:
    """The identifiers of row 124 arrive as valid JSON with a level's other fields."""
    house = faulty(records=0)
    house.simulator.poison(kind, "X", "WH1")
    (item,) = (await house.page())["items"]
    assert item["sku"] == json.loads(BAD_SKUS[kind])
    assert item["onHand"] == 5


async def test_f106_an_unknown_type_is_a_record_like_any_other() -> None:
    """It has id and seq, and the feed goes on after it."""
    house = faulty(records=0)
    house.simulator.poison("unknown_type", "X", "WH1")
    (item,) = (await house.page())["items"]
    assert (item["type"], item["seq"]) == ("stock.teleported", "1")


async def test_f106_a_record_may_have_unknown_fields() -> None:
    """Fields the contract does not name are added without harm to the rest."""
    house = faulty(records=0)
    house.simulator.poison("unknown_fields", "X", "WH1")
    (item,) = (await house.page())["items"]
    assert (item["type"], item["onHand"], item["colour"]) == ("stock.level", 5, {"of": ["money", None]})


async def test_f105_a_flood_recounts_everything() -> None:
    """A bulk recount writes a level per holding and copy, none of which differs."""
    house = House().stock(**{f"K{number}": number for number in range(1, 51)})
    assert house.simulator.flood(100) == 5000
    levels = await house.records("stock.level")
    assert len(levels) == 5000
    assert {(level["sku"], level["onHand"]) for level in levels} == {(f"K{n}", n) for n in range(1, 51)}


async def test_f118_a_frozen_feed_shows_neither_records_nor_heartbeats() -> None:
    """The warehouse goes on, the reader sees an old head until the feed thaws."""
    house = faulty(records=2)
    house.log.freeze()
    house.warehouse.store_sale("X", "WH1", 1)
    house.clock.advance(600)
    house.simulator.tick()
    page = await house.page()
    assert ([item["seq"] for item in page["items"]], page["head"]["seq"]) == (["1", "2"], "2")
    assert page["head"]["at"] == "2026-07-25T17:20:00.000Z"
    house.log.thaw()
    assert await seqs(house, page["next"]) == ["3", "4"]


async def test_a_frozen_feed_does_not_end_a_long_poll() -> None:
    """A waiting reader is woken by the thaw, not by what it may not see."""
    house = faulty(records=1)
    end = (await house.page())["next"]
    house.log.freeze()
    poll = asyncio.create_task(house.page(end, wait=25))
    await idle()
    house.warehouse.store_sale("X", "WH1", 1)
    await idle()
    assert not poll.done()
    house.log.thaw()
    assert [item["seq"] for item in (await asyncio.wait_for(poll, 5))["items"]] == ["2"]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("retry_after", [None, "7", "Fri, 31 Dec 2027 23:59:59 GMT"])
async def test_f117_an_answer_may_be_an_error(status: int, retry_after: str | None) -> None:
    """The status comes as often as scripted, with Retry-After as it was written."""
    house = faulty(Fault(FaultKind.STATUS, times=2, status=status, retry_after=retry_after))
    for expected in (status, status, 200):
        answer = await house.ask("GET", "/v1/changes")
        assert answer.status == expected
        if expected != 200:
            assert answer.headers.get("retry-after") == retry_after


async def test_a_fault_waits_for_its_turn_and_its_endpoint() -> None:
    """`after` lets requests pass, `endpoint` looks at one of them, `times=None` lasts until cleared."""
    house = faulty(
        Fault(FaultKind.STATUS, "stock", after=1, times=None, status=500),
        Fault(FaultKind.STATUS, "any", after=5, status=502),
    )
    told = [(await house.ask("GET", "/v1/stock")).status for _ in range(4)]
    told += [(await house.ask("GET", "/v1/changes")).status for _ in range(3)]
    assert told == [200, 500, 500, 500, 200, 502, 200]
    house.simulator.script.clear()
    assert (await house.ask("GET", "/v1/stock")).status == 200


async def test_an_answer_may_be_slow() -> None:
    """A slow answer is a good answer, later."""
    house = faulty(Fault(FaultKind.SLOW, seconds=30))
    asked = asyncio.create_task(house.ask("GET", "/v1/changes"))
    await idle()
    assert not asked.done()
    house.clock.advance(30)
    assert (await asyncio.wait_for(asked, 5)).status == 200


async def test_a_stalled_answer_never_comes() -> None:
    """Nothing is answered while the fault lasts; afterwards the connection breaks."""
    house = faulty(Fault(FaultKind.STALL))
    asked = asyncio.create_task(house.ask("GET", "/v1/changes"))
    await idle()
    house.clock.advance(86_400)
    await idle()
    assert not asked.done()
    house.simulator.script.clear()
    assert (await asyncio.wait_for(asked, 5)).cut_after == 0


@pytest.mark.parametrize(("kind", "orders"), [(FaultKind.DROP_BEFORE, 0), (FaultKind.DROP_AFTER, 1)])
async def test_f134_an_answer_may_be_lost_before_or_after_the_effect(kind: FaultKind, orders: int) -> None:
    """Either way the caller hears nothing; only afterwards the order is in the books."""
    house = faulty(Fault(kind, "orders"))
    answer = await house.ask("PUT", f"/v1/orders/{ORDER_ID}", order_body())
    assert answer.cut_after == 0
    assert len(house.warehouse.book.orders) == orders
    assert (await house.ask("PUT", f"/v1/orders/{ORDER_ID}", order_body())).status == (200 if orders else 201)


async def test_a_body_may_break_off() -> None:
    """Only part of the answer is sent before the connection breaks."""
    answer = await faulty(Fault(FaultKind.CUT_BODY)).ask("GET", "/v1/changes")
    assert answer.cut_after == len(answer.body) // 2


async def test_an_ndjson_stream_may_break_in_a_line() -> None:
    """Half of a record is sent, without an end of line, and no cursor after it."""
    house = faulty(Fault(FaultKind.HALF_LINE))
    answer = await house.ask("GET", "/v1/changes", headers={"accept": "application/x-ndjson"})
    assert answer.stream is not None
    stream = aiter(answer.stream)
    cursor, half = await anext(stream), await anext(stream)
    with pytest.raises(BrokenStream):
        await anext(stream)
    assert json.loads(cursor)["type"] == "feed.cursor"
    whole = house.log.after(0, 1, None, None).records[0].body
    assert half == whole[: len(whole) // 2]


async def test_an_answer_may_be_no_json() -> None:
    """200 with the page of a proxy."""
    answer = await faulty(Fault(FaultKind.GARBAGE)).ask("GET", "/v1/changes")
    assert (answer.status, answer.body[:6]) == (200, b"<html>")


async def test_f061_an_answer_may_point_elsewhere() -> None:
    """302 to another origin."""
    answer = await faulty(Fault(FaultKind.REDIRECT)).ask("GET", "/v1/changes")
    assert (answer.status, answer.headers["location"][:26]) == (302, "https://elsewhere.example/")


@pytest.mark.parametrize(("path", "name"), [("/v1/changes", "next"), ("/v1/stock", "cursor")])
async def test_f177_a_link_may_point_to_another_origin(path: str, name: str) -> None:
    """`next` and `cursor` are addresses of a foreign host."""
    house = faulty(Fault(FaultKind.FOREIGN_NEXT, "any"))
    assert (await house.ask("GET", path)).json()[name].startswith("https://elsewhere.example/")


def test_a_fault_of_an_unknown_endpoint_is_a_mistake() -> None:
    """A script that could never strike is refused when it is written."""
    with pytest.raises(ValueError, match="endpoint"):
        Fault(FaultKind.STATUS, "changs")
