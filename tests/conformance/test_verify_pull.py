"""A source held against the contract: a good one keeps every rule, each fault is found by its rule and by no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archsyncd.adapters.r247_pull.caller import JSON, NDJSON
from archsyncd.conformance.asking import Reply
from archsyncd.conformance.findings import Report, Verdict, Weight, told
from archsyncd.conformance.rules import PULL_RULES, RECORD_RULES
from archsyncd.simulators.r247 import Auth, Movements, Reflection
from archsyncd.simulators.r247.switches import SWITCHES, switch_on
from tests.conformance.inside import Inside, failing, in_json, trading, verified
from tests.support.virtual_time import virtual

HISTORY_SECONDS = 40.0


async def report_with(fault: str, *, busy: bool = False, **wishes: Any) -> Report:
    """The report on a source with one switch on."""
    async with trading() as source:
        await source.clock.sleep(HISTORY_SECONDS)
        switch_on(source.simulator, fault)
        await source.clock.sleep(60.0)
        selling = asyncio.create_task(trade(source)) if busy else None
        report = await verified(source, **wishes)
        if selling is not None:
            selling.cancel()
        return report


async def trade(source: Inside) -> None:
    """Goods come in again and again."""
    for number in range(10_000):
        source.simulator.warehouse.receipt(f"SKU-{number % 12}", "WH1", 1)
        await source.clock.sleep(0.3)


@virtual
async def test_a_good_source_keeps_every_rule() -> None:
    """What nobody can show of it is told as not asked, and no rule of a MUST is among that."""
    async with trading() as source:
        await source.clock.sleep(HISTORY_SECONDS)
        report = await verified(source)
    assert failing(report) == {}
    assert {each.rule.name for each in report.of(Verdict.UNASKED)} == {
        "movement_balance",
        "expired_cursor",
        "week_kept",
    }
    assert [each.rule for each in report.findings] == [*RECORD_RULES, *PULL_RULES]
    assert report.exit == 0


@virtual
async def test_a_busy_source_keeps_every_rule_too() -> None:
    """What changes while it is asked is no fault."""
    async with trading() as source:
        await source.clock.sleep(HISTORY_SECONDS)
        selling = asyncio.create_task(trade(source))
        report = await verified(source, snapshot=True)
        selling.cancel()
    assert failing(report) == {}


def _placeless(_: str, members: dict[str, Any]) -> None:
    for item in members["items"]:
        del item["seq"]


@virtual
async def test_a_busy_source_may_place_its_stock_by_seq_at_alone() -> None:
    """What changed between two answers is no contradiction; what did not change must still agree."""
    async with trading() as source:
        source.spoil = in_json(_placeless, "/v1/stock")
        trading_ = asyncio.create_task(trade(source))
        report = await verified(source)
        trading_.cancel()
    assert failing(report) == {}
    held = {each.rule.name for each in report.of(Verdict.HOLDS)}
    assert {"snapshot_agrees", "snapshot_covers", "single_key"} <= held

    def wrong(asked: str, members: dict[str, Any]) -> None:
        _placeless(asked, members)
        members["items"][0]["available"] -= 1

    async with trading() as source:
        source.spoil = in_json(wrong, "/v1/stock")
        assert "snapshot_agrees" in failing(await verified(source))


@virtual
async def test_nothing_is_written_unless_a_snapshot_is_wished_for() -> None:
    """Every request is a GET; POST /v1/snapshots is the one exception, and answers the same questions."""
    async with trading() as source:
        await verified(source)
        assert source.writes == 0
        report = await verified(source, snapshot=True)
        assert source.writes == 1
        assert {"ack", "fulfilments"} & set(source.simulator.requests) == set()
    assert failing(report) == {}


FOUND_BY = {
    "duplicate": "seq_unique",
    "reorder": "ascending_seq",
    "gap": "repeatable_reads",
    "repeat": "next_moves",
    "foreign-next": "next_followed",
    "410": "retention",
    "epoch": "epoch_constant",
    "frozen": "heartbeat",
    "slow": "prompt",
    "429": "not_throttled",
    "503": "answers",
    "half-body": "answers",
    "garbage": "page_readable",
    "redirect": "answers",
    "truncated-full": "snapshot_complete",
    "no-trailer": "snapshot_count",
    "empty-full": "snapshot_covers",
    "miscount": "snapshot_count",
    "missum": "snapshot_sum",
    "lacks-keys": "snapshot_covers",
}


def test_every_switch_of_answers_is_here() -> None:
    """None is forgotten; those of files are found in a directory."""
    assert set(FOUND_BY) | {"late"} == {name for name, switch in SWITCHES.items() if switch.file is None}


@pytest.mark.parametrize("fault", FOUND_BY)
@pytest.mark.parametrize("snapshot", [False, True])
@virtual
async def test_a_fault_is_found_by_its_rule_and_by_no_other(fault: str, snapshot: bool) -> None:
    """With its evidence, and with what it costs."""
    report = await report_with(fault, snapshot=snapshot)
    found = failing(report)
    assert set(found) == {FOUND_BY[fault]}
    evidence = found[FOUND_BY[fault]].evidence
    assert evidence
    assert all(each.asked for each in evidence)
    must = found[FOUND_BY[fault]].rule.weight is Weight.MUST
    assert report.exit == (2 if not report.reached else 1 if must else 0)


@virtual
async def test_a_record_that_appears_behind_a_later_one_is_found() -> None:
    """It takes a source in which something happens."""
    found = failing(await report_with("late", busy=True))
    assert set(found) == {"tail_stable"}


@pytest.mark.parametrize(
    ("poison", "rule"),
    [
        ("unknown_type", "known_types"),
        ("unknown_fields", "known_fields"),
        ("nan", "records_readable"),
        ("1e400", "records_readable"),
        ("3.7", "records_readable"),
        ("sku_empty", "records_readable"),
        ("duplicate_names", "records_readable"),
        ("deep", "records_readable"),
    ],
)
@virtual
async def test_a_poisoned_record_is_found_by_its_rule_and_by_no_other(poison: str, rule: str) -> None:
    """The rest of the page is read all the same."""
    async with trading() as source:
        await source.clock.sleep(HISTORY_SECONDS)
        source.simulator.poison(poison, "SKU-3", "WH1")
        assert set(failing(await verified(source))) == {rule}


def _each_item(change: Callable[[dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], None]:
    def spoil(_asked: str, members: dict[str, Any]) -> None:
        for item in members["items"]:
            change(item)

    return spoil


def _level(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda item: item.update(changes) if item["type"] == "stock.level" else None


def _drop(name: str) -> Callable[[str, dict[str, Any]], None]:
    def spoil(_asked: str, members: dict[str, Any]) -> None:
        members.pop(name, None)

    return spoil


ONE = {"id": "x.1", "type": "feed.heartbeat", "seq": "1", "at": "2026-01-01T00:00:00Z"}
SPOILT: dict[str, tuple[str, Callable[[str, dict[str, Any]], Any], str]] = {
    "no next": ("/v1/changes", _drop("next"), "next_always"),
    "no schema": ("/v1/changes", _drop("schema"), "page_readable"),
    "no head": ("/v1/changes", _drop("head"), "marks_told"),
    "another feed": (
        "/v1/changes",
        lambda asked, members: members.update(feed="b") if "now" not in asked else None,
        "epoch_constant",
    ),
    "more for ever": ("/v1/changes", lambda _, members: members.update(more=True), "more_told"),
    "now tells all": (
        "/v1/changes",
        lambda asked, members: members.update(items=[ONE]) if "cursor=now" in asked else None,
        "cursor_now",
    ),
    "one id": ("/v1/changes", _each_item(lambda item: item.update(id="same")), "id_unique"),
    "no time": (
        "/v1/changes",
        _each_item(lambda item: [item.pop(name, None) for name in ("occurredAt", "asOf")]),
        "times_told",
    ),
    "no locations": ("/v1/locations", lambda *_: {"locations": ["WH1"]}, "locations_told"),
    "no seqAt": ("/v1/stock", _drop("seqAt"), "snapshot_readable"),
    "complete too early": (
        "/v1/stock",
        lambda _, members: members.update(complete=True, nextPage="p"),
        "snapshot_complete",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
@virtual
async def test_an_answer_that_says_something_else_is_found_by_its_rule(fault: str) -> None:
    """Whatever a source's programmer may get wrong."""
    path, change, rule = SPOILT[fault]
    async with trading() as source:
        await source.clock.sleep(HISTORY_SECONDS)
        source.spoil = in_json(change, path)
        found = failing(await verified(source))
    assert set(found) <= {rule, "single_key"} if fault == "no seqAt" else set(found) == {rule}


@virtual
async def test_a_single_sku_that_shows_something_else_is_found() -> None:
    """And so is one that is not there."""
    async with trading() as source:
        source.spoil = in_json(_each_item(_level(onHand=1)), "/v1/stock/")
        found = failing(await verified(source))
        assert set(found) == {"single_key"}
        source.spoil = in_json(lambda _, members: members.update(items=[]), "/v1/stock/")
        assert set(failing(await verified(source))) == {"single_key"}


@virtual
async def test_a_snapshot_that_shows_something_else_than_the_feed_is_found() -> None:
    """At the same place of the feed."""

    def change(asked: str, members: dict[str, Any]) -> None:
        if asked.startswith("GET /v1/stock?"):
            members["items"][0]["available"] += 1

    async with trading() as source:
        source.spoil = in_json(change, "/v1/stock")
        assert set(failing(await verified(source, singles=0))) == {"snapshot_agrees"}


@virtual
async def test_pages_of_two_moments_are_found() -> None:
    """A snapshot is of one."""
    seen: list[str] = []

    def change(asked: str, members: dict[str, Any]) -> None:
        if asked.startswith("GET /v1/stock?"):
            seen.append(asked)
            members["nextPage"], members["complete"] = ("p" if len(seen) == 1 else None), len(seen) > 1
            members["seqAt"] = str(int(members["seqAt"]) - len(seen))
            members["check"] = {"records": 2 * len(members["items"])}

    async with trading() as source:
        source.spoil = lambda path, reply: in_json(change, "/v1/stock")(path, _first_page(source, reply))
        found = failing(await verified(source, singles=0))
    assert set(found) == {"snapshot_one_moment"}


def _first_page(source: Inside, reply: Reply) -> Reply:
    """A page that the source does not have is its first one again."""
    if reply.status == 200 or "page=p" not in reply.asked:
        return reply
    whole = source.simulator.snapshots._capture("s", None, None)
    answer = source.simulator.snapshots._page(whole, 0, 2_000, {})
    return replace(reply, status=200, body=answer.body, content_type=JSON)


@virtual
async def test_a_snapshots_cursor_that_lies_behind_its_figures_is_found() -> None:
    """What changed in between would be missed."""
    async with trading() as source:
        house = source.simulator.warehouse

        def change(asked: str, members: dict[str, Any]) -> None:
            if asked.startswith("GET /v1/stock?"):
                house.store_sale("SKU-5", "WH1", 1)
                members["cursor"] = house.log.cursor(house.log.head_seq)

        source.spoil = in_json(change, "/v1/stock")
        assert set(failing(await verified(source))) == {"snapshot_cursor"}


@virtual
async def test_a_source_that_anybody_may_read_is_found() -> None:
    """Without a credential to leave out nobody can say."""
    async with trading(auth=Auth.NONE) as source:
        assert set(failing(await verified(source))) == {"auth_required"}
        report = await verified(source, has_credential=False)
    assert failing(report) == {}
    assert "auth_required" in {each.rule.name for each in report.of(Verdict.UNASKED)}


@virtual
async def test_a_refused_credential_leaves_everything_unasked() -> None:
    """One rule fails, and it is asked once only."""
    async with trading(credential="another") as source:
        report = await verified(source)
    assert set(failing(report)) == {"credential_taken"}
    assert report.requests == 1
    assert "401" in report.findings[-1].says


@virtual
async def test_orders_that_are_told_nowhere_are_found_with_what_that_costs() -> None:
    """The one thing that most sources forget."""
    async with trading(reflection=Reflection.NONE) as source:
        report = await verified(source)
    assert set(failing(report)) == {"orders_included"}
    assert "stays hidden" in str(told(report)["rules"])


@virtual
async def test_bare_movements_are_found() -> None:
    """And those with a balance hold."""
    async with trading(movements=Movements.BARE) as source:
        assert "movement_balance" in failing(await verified(source))
    async with trading(movements=Movements.BALANCE) as source:
        report = await verified(source)
    assert failing(report) == {}


@virtual
async def test_a_poll_that_is_not_held_is_found() -> None:
    """An answer at once, although nothing happened."""
    async with trading(wait_maximum_seconds=60) as source:
        source.spoil = lambda _, reply: replace(reply, seconds=0.0)
        assert set(failing(await verified(source))) == {"long_poll"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body[: body.rindex(b'{"type"')],
        lambda body: body.replace(b'"type":"feed.cursor"', b'"type":"feed.cursors"'),
        lambda body: body.replace(b'"next":', b'"then":'),
        lambda body: b"{" + body,
    ],
)
@virtual
async def test_a_stream_without_its_cursor_lines_is_found(spoil: Callable[[bytes], bytes]) -> None:
    """Nothing of it could be saved."""

    def lines(_path: str, reply: Reply) -> Reply:
        return reply if reply.content_type != NDJSON else replace(reply, body=spoil(reply.body))

    async with trading() as source:
        source.spoil = lines
        assert set(failing(await verified(source))) == {"stream_lines"}


@virtual
async def test_a_source_that_offers_no_stream_is_no_worse() -> None:
    """It answers with a page, or refuses."""

    def page(_path: str, reply: Reply) -> Reply:
        return reply if reply.content_type != NDJSON else replace(reply, status=406, content_type=JSON)

    async with trading() as source:
        source.spoil = page
        report = await verified(source)
    assert failing(report) == {}
    assert "stream_lines" in {each.rule.name for each in report.of(Verdict.UNASKED)}


@virtual
async def test_a_clock_that_is_wrong_is_found() -> None:
    """By the answers' dates."""
    async with trading() as source:
        date = "Thu, 01 Jan 2026 00:05:00 GMT"
        source.spoil = lambda _, reply: replace(reply, date=date)
        assert "clock_skew" in failing(await verified(source))


@virtual
async def test_errors_without_a_code_are_found() -> None:
    """For the bad cursor, for the order."""

    def plain(_path: str, reply: Reply) -> Reply:
        return reply if reply.status < 400 else replace(reply, body=b"no", content_type="text/plain")

    async with trading() as source:
        source.spoil = plain
        assert set(failing(await verified(source))) == {"errors_told", "bad_cursor", "order_lookup"}


@virtual
async def test_an_old_cursor_is_asked_with_when_one_is_given() -> None:
    """410 is what it must be answered with."""
    async with trading() as source:
        log = source.simulator.log
        old = log.cursor(log.before_oldest)
        report = await verified(source, old_cursor=old)
        assert set(failing(report)) == {"expired_cursor"}
        log.forget_through(5)
        assert failing(await verified(source, old_cursor=old)) == {}


@virtual
async def test_an_empty_source_is_no_fault() -> None:
    """There is nothing to show; the MUSTs that need records are told as not asked."""
    async with trading() as source:
        source.simulator.warehouse.log.begin_epoch("b", 1)
        source.simulator.warehouse.room.holdings.clear()
        report = await verified(source)
    assert failing(report) == {}
    assert report.exit == 2


@virtual
async def test_the_limits_hold() -> None:
    """Of requests and of time; what was not asked says why."""
    async with trading() as source:
        report = await verified(source, requests_limit=4)
        assert report.requests == 4
        assert any("limit of 4 requests" in each.says for each in report.of(Verdict.UNASKED))
        switch_on(source.simulator, "slow")
        began = source.clock.monotonic()
        report = await verified(source, seconds_limit=20.0)
        assert source.clock.monotonic() - began < 20.0 + 3.0 + 6.0 + 30.0
        assert any("limit of 20 seconds" in each.says for each in report.of(Verdict.UNASKED))


@virtual
async def test_a_stock_too_large_to_be_read_whole_leaves_the_other_questions() -> None:
    """Its first pages are held against single SKUs; what only the whole could show is told as not asked."""

    def change(asked: str, members: dict[str, Any]) -> None:
        if asked.startswith("GET /v1/stock?"):
            members.update(complete=False, nextPage=f"p{len(asked)}")
            members.pop("check", None)

    async with trading() as source:
        source.spoil = in_json(change, "/v1/stock")
        report = await verified(source, requests_limit=81)
    assert failing(report) == {}
    verdicts = {each.rule.name: (each.verdict, each.says) for each in report.findings}
    assert verdicts["snapshot_count"] == (
        Verdict.UNASKED,
        "only its first 24 records were read; --limit allows for more",
    )
    assert verdicts["single_key"][0] is Verdict.HOLDS
    assert report.exit == 2


@virtual
async def test_the_answer_for_programs_is_plain_json_and_holds_no_secret() -> None:
    """With every rule of both lists."""
    async with trading() as source:
        text = json.dumps(told(await verified(source)))
    assert "s3cret" not in text
    assert {each["rule"] for each in json.loads(text)["rules"]} == {
        rule.name for rule in (*RECORD_RULES, *PULL_RULES)
    }
