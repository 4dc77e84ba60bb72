"""What the page tells of mutes, locations, data, reconciliation and timelines, and how a cause is acknowledged on it."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.config import ListenAddress
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.reconciling import Mode, RunState, Wanted
from archsyncd.operator.commands import Commands
from archsyncd.operator.page import muting, showing, words
from tests.operator.asking import Answer, ask
from tests.operator.daemon import CHANNEL, SmallDaemon, break_store, small_daemon
from tests.operator.staged import HOSTILE, LOCATIONS, PLACES, TOKEN, changed_by_others, written
from tests.support.virtual_time import virtual

UNMAPPED = "location_unmapped"


@asynccontextmanager
async def shown(
    directory: Path, *, tcp: bool = False, actions: bool = True
) -> AsyncIterator[tuple[SmallDaemon, Path | int]]:
    """A daemon of twelve locations with one exception, and where its page is."""
    where: Path | int = directory / "status.sock"
    address = ListenAddress(path=directory / "status.sock")
    if tcp:
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = free.getsockname()[1]
        assert isinstance(where, int)
        address = ListenAddress(host="127.0.0.1", port=where)
    async with small_daemon(directory, LOCATIONS) as daemon:
        status = replace(daemon.settings.status, listen=address, actions=actions)
        daemon.settings = replace(daemon.settings, status=status)
        await daemon.store.cases.open(NewCase(CaseKind.LOCATION_UNMAPPED, "main", "X9", "X9 is not mapped"))
        async with showing(daemon, lambda _name: TOKEN):
            yield daemon, where


async def status_of(daemon: SmallDaemon) -> dict[str, Any]:
    daemon.desk.forget()
    return await daemon.desk.status()


async def post(where: Path | int, target: str, page: Answer, **fields: str) -> Answer:
    return await ask(where, target, page.cookie, form={"seal": page.seal, **fields})


def piece(body: str, name: str) -> str:
    """A part of the overview, as text without markup."""
    found = re.search(rf' id="{name}">(.*?)(?:</section>|<section)', body, re.DOTALL)
    assert found is not None
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split())


@virtual
async def test_a_cause_is_acknowledged_by_a_form_of_ours_and_told_again_by_another(tmp_path: Path) -> None:
    """For as long as chosen; the screen says who muted it and why, and the verdict does without it."""
    async with shown(tmp_path) as (daemon, where):
        front = await ask(where, "/")
        assert f'href="/?ack={UNMAPPED}"' in front.body
        assert "<form method" not in front.body
        page = await ask(where, f"/?ack={UNMAPPED}")
        answer = await post(where, f"/ack?of={UNMAPPED}", page, hours="8", reason=" it is being built ")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        (muted,) = (await status_of(daemon))["muted"]
        assert (muted["kind"], muted["reason"]) == ("ack", "it is being built")
        body = (await ask(where, "/", page.cookie)).body
        assert f"{UNMAPPED} is muted until" in body
        assert "by the page, by its Unix socket: it is being built" in body
        page = await ask(where, f"/?unmute={UNMAPPED}", page.cookie)
        answer = await ask(where, f"/unmute?of={UNMAPPED}", page.cookie, form={"seal": page.seal})
        assert "counts and is told again" in (await ask(where, "/", answer.cookie)).body
        assert (await status_of(daemon))["muted"] == []


@virtual
async def test_an_acknowledgement_lasts_for_as_long_as_was_chosen(tmp_path: Path) -> None:
    """Two, eight or twenty-four hours; a form with another time mutes nothing."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, f"/?ack={UNMAPPED}")
        for hours in ("", "0", "999", "-2", "8.5"):
            answer = await post(where, f"/ack?of={UNMAPPED}", page, hours=hours, reason="x")
            assert (answer.status, "2, 8, 24 hours" in answer.body) == (400, True), hours
        assert (await status_of(daemon))["muted"] == []
        for chosen in muting.ACK_HOURS:
            await post(where, f"/ack?of={UNMAPPED}", page, hours=str(chosen), reason="x")
            (row,) = (await Commands(daemon).answer("mutes", {}))["rows"]
            assert row["left_seconds"] == pytest.approx(chosen * 3600, abs=5)


@virtual
async def test_an_acknowledgement_without_a_reason_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """And one of something that is gone, or was never known."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, f"/?ack={UNMAPPED}")
        for target, reason, says in (
            (f"/ack?of={UNMAPPED}", " ", "a reason is needed"),
            ("/ack?of=feed_stale", "x", "There is no feed_stale now"),
            ("/ack?of=store_broken", "x", "store_broken cannot be muted"),
            ("/ack", "x", "code"),
        ):
            assert (await post(where, target, page, hours="2", reason=reason)).status == 303
            assert says in (await ask(where, "/", page.cookie)).body, target
        assert (await status_of(daemon))["muted"] == []


@virtual
async def test_nobody_else_s_form_acknowledges_or_unmutes(tmp_path: Path) -> None:
    """Without our seal, from another site, or where nobody may act."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, f"/?ack={UNMAPPED}")
        form = {"hours": "2", "reason": "x"}
        tries = (
            (form, ()),
            (form | {"seal": page.seal}, ("Origin: https://evil.example",)),
            (form | {"seal": page.seal}, ("Sec-Fetch-Site: cross-site",)),
        )
        for act in muting.ACTS:
            for given_form, headers in tries:
                answer = await ask(where, f"/{act}?of={UNMAPPED}", page.cookie, *headers, form=given_form)
                assert answer.status == 403, (act, headers)
            assert (await ask(where, f"/{act}?of={UNMAPPED}", page.cookie)).status == 405
        daemon.settings = replace(daemon.settings, status=replace(daemon.settings.status, actions=False))
        assert (await post(where, f"/ack?of={UNMAPPED}", page, **form)).status == 403
        assert (await status_of(daemon))["muted"] == []


@virtual
async def test_where_nobody_may_act_the_command_is_shown_as_a_shell_takes_it(tmp_path: Path) -> None:
    """With the subject in quotes that nothing in it can end."""
    async with shown(tmp_path, actions=False) as (daemon, where):
        body = (await ask(where, f"/?ack={UNMAPPED}")).body
        assert f"archsyncctl ack {UNMAPPED} --for 8h --reason" in body
        assert "<form method" not in body
        case = NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, "A'; x", "there is no product")
        await daemon.store.cases.open(case)
        told = {"code": "sku_not_found", "subject": "A'; x", "for_seconds": 7200, "reason": "known"}
        await Commands(daemon).answer("mute", told, "anna")
        front = (await ask(where, "/")).body
        address = re.search(r'href="(/\?unmute=[^"]+)"', front)
        assert address is not None
        body = (await ask(where, address[1].replace("&amp;", "&"))).body
        assert "archsyncctl unmute sku_not_found &#39;--subject=A&#39;&#34;&#39;&#34;&#39;; x&#39;" in body


@virtual
async def test_what_is_gone_has_no_form(tmp_path: Path) -> None:
    """Somebody else may have settled it since the link was shown; made-up names are text."""
    async with shown(tmp_path) as (_, where):
        for target, says in (
            ("/?ack=feed_stale", "this is gone"),
            ("/?unmute=feed_stale", "this is not muted"),
            (f"/?{urlencode({'ack': HOSTILE, 'on': HOSTILE})}", "this is gone"),
        ):
            answer = await ask(where, target)
            assert (answer.status, says in answer.body, "<form method" in answer.body) == (200, True, False)
            assert "<script>document" not in answer.body


@virtual
async def test_a_screen_with_a_form_neither_loads_itself_again_nor_is_its_form_in_what_is_live(
    tmp_path: Path,
) -> None:
    """What somebody types is not taken away, and no seal is in what all viewers are sent."""
    async with shown(tmp_path) as (_, where):
        assert 'http-equiv="refresh"' in (await ask(where, "/")).body
        assert 'http-equiv="refresh"' not in (await ask(where, f"/?ack={UNMAPPED}")).body
        stream = (await ask(where, "/live?of=overview-6")).body
        assert {"verdict", "cases", "locations", "data"} <= set(
            json.loads(re.findall("data: (.*)", stream)[0])
        )
        assert f"/?ack={UNMAPPED}" in stream
        assert "seal" not in stream


@pytest.mark.parametrize(
    ("tcp", "who"), [(False, "the page, by its Unix socket"), (True, "the page, signed in over TCP")]
)
def test_who_did_what_tells_the_acts_of_the_page_and_the_way_they_came(
    tmp_path: Path, who: str, *, tcp: bool
) -> None:
    """All of them, as archsyncctl actions shows them."""

    @virtual
    async def body(directory: Path) -> None:
        async with shown(directory, tcp=tcp) as (daemon, where):
            cookie = (await ask(where, "/login", form={"token": TOKEN})).cookie if tcp else ""
            page = await ask(where, f"/?ack={UNMAPPED}", *([cookie] if tcp else []))
            await post(where, f"/ack?of={UNMAPPED}", page, hours="2", reason="x")
            await post(where, f"/unmute?of={UNMAPPED}", page)
            await post(where, "/exceptions/1/dismiss", page, reason="x")
            rows = (await Commands(daemon).answer("actions", {}))["rows"]
            assert [(row["who"], row["verb"]) for row in rows] == [
                (who, "exceptions.dismiss"),
                (who, "unmute"),
                (who, "ack"),
            ]

    body(tmp_path)


@given(code=st.text(min_size=1, max_size=30), subject=st.text(max_size=60))
def test_the_address_of_a_cause_names_exactly_it(code: str, subject: str) -> None:
    """Whatever is in the names: what is asked is what was shown."""
    code, subject = (each.encode("utf-8", "replace").decode() for each in (code, subject))
    told = muting.address({"code": code, "subject": subject})
    found = parse_qs(f"ack={told}", keep_blank_values=True)
    assert found == {"ack": [code]} | ({"on": [subject]} if subject else {})
    cause = {"code": code, "subject": subject, "says": "something"}
    other = cause | {"subject": f"{subject}x"}
    query = {name: values[0] for name, values in found.items()}
    asked = muting.asked(query, {"reasons": [other, cause], "muted": []})
    assert asked is not None
    assert (asked["says"], asked["form"]) == (["something"], f"/ack?of={told}")


def test_a_kind_of_exceptions_is_told_once() -> None:
    """In their list, with its acknowledgement or as muted; a subject that is told by itself stands with the verdict."""
    reasons = [
        {"code": code, "subject": subject}
        for code, subject in (
            ("feed_stale", "main"),
            ("drift", ""),
            ("sku_not_found", "A1"),
            ("feed_late", "b"),
        )
    ]
    kinds = [{"kind": kind} for kind in ("drift", "sku_not_found", "short_pick")]
    status = {
        "reasons": reasons,
        "muted": [{"code": "short_pick", "subject": ""}],
        "exceptions": kinds,
    }
    assert [each["code"] for each in muting.beside(status)] == ["sku_not_found", "feed_late"]
    assert muting.by_kind(status) == {"drift": "counts", "sku_not_found": "", "short_pick": "muted"}


@virtual
async def test_the_worst_locations_are_told_and_how_many_are_in_each_state(tmp_path: Path) -> None:
    """A screen of hundreds would tell nothing."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("ABC-1", 5, "WH1")
        await daemon.level("ABC-1", 5, "WH7")
        told = piece((await ask(where, "/")).body, "locations")
        assert told.startswith(f"Locations {PLACES - 2} unheard, 2 fresh")
        assert told.count(CHANNEL) == 6
        assert "WH1 " not in told
        assert f"The {PLACES - 6} others are no worse" in told


@virtual
async def test_what_is_wrong_with_the_data_is_told_in_one_place(tmp_path: Path) -> None:
    """Suspected oversells, unknown SKUs with their share, drift, scarce requests, room, and the last comparison."""
    async with shown(tmp_path) as (daemon, where):
        calm = piece((await ask(where, "/")).body, "data")
        assert "Suspected oversells none" in calm
        assert "Last reconciliation none yet" in calm
        for kind in (CaseKind.SUSPECTED_OVERSELL, CaseKind.STALLED_ORDERS):
            await daemon.store.cases.open(NewCase(kind, CHANNEL, "ABC-1", "2 more"))
        run = await daemon.store.reconciles.begin(Wanted(Mode.DRY_RUN, "nightly"))
        assert run is not None
        await daemon.clock.sleep(5)
        front = (await ask(where, "/")).body
        assert "Under way: 0 of about 0 compared, 0 differ Run 1, nightly, dry run" in piece(front, "data")
        assert 'href="/exceptions?kind=suspected_oversell">1<' in front
        await daemon.store.reconciles.end(run, RunState.FAILED, "refused")
        await daemon.clock.sleep(5)
        told = piece((await ask(where, "/")).body, "data")
        assert "Failed: 0 compared" in told
        assert "Orders stalled 1" in told
        assert re.search(r"Disk [\d.,]+ [KMGT]iB free database [\d.]+ KiB", told)


@virtual
async def test_a_sku_s_timeline_is_a_table_whose_sum_is_checked(tmp_path: Path) -> None:
    """The newest first, what somebody else did marked, the opening at the end."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        await written(daemon, "ABC-1", 12, 20, 18)
        changed_by_others(daemon)
        body = (await ask(where, "/sku?of=ABC-1")).body
        table = body[body.index('class="timeline') : body.index("Levels in Archean")]
        assert "<caption>What was applied over time" in table
        assert re.findall(r'<td class="r">([+−]\d+)</td>', table) == ["−2", "+8", "−3", "+15"]
        assert "drift</span> Drift corrected by a clean read" in table
        assert "last written by <bdi>anna</bdi>" in table
        assert (
            "adds up</span> Opening 0 +18 in 4 changes = 18; applied is 18. Corrected for drift once."
            in table
        )
        assert "Opening</th>" in table


@virtual
async def test_a_timeline_that_does_not_add_up_says_so_and_what_to_do(tmp_path: Path) -> None:
    """Nothing of ours writes that."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        with sqlite3.connect(daemon.settings.daemon.state_dir / DATABASE_NAME) as database:
            database.execute("UPDATE key_history SET delta = delta + 1")
        body = (await ask(where, "/sku?of=ABC-1")).body
        assert 'critical">does not add up</span> Opening 0 +16 in 1 change = 16; applied is 15.' in body
        assert "put it back from a backup" in body


@virtual
async def test_a_long_timeline_ends_with_the_command_that_tells_all_of_it(tmp_path: Path) -> None:
    """For the SKU as it is called, quoted; of a SKU with no change there is no table."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("A B", 31)
        assert "Nothing was applied yet" in (await ask(where, "/sku?of=A%20B")).body
        await daemon.prove("A B", 31)
        await written(daemon, "A B", *range(30, 14, -1))
        body = (await ask(where, "/sku?of=A%20B")).body
        assert "archsyncctl history &#39;A B&#39;" in body
        assert body.count('<th scope="row" class="keep"><time') == 12


@virtual
async def test_a_broken_store_has_no_acknowledgement(tmp_path: Path) -> None:
    """It cannot be muted, so that nothing offers it."""
    async with shown(tmp_path) as (daemon, where):
        await break_store(daemon)
        await daemon.clock.sleep(5)
        body = (await ask(where, "/")).body
        assert "Critical" in body
        assert "?ack=" not in body


@pytest.mark.parametrize(
    ("count_bytes", "told"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (150 * 1024, "150 KiB"),
        (75 * 1024**3 + 1024**2 * 200, "75.2 GiB"),
        (5_000 * 1024**4, "5,000 TiB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_suits(count_bytes: int | None, told: str) -> None:
    """With tenths where they matter."""
    assert words.size(count_bytes) == told


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0 %"), (0.0004, "under 0.1 %"), (0.031, "3.1 %"), (0.25, "25 %"), (1.0, "100 %")],
)
def test_shares_are_told_in_percent(share: float, told: str) -> None:
    """With tenths below ten."""
    assert words.percent(share) == told
