"""Sources with names of their own, held against what they are read by: what holds, what does not, and what cannot be promised."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from archsyncd.adapters.r247_pull import PullAuth, PullOptions, Sessions
from archsyncd.conformance.dialects import (
    EVERY_OF_DIALECTS,
    PROFILE_DROP_RULES,
    PROFILE_PUBSUB_RULES,
    asked_rules,
)
from archsyncd.conformance.findings import Report, Verdict
from archsyncd.conformance.foreign import verify_foreign
from archsyncd.conformance.http_source import HttpSource
from archsyncd.conformance.pull import Wishes
from archsyncd.conformance.rules import EVERY
from archsyncd.wire.foreign.source import read_source
from tests.adapters.feeds.servers import scripted
from tests.conformance.inside import failing
from tests.dialects.houses import House, Ledger, Shelf, ledger_profile, shelf_profile, written
from tests.support.virtual_time import VirtualClock, virtual

PAGE = Path(__file__).parents[2] / "packaging/profiles.md"
# What neither house tells, and no rule demands.
USUAL = {"orders_included"}
Answering = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


def ledger(**told: int) -> Ledger:
    house = Ledger(VirtualClock().wall_ms)
    for sku, pieces in (told or {f"S{number}": number for number in range(12)}).items():
        house.put(sku, pieces)
    house.put("S1", 7)
    house.remove("S2")
    return house


def shelf() -> Shelf:
    house = Shelf(VirtualClock().wall_ms)
    for number in range(12):
        house.put(f"S{number}", number, at_ms=VirtualClock().wall_ms() - number * 60_000)
    return house


async def verified(house: House, profile: dict[str, Any], secret: str = "", **wishes: Any) -> Report:
    """The report on a house, of which nothing was asked that could change it."""
    dialect = read_source(written(profile), "profiles/site.json")
    clock = VirtualClock()
    async with scripted(house.handle) as url:
        auth = PullAuth.BEARER if secret else PullAuth.NONE
        options = PullOptions(name="site", url=url, auth=auth, page_limit=5)
        source = HttpSource(options, lambda: secret, Sessions(), clock, lambda: "c")
        try:
            how = Wishes(has_credential=bool(secret), **wishes)
            report = await verify_foreign(source, url, how, clock, dialect, options)
        finally:
            await source.close()
    assert {one.method for one in house.asked} <= {"GET"}
    assert [each.rule for each in report.findings] == list(asked_rules(dialect.profile, dialect.requests))
    return report


def cannot(report: Report) -> set[str]:
    return {each.rule.name for each in report.of(Verdict.CANNOT)}


@virtual
async def test_a_list_by_cursor_keeps_what_such_a_list_can() -> None:
    """Read twice, joined to the whole stock, held against single SKUs; it tells no times, no resets, no silence."""
    report = await verified(ledger(), ledger_profile())
    assert set(failing(report)) == USUAL | {"times_told"}
    assert cannot(report) == {"read_again", "reset_noticed", "silence_noticed", "news_awaited"}
    assert {each.rule.name for each in report.of(Verdict.UNASKED)} == {
        "movement_balance", "auth_required", "cursor_expires",
    }  # fmt: skip
    assert report.requests < 40
    assert report.exit == 0


@virtual
async def test_a_list_by_time_keeps_what_such_a_list_can() -> None:
    """It is asked for a time that it knows and for tomorrow; deletions, order and every change are beyond it."""
    report = await verified(shelf(), shelf_profile(key={"path": "/api/stock/{sku}"}))
    assert set(failing(report)) == USUAL
    assert cannot(report) == {
        "deletions_told", "every_change_told", "order_told", "read_again", "reset_noticed", "silence_noticed", "news_awaited",
    }  # fmt: skip
    found = {each.rule.name: each for each in report.findings}
    assert found["since_finds"].says.startswith("S0 at WH1, of 2026-")
    assert found["single_agrees"].says == "5 keys alike in both"
    assert report.exit == 0


@virtual
async def test_a_whole_stock_again_and_again() -> None:
    """Nothing is compared with it: it is all there is."""
    profile = shelf_profile()
    profile["request"] = {"mode": "page", **profile["request"]["snapshot"], "every": "60s"}
    report = await verified(shelf(), profile)
    assert set(failing(report)) == USUAL
    assert "deletions_told" not in cannot(report)
    assert {"every_change_told", "order_told", "single_readable"} <= cannot(report)


@virtual
async def test_a_profile_that_reads_no_whole_stock_says_so() -> None:
    """Another feed must bring it."""
    report = await verified(ledger(), ledger_profile(snapshot=None, start="0", head=None))
    assert "stock_readable" in cannot(report)


def instead(path: str, change: Callable[[dict[str, Any]], Any], house: Shelf) -> Answering:
    """The house's answer at this path, changed."""

    async def say(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(path):
            return None
        members = json.loads(house.answer(request).body)  # type: ignore[arg-type]
        changed = change(members)
        return web.json_response(members if changed is None else changed)

    return say


def without_last(members: dict[str, Any]) -> None:
    members["total"] -= 1
    members["rows"] = [row for row in members["rows"] if row["itemCode"] != "S0"]


def spoilt(members: dict[str, Any]) -> None:
    for row in members["rows"]:
        row["qty"]["physical"] = "x"


def one_more(members: dict[str, Any]) -> None:
    for row in members["rows"]:
        row["qty"]["physical"] += 1


@pytest.mark.parametrize(
    ("rule", "path", "change"),
    [
        ("lists_readable", "/api/stock/modified", lambda members: {"error": members}),
        ("stock_covers", "/api/stock", without_last),
        ("single_agrees", "/api/stock/S", one_more),
        ("single_agrees", "/api/stock/S", lambda _: {"rows": []}),
        ("records_readable", "/api/stock/modified", spoilt),
    ],
)  # fmt: skip
@virtual
async def test_each_fault_of_a_list_is_found_by_its_rule(
    rule: str, path: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    """With what was asked and what came back."""
    house = shelf()
    exact = instead(path, change, house)

    async def say(request: web.Request) -> web.StreamResponse | None:
        # The whole stock and single SKUs stand below one path.
        return await exact(request) if path != "/api/stock" or request.path == path else None

    house.first = say
    report = await verified(house, shelf_profile(key={"path": "/api/stock/{sku}"}))
    found = failing(report)
    assert rule in found
    assert found[rule].evidence[0].asked
    if rule == "records_readable":
        assert "profiles/site.json:" in found[rule].says
        assert "onHand" in found[rule].says


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("since_finds", {"since": {"format": "dd/MM/yyyy HH:mm:ss", "tz": "Asia/Tokyo"}}),
        ("since_honoured", {"path": "/api/stock", "query": {"page": "{page}", "size": "{limit}", "after": "{since}"}}),
        ("pages_whole", {"snapshot": {"path": "/api/stock", "query": {"page": "{page}", "size": "3"},
                                      "pages": {"by": "number", "first": 0, "until": "short", "limit": 50}}}),
    ],
)  # fmt: skip
@virtual
async def test_each_fault_of_the_request_is_found_by_its_rule(rule: str, changes: dict[str, Any]) -> None:
    """A zone that is another one, a parameter that nobody reads, pages that are not the source's."""
    assert rule in failing(await verified(shelf(), shelf_profile(**changes)))


@virtual
async def test_times_of_another_zone_are_found_by_the_source_s_own_clock() -> None:
    """They would be hours ahead."""
    profile = shelf_profile()
    profile["fields"]["asOf"] |= {"tz": "America/New_York"}
    found = failing(await verified(shelf(), profile))
    assert "ahead of the source's own clock" in found["times_fit"].says


@virtual
async def test_a_cursor_that_leads_nowhere_on_and_a_page_that_changes() -> None:
    """The first reads the same for ever, the second loses what it told before."""
    house = ledger()
    assert "goes_on" in failing(await verified(house, ledger_profile(next="/Aenderungen/@erste")))
    asked: list[str] = []

    async def forget(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("/aenderungen"):
            asked.append(request.query_string)
            if asked.count(request.query_string) > 1:
                house.log[0] = ("S9", "WH1", 99)
        return None

    house.first = forget
    assert "list_repeatable" in failing(await verified(house, ledger_profile()))


@virtual
async def test_what_moves_while_the_stock_is_read_is_no_fault() -> None:
    """A sale between both readings shows in the changes that follow, and is held against nobody; a lasting difference is."""
    house = ledger()

    async def sell(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("/artikel/S0"):
            house.put("S0", 99)
        return None

    house.first = sell
    assert set(failing(await verified(house, ledger_profile()))) == USUAL | {"times_told"}
    house.goods["S3", "WH1"] = 98  # without a change that tells it
    assert "stock_agrees" in failing(await verified(house, ledger_profile()))


@virtual
async def test_a_cursor_that_has_expired_is_tried_by_wish() -> None:
    """With one of the statuses that the profile names."""
    house = ledger()
    house.dropped = 3
    found = {
        each.rule.name: each.verdict
        for each in (await verified(house, ledger_profile(start="5"), old_cursor="1")).findings
    }
    assert found["cursor_expires"] is Verdict.HOLDS
    report = await verified(house, ledger_profile(start="5", expired=[404]), old_cursor="1")
    assert "cursor_expires" in failing(report)


@virtual
async def test_a_source_that_refuses_or_lets_everybody_in() -> None:
    """The credential is left out once."""
    house = shelf()
    assert "auth_required" in failing(await verified(house, shelf_profile(), secret="s3cret"))

    async def refuse(request: web.Request) -> web.StreamResponse | None:
        known = request.headers.get("Authorization") == "Bearer s3cret"
        return None if known else web.Response(status=401)

    house.first = refuse
    assert "auth_required" not in failing(await verified(house, shelf_profile(), secret="s3cret"))
    report = await verified(house, shelf_profile(), secret="another")
    assert ("credential_taken" in failing(report), report.exit) == (True, 2)


@virtual
async def test_limits_of_requests_and_pages_are_kept() -> None:
    """What was not asked for that reason says so."""
    report = await verified(shelf(), shelf_profile(), requests_limit=3)
    assert report.requests == 3
    assert "the limit of 3 requests" in {each.rule.name: each.says for each in report.findings}["since_finds"]
    report = await verified(shelf(), shelf_profile(), pages_most=1)
    assert "only part of the stock" in {each.rule.name: each.says for each in report.findings}["stock_covers"]


def test_rules_of_dialects_have_names_of_their_own_and_a_price() -> None:
    """Whoever reads a report by program tells them by name."""
    names = [rule.name for rule in (*EVERY, *EVERY_OF_DIALECTS)]
    assert len(names) == len(set(names))
    assert all(rule.says and rule.costs and rule.page == "profiles.md" for rule in EVERY_OF_DIALECTS)
    headings = set(re.findall(r"(?m)^##+ (.+)$", PAGE.read_text("utf-8")))
    assert {rule.section for rule in EVERY_OF_DIALECTS} <= headings
    for rules in (PROFILE_DROP_RULES, PROFILE_PUBSUB_RULES):
        assert len({rule.name for rule in rules}) == len(rules)
