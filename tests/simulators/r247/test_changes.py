"""`GET /v1/changes` and `POST /v1/ack` (r247/1, section 2)."""

import asyncio
import json
from typing import Any

import pytest

from archsyncd.simulators.r247 import Answer
from tests.simulators.r247.houses import House, idle


def busy(records: int = 5, **settings: Any) -> House:
    house = House(**settings).stock(X=10_000)
    for _ in range(records):
        house.warehouse.store_sale("X", "WH1", 1)
    return house


def assert_problem(answer: Answer, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status, body["status"], body["code"]) == (status, status, code)
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_cursor_reading_begins_at_the_oldest() -> None:
    """The first page begins with the oldest record kept and describes head and oldest."""
    page = await busy().page()
    assert [item["seq"] for item in page["items"]] == ["1", "2", "3", "4", "5"]
    assert (page["schema"], page["feed"], page["epoch"]) == ("r247/1", "main", "2026-05-01a")
    assert (page["head"]["seq"], page["oldest"]["seq"], page["more"]) == ("5", "1", False)


async def test_a_cursor_means_after_this() -> None:
    """Following `next` sees every record once, in ascending order, until `more` is false."""
    house, cursor, seen = busy(5), None, []
    while True:
        page = await house.page(cursor, limit=2)
        seen += [item["seq"] for item in page["items"]]
        cursor = page["next"]
        if not page["more"]:
            break
    assert seen == ["1", "2", "3", "4", "5"]


async def test_next_is_there_for_an_empty_page_too() -> None:
    """An empty page keeps the reader's place."""
    house = busy(2)
    end = (await house.page())["next"]
    page = await house.page(end)
    assert (page["items"], page["more"]) == ([], False)
    house.warehouse.store_sale("X", "WH1", 1)
    assert [item["seq"] for item in (await house.page(page["next"]))["items"]] == ["3"]


async def test_cursor_now_stands_at_the_head() -> None:
    """`cursor=now` answers at once without items; what follows it is only what is new."""
    house = busy(3)
    page = await house.page("now", wait=25)
    assert page["items"] == []
    house.warehouse.store_sale("X", "WH1", 1)
    assert [item["seq"] for item in (await house.page(page["next"]))["items"]] == ["4"]


async def test_a_filtered_reader_moves_past_what_does_not_concern_it() -> None:
    """Types and locations filter records; the cursor passes the others."""
    house = House(locations=("WH1", "WH2")).stock(X=9)
    house.warehouse.seed("X", "WH2", 9)
    house.warehouse.store_sale("X", "WH1", 1)
    house.warehouse.store_sale("X", "WH2", 1)
    house.warehouse.heartbeat()
    page = await house.page(types="stock.level", locations="WH2")
    assert [item["location"] for item in page["items"]] == ["WH2"]
    assert (await house.page(page["next"]))["items"] == []


async def test_a_long_poll_ends_with_the_first_record() -> None:
    """A waiting reader is answered as soon as something happens."""
    house = busy(1)
    end = (await house.page())["next"]
    poll = asyncio.create_task(house.page(end, wait=25))
    await idle()
    assert not poll.done()
    house.warehouse.store_sale("X", "WH1", 1)
    assert [item["seq"] for item in (await asyncio.wait_for(poll, 5))["items"]] == ["2"]


async def test_a_long_poll_ends_with_its_time() -> None:
    """When nothing happens, the answer is an empty page with `next`."""
    house = busy(1)
    end = (await house.page())["next"]
    poll = asyncio.create_task(house.page(end, wait=25))
    await idle()
    house.clock.advance(25)
    page = await asyncio.wait_for(poll, 5)
    assert (page["items"], page["next"]) == ([], end)


async def test_a_filtered_long_poll_sleeps_through_what_does_not_concern_it() -> None:
    """Records that the filter drops do not end the wait."""
    house = busy(1)
    end = (await house.page())["next"]
    poll = asyncio.create_task(house.page(end, wait=25, types="fulfilment"))
    await idle()
    house.warehouse.heartbeat()
    await idle()
    assert not poll.done()
    house.clock.advance(25)
    assert (await asyncio.wait_for(poll, 5))["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"since": "1"},
        {"limit": "0"},
        {"limit": "1e3"},
        {"limit": "\u0661"},
        {"limit": "100000"},
        {"wait": "-1"},
        {"wait": "61"},
        {"types": "stock.level,"},
        {"types": "stock.teleported"},
        {"locations": "NOWHERE"},
    ],
)
async def test_what_is_not_in_the_contract_is_refused(query: dict[str, str]) -> None:
    """Unknown parameters and values out of bounds are 400, never guessed at."""
    answer = await busy().ask("GET", "/v1/changes", query=query)
    assert answer.status == 400
    assert answer.json()["code"] in {"unknown_parameter", "bad_parameter"}


@pytest.mark.parametrize("cursor", ["", "x", "c2VxOjEwNw", "%00", "AAAA" * 100])
async def test_a_cursor_that_was_never_given_is_bad(cursor: str) -> None:
    """400 `bad_cursor` for anything that is no cursor of this feed."""
    assert_problem(await busy().ask("GET", "/v1/changes", query={"cursor": cursor}), 400, "bad_cursor")


async def test_f097_a_cursor_below_the_retention_has_expired() -> None:
    """410 `cursor_expired` once records after the cursor are gone; reading anew begins at the oldest."""
    house = busy(2, retain_records=3)
    cursor = (await house.page())["next"]
    for _ in range(4):
        house.warehouse.store_sale("X", "WH1", 1)
    answer = await house.ask("GET", "/v1/changes", query={"cursor": cursor})
    assert_problem(answer, 410, "cursor_expired")
    assert (await house.page())["oldest"]["seq"] == "4"


async def test_a_cursor_right_before_the_oldest_is_still_good() -> None:
    """The cursor expires only when a record after it is missing."""
    house = busy(3, retain_records=3)
    cursor = (await house.page(limit=1))["next"]
    house.warehouse.store_sale("X", "WH1", 1)
    assert [item["seq"] for item in (await house.page(cursor))["items"]] == ["2", "3", "4"]


async def test_records_older_than_the_retention_go() -> None:
    """Retention by age drops what is too old when time passes."""
    house = busy(2, retain_seconds=100, heartbeat_seconds=1e9)
    house.clock.advance(101)
    house.simulator.tick()
    assert (await house.page())["items"] == []


async def test_a_new_epoch_is_told_by_410() -> None:
    """A cursor of an epoch that ended is 410 `epoch_changed`."""
    house = busy(2)
    cursor = (await house.page())["next"]
    house.warehouse.restore(house.warehouse.backup(), "2026-07-26b")
    assert_problem(await house.ask("GET", "/v1/changes", query={"cursor": cursor}), 410, "epoch_changed")
    assert (await house.page())["epoch"] == "2026-07-26b"


async def test_gaps_in_seq_leave_the_order_intact() -> None:
    """With gaps switched on, seq still rises strictly and nothing is missing."""
    house = busy(50, seq_gap_chance=0.5)
    seqs = [int(item["seq"]) for item in (await house.page())["items"]]
    assert len(seqs) == 50
    assert seqs == sorted(set(seqs))
    assert seqs[-1] > 50


async def test_ids_are_unique_across_epochs() -> None:
    """A seq may come again in another epoch, an id never."""
    house = busy(3)
    first = {item["id"] for item in (await house.page())["items"]}
    house.warehouse.restore(house.warehouse.backup(), "b")
    for _ in range(3):
        house.warehouse.store_sale("X", "WH1", 1)
    second = {item["id"] for item in (await house.page())["items"]}
    assert len(first) == len(second) == 3
    assert not first & second


async def test_a_quiet_feed_beats() -> None:
    """A heartbeat is written when nothing was for its interval, and only then."""
    house = busy(1, heartbeat_seconds=15)
    for seconds in (10, 5, 14, 1):
        house.clock.advance(seconds)
        house.simulator.tick()
    beats = await house.records("feed.heartbeat")
    assert [beat["at"] for beat in beats] == ["2026-07-25T17:20:15.000Z", "2026-07-25T17:20:30.000Z"]


async def lines_of(answer: Answer) -> list[bytes]:
    assert answer.stream is not None
    return b"".join([chunk async for chunk in answer.stream]).split(b"\n")


async def test_ndjson_ends_every_stretch_with_a_cursor() -> None:
    """Records stand one a line; a cursor line follows at least every 500 records and can be gone on from."""
    house = busy(1200)
    answer = await house.ask("GET", "/v1/changes", headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    parsed = [json.loads(line) for line in await lines_of(answer) if line]
    places = [index for index, line in enumerate(parsed) if line["type"] == "feed.cursor"]
    assert places == [0, 501, 1002, 1203]
    after = await house.page(parsed[501]["next"], limit=1)
    assert after["items"][0]["seq"] == "501"
    assert parsed[-1]["epoch"] == "2026-05-01a"


async def test_an_ndjson_stream_stays_open_and_keeps_alive() -> None:
    """With a wait, blank lines come while nothing happens, and new records as they happen."""
    house = busy(1, keep_alive_seconds=5, cursor_line_seconds=15)
    accept = {"accept": "application/x-ndjson"}
    answer = await house.ask("GET", "/v1/changes", query={"wait": 25}, headers=accept)
    assert answer.stream is not None
    stream = aiter(answer.stream)
    assert json.loads(await anext(stream))["type"] == "feed.cursor"
    assert len((await anext(stream)).splitlines()) == 2
    waiting = asyncio.ensure_future(anext(stream))
    await idle()
    house.clock.advance(5)
    assert await asyncio.wait_for(waiting, 5) == b"\n"
    waiting = asyncio.ensure_future(anext(stream))
    await idle()
    house.warehouse.store_sale("X", "WH1", 1)
    assert await asyncio.wait_for(waiting, 5) == b"\n"
    record, cursor = (await anext(stream)).splitlines()
    assert json.loads(record)["seq"] == "2"
    assert json.loads(cursor)["type"] == "feed.cursor"


async def test_an_idle_stream_repeats_its_cursor() -> None:
    """A cursor line comes at least every 15 seconds."""
    house = busy(0, keep_alive_seconds=5, cursor_line_seconds=15)
    accept = {"accept": "application/x-ndjson"}
    answer = await house.ask("GET", "/v1/changes", query={"wait": 25}, headers=accept)
    assert answer.stream is not None
    stream, told = aiter(answer.stream), []
    for _ in range(5):
        waiting = asyncio.ensure_future(anext(stream))
        await idle()
        if not waiting.done():
            house.clock.advance(5)
        told.append(await asyncio.wait_for(waiting, 5))
    assert [chunk == b"\n" for chunk in told] == [False, True, True, True, False]


async def test_acknowledgements_are_cumulative_and_idempotent() -> None:
    """204 each time; an older cursor never moves a consumer back."""
    house = busy(3)
    first, last = (await house.page(limit=1))["next"], (await house.page())["next"]
    for cursor in (first, last, last, first):
        answer = await house.ask("POST", "/v1/ack", {"consumer": "ct", "cursor": cursor})
        assert (answer.status, answer.body) == (204, b"")
    assert house.simulator.changes.acknowledged == {"ct": last}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"consumer": "ct"}, "missing_field"),
        ({"consumer": "ct", "cursor": "x", "more": 1}, "unknown_field"),
        ({"consumer": 1, "cursor": "x"}, "bad_field"),
        ({"consumer": "ct", "cursor": "x"}, "bad_cursor"),
        (b'{"consumer":"a","consumer":"b","cursor":"x"}', "malformed"),
        (b"[]", "malformed"),
        (b"{", "malformed"),
    ],
)
async def test_a_wrong_acknowledgement_is_refused(body: Any, code: str) -> None:
    """Bodies are read strictly."""
    assert_problem(await busy().ask("POST", "/v1/ack", body), 400, code)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/changes"), ("GET", "/"), ("GET", "/v1")])
async def test_nothing_answers_elsewhere(method: str, path: str) -> None:
    """Paths outside the contract are 404."""
    assert_problem(await busy().ask(method, path), 404, "not_found")


async def test_a_wrong_method_is_405() -> None:
    """A known path asked the wrong way says which way is right."""
    answer = await busy().ask("POST", "/v1/changes")
    assert_problem(answer, 405, "method_not_allowed")
