"""Who may read the page and who may act on it: tokens, sessions, forms of our own, host names, what browsers are told."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsyncd.config import ListenAddress
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.operator.page import CONNECTION_SECONDS, showing
from archsyncd.operator.page.guard import (
    COOKIE,
    ENDED,
    FAILED_SECONDS,
    FLASHES,
    SESSION_SECONDS,
    WAITING,
    Guard,
)
from archsyncd.operator.page.live import STREAM_SECONDS, STREAMS
from tests.operator.asking import BROWSER, Answer, ask, told
from tests.operator.daemon import CHANNEL, SmallDaemon, break_store, small_daemon
from tests.operator.staged import HOSTILE, PAYLOAD, TOKEN, held_snapshot
from tests.support.examples import examples
from tests.support.virtual_time import VirtualClock, run_virtual, virtual

BEARER = f"Authorization: Bearer {TOKEN}"


@asynccontextmanager
async def shown(
    directory: Path, *, tcp: bool = False, actions: bool = True, names: tuple[str, ...] = ()
) -> AsyncIterator[tuple[SmallDaemon, Path | int]]:
    """A daemon with one exception, and where its page is."""
    where: Path | int = directory / "status.sock"
    address = ListenAddress(path=directory / "status.sock")
    if tcp:
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = free.getsockname()[1]
        assert isinstance(where, int)
        address = ListenAddress(host="127.0.0.1", port=where)
    async with small_daemon(directory) as daemon:
        status = replace(daemon.settings.status, listen=address, actions=actions, names=names)
        daemon.settings = replace(daemon.settings, status=status)
        await daemon.store.cases.open(NewCase(CaseKind.LOCATION_UNMAPPED, "main", "WH9", "WH9 is not mapped"))
        async with showing(daemon, lambda _name: TOKEN):
            yield daemon, where


async def state(daemon: SmallDaemon) -> str:
    case = await daemon.store.cases.find(1)
    assert case is not None
    return case.state


async def signed_in(where: Path | int) -> str:
    """The cookie of a session."""
    answer = await ask(where, "/login", form={"token": TOKEN})
    assert (answer.status, answer.headers["location"]) == (303, "/")
    return answer.cookie


@virtual
async def test_every_answer_tells_browsers_how_little_they_may_do(tmp_path: Path) -> None:
    """Screens, files, refusals, streams: one policy without anything inline."""
    async with shown(tmp_path) as (_, where):
        for target in (
            "/",
            "/exceptions/1",
            "/style.css",
            "/live.js",
            "/nothing",
            "/healthz",
            "/live?of=nothing",
        ):
            headers = (await ask(where, target)).headers
            assert headers["content-security-policy"] == (
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
                "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            ), target
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-opener-policy"] == "same-origin"


@virtual
async def test_nothing_but_the_two_files_is_kept_by_a_browser(tmp_path: Path) -> None:
    """Their addresses change with their content."""
    async with shown(tmp_path) as (_, where):
        front = await ask(where, "/")
        assert front.headers["cache-control"] == "no-store"
        for name in ("style.css", "live.js"):
            assert f'"/{name}?' in front.body
            assert "immutable" in (await ask(where, f"/{name}?1")).headers["cache-control"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9470", 200),
        ("127.0.0.1:9470", 200),
        ("[::1]:9470", 200),
        ("10.1.2.3", 200),
        ("archsyncd", 200),
        ("wms01:9470", 200),
        ("status.example.com", 200),
        ("STATUS.example.com.:443", 200),
        ("evil.example:9470", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_a_name_that_somebody_else_points_here_is_not_served(host: str, status: int, tmp_path: Path) -> None:
    """Rebinding needs a name of the attacker's; through `ssh -L` a browser says localhost."""

    async def body() -> None:
        async with shown(tmp_path, names=("status.example.com",)) as (_, where):
            assert (await ask(where, "/healthz", host=host)).status == status

    run_virtual(body())


@virtual
async def test_a_form_of_ours_acts_once_and_leaves_word(tmp_path: Path) -> None:
    """The next screen says what happened; the one after that does not."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, "/exceptions/1")
        form = {"seal": page.seal, "reason": "mapped elsewhere"}
        answer = await ask(where, "/exceptions/1/dismiss", page.cookie, form=form)
        assert (answer.status, answer.headers["location"]) == (303, "/exceptions/1")
        assert await state(daemon) == "dismissed"
        assert "Case 1 is dismissed" in (await ask(where, "/exceptions/1", page.cookie)).body
        assert "Case 1 is dismissed" not in (await ask(where, "/exceptions/1", page.cookie)).body
        again = await ask(where, "/exceptions/1/dismiss", page.cookie, form=form)
        assert again.status == 303
        assert "is dismissed already" in (await ask(where, "/exceptions/1", page.cookie)).body


@virtual
async def test_what_one_browser_was_told_no_other_is(tmp_path: Path) -> None:
    """Word is left for the one that acted."""
    async with shown(tmp_path) as (_, where):
        page = await ask(where, "/exceptions/1")
        await ask(
            where, "/exceptions/1/dismiss", page.cookie, form={"seal": page.seal, "reason": "secret reason"}
        )
        assert "is dismissed." not in (await ask(where, "/")).body


@virtual
async def test_a_form_that_is_not_ours_changes_nothing(tmp_path: Path) -> None:
    """Without a seal, with another browser's, from another site by its own word or by its origin."""
    async with shown(tmp_path) as (daemon, where):
        page, other = await ask(where, "/exceptions/1"), await ask(where, "/exceptions/1")
        ours, reason = {"seal": page.seal}, {"reason": "x"}
        tries: list[tuple[dict[str, str], tuple[str, ...]]] = [
            (reason, (page.cookie,)),
            (ours | reason, ()),
            ({"seal": other.seal} | reason, (page.cookie,)),
            ({"seal": "é" * 64} | reason, (page.cookie,)),
            (ours | reason, (page.cookie, "Sec-Fetch-Site: cross-site")),
            (ours | reason, (page.cookie, "Sec-Fetch-Site: same-site", "Origin: http://localhost")),
            (ours | reason, (page.cookie, "Origin: http://localhost:8080")),
            (ours | reason, (page.cookie, "Origin: https://evil.example")),
        ]
        for form, headers in tries:
            assert (await ask(where, "/exceptions/1/dismiss", *headers, form=form)).status == 403, (
                form,
                headers,
            )
        assert await state(daemon) == "open"
        for good in ("Sec-Fetch-Site: same-origin", "Origin: http://localhost"):
            assert (await ask(where, "/exceptions/1/retry", page.cookie, good, form=ours)).status == 303


@virtual
async def test_a_seal_ends_with_the_process(tmp_path: Path) -> None:
    """Whatever a browser kept from before a restart changes nothing, and the screen says what to do."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    async with shown(before) as (_, where):
        page = await ask(where, "/exceptions/1")
    async with shown(after) as (daemon, where):
        form = {"seal": page.seal, "reason": "x"}
        answer = await ask(where, "/exceptions/1/dismiss", page.cookie, form=form)
        assert (answer.status, await state(daemon)) == (403, "open")
        assert "load the page again" in answer.body


@virtual
async def test_where_nobody_may_act_the_page_says_how_it_is_done(tmp_path: Path) -> None:
    """By default the readers of the socket only read; the command stands where the button would."""
    async with shown(tmp_path, actions=False) as (daemon, where):
        page = await ask(where, "/exceptions/1")
        assert "<form method" not in page.body
        assert "status.actions" in page.body
        assert "archsyncctl exceptions dismiss 1" in page.body
        guard_free = {"seal": "0" * 64, "reason": "x"}
        assert (await ask(where, "/exceptions/1/dismiss", page.cookie, form=guard_free)).status == 403
        assert await state(daemon) == "open"


@virtual
async def test_even_a_form_of_ours_does_not_act_once_that_is_switched_off(tmp_path: Path) -> None:
    """A reload takes the right away from screens that are open."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, "/exceptions/1")
        daemon.settings = replace(daemon.settings, status=replace(daemon.settings.status, actions=False))
        form = {"seal": page.seal, "reason": "x"}
        assert (await ask(where, "/exceptions/1/dismiss", page.cookie, form=form)).status == 403
        assert await state(daemon) == "open"


@virtual
async def test_over_tcp_a_browser_signs_in_and_its_session_ends(tmp_path: Path) -> None:
    """The cookie is not the token, scripts do not see it, other sites do not send it; after eight hours it is worth nothing."""
    async with shown(tmp_path, tcp=True) as (daemon, where):
        sent = await ask(where, "/exceptions/1")
        assert (sent.status, sent.headers["location"]) == (303, "/login")
        answer = await ask(where, "/login", form={"token": TOKEN})
        flags = answer.headers["set-cookie"]
        assert TOKEN not in flags
        assert "HttpOnly" in flags
        assert "SameSite=Strict" in flags
        assert (await ask(where, "/exceptions/1", answer.cookie)).status == 200
        await daemon.clock.sleep(SESSION_SECONDS + 1)
        assert (await ask(where, "/exceptions/1", answer.cookie)).status == 303


@virtual
async def test_who_signs_out_is_out(tmp_path: Path) -> None:
    """The same cookie lets nobody in any more; a foreign page cannot sign one out."""
    async with shown(tmp_path, tcp=True) as (_, where):
        cookie = await signed_in(where)
        page = await ask(where, "/exceptions/1", cookie)
        await ask(where, "/logout", cookie, form={"seal": "0"})
        assert (await ask(where, "/", cookie)).status == 200
        await ask(where, "/logout", cookie, form={"seal": page.seal})
        assert (await ask(where, "/", cookie)).status == 303


@virtual
async def test_over_tcp_only_a_session_acts(tmp_path: Path) -> None:
    """Neither a stranger, nor a program with the token and a made-up seat."""
    async with shown(tmp_path, tcp=True) as (daemon, where):
        form = {"seal": "0" * 64, "reason": "x"}
        assert (await ask(where, "/exceptions/1/dismiss", form=form)).status == 303
        reading = await ask(where, "/exceptions/1", BEARER)
        assert "Sign in to act here" in reading.body
        assert (await ask(where, "/exceptions/1/dismiss", BEARER, reading.cookie, form=form)).status == 403
        assert await state(daemon) == "open"
        cookie = await signed_in(where)
        page = await ask(where, "/exceptions/1", cookie)
        done = await ask(where, "/exceptions/1/dismiss", cookie, form={"seal": page.seal, "reason": "x"})
        assert (done.status, await state(daemon)) == (303, "dismissed")


@virtual
async def test_wrong_tokens_are_tried_one_after_another_and_slowly(tmp_path: Path) -> None:
    """By form and by header alike; who comes while many wait is sent away, and the right token works again after that."""
    async with shown(tmp_path, tcp=True) as (daemon, where):
        began = daemon.clock.monotonic()
        tries = [ask(where, "/login", form={"token": f"guess-{number}"}) for number in range(4)]
        tries += [ask(where, "/status.json", f"Authorization: Bearer guess-{number}") for number in range(4)]
        answers = await asyncio.gather(*tries)
        assert {answer.status for answer in answers} == {403, 401}
        assert daemon.clock.monotonic() - began >= 8 * FAILED_SECONDS
        crowd = await asyncio.gather(*(ask(where, "/login", form={"token": "x"}) for _ in range(WAITING + 6)))
        assert sorted(answer.status for answer in crowd)[-6:] == [429] * 6
        assert (await ask(where, "/status.json", BEARER)).status == 200


@virtual
async def test_who_knows_the_token_is_let_in_at_once_while_others_guess(tmp_path: Path) -> None:
    """Wrong tokens wait for one another and are turned away in a crowd; the right one waits for nobody."""
    async with shown(tmp_path, tcp=True) as (daemon, where):
        crowd = [asyncio.ensure_future(ask(where, "/login", form={"token": "x"})) for _ in range(2 * WAITING)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        began = daemon.clock.monotonic()
        assert (await ask(where, "/status.json", BEARER)).status == 200
        assert daemon.clock.monotonic() - began < FAILED_SECONDS
        assert {answer.status for answer in await asyncio.gather(*crowd)} == {403, 429}


@pytest.mark.parametrize("target", ["//evil.example/x", "///evil.example/x?a=//b", "/\\\\evil.example/x"])
@virtual
async def test_no_address_leads_from_a_screen_to_another_host(tmp_path: Path, target: str) -> None:
    """A screen that is asked for with more slashes than one links to itself with one."""
    async with shown(tmp_path) as (_, where):
        body = (await ask(where, target, BROWSER)).body
    (link,) = re.findall(r'<a href="([^"]*)">Refresh', body)
    assert re.match(r"/[^/\\]", link)


@virtual
async def test_without_a_token_only_the_form_and_its_looks_are_shown(tmp_path: Path) -> None:
    """Nothing of the daemon's state, not even the project's name."""
    async with shown(tmp_path, tcp=True) as (daemon, where):
        for target in ("/login", "/style.css", "/live.js"):
            answer = await ask(where, target)
            assert answer.status == 200
            assert daemon.settings.commercetools.project_key not in answer.body
        for target in (
            "/",
            "/status.json",
            "/live?of=head",
            "/snapshots/x",
            "/find?q=a",
            "/nothing",
            "//login",
        ):
            answer = await ask(where, target)
            assert answer.status in {303, 401}
            assert "WH9" not in answer.body


@virtual
async def test_after_an_act_a_browser_is_sent_to_a_screen_of_ours(tmp_path: Path) -> None:
    """Whatever the address or the form says."""
    async with shown(tmp_path) as (_, where):
        page = await ask(where, "/exceptions/1")
        form = {"seal": page.seal, "next": "https://evil.example", "digest": "x", "reason": "x"}
        for target in ("/snapshots/%2F%2Fevil.example/approve", "/snapshots/%0d%0aSet-Cookie:a/reject"):
            answer = await ask(where, target, page.cookie, form=form)
            assert answer.status == 303
            assert answer.headers["location"].startswith("/snapshots/%")
            assert answer.headers["set-cookie"].startswith(COOKIE)
        for target in ("/exceptions/x/retry", "/exceptions/1e3/retry", f"/exceptions/{'9' * 30}/retry"):
            assert (await ask(where, target, page.cookie, form=form)).status == 400


@virtual
async def test_a_snapshot_is_approved_by_the_digest_that_was_shown(tmp_path: Path) -> None:
    """Another digest approves nothing, and the screen says so."""
    async with shown(tmp_path) as (daemon, where):
        name = await held_snapshot(daemon)
        page = await ask(where, f"/snapshots/{name}")
        (digest,) = [each.digest for each in await daemon.store.snapshots.listed()]
        assert f'name="digest" value="{digest}"' in page.body
        await ask(
            where, f"/snapshots/{name}/approve", page.cookie, form={"seal": page.seal, "digest": "0" * 16}
        )
        assert (
            "The digest is not that of snapshot" in (await ask(where, f"/snapshots/{name}", page.cookie)).body
        )
        await ask(
            where, f"/snapshots/{name}/approve", page.cookie, form={"seal": page.seal, "digest": digest}
        )
        assert (
            "is approved and is being applied" in (await ask(where, f"/snapshots/{name}", page.cookie)).body
        )


@virtual
async def test_forms_are_bounded_and_of_one_kind(tmp_path: Path) -> None:
    """A long one, one of another type, one with too many fields."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, "/exceptions/1")
        long = {"seal": page.seal, "reason": "x" * 9_000}
        assert (await ask(where, "/exceptions/1/dismiss", page.cookie, form=long)).status == 413
        many = {"seal": page.seal, "reason": "x"} | {f"n{number}": "" for number in range(9)}
        assert (await ask(where, "/exceptions/1/dismiss", page.cookie, form=many)).status == 400
        head = f"POST /exceptions/1/dismiss HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{page.cookie}\r\n"
        sent = f"{head}Content-Type: text/plain\r\nContent-Length: 3\r\n\r\na=b"
        assert (await told(where, sent)).status == 415
        assert await state(daemon) == "open"


@virtual
async def test_a_reason_of_five_hundred_wide_characters_fits(tmp_path: Path) -> None:
    """And an empty or unprintable one is refused with a sentence."""
    async with shown(tmp_path) as (daemon, where):
        page = await ask(where, "/exceptions/1")
        for reason, says in (("", "a reason is needed"), ("a\x1bb", "printable")):
            await ask(where, "/exceptions/1/dismiss", page.cookie, form={"seal": page.seal, "reason": reason})
            assert says in (await ask(where, "/exceptions/1", page.cookie)).body
        form = {"seal": page.seal, "reason": "\U0001f4e6" * 500}
        assert (await ask(where, "/exceptions/1/dismiss", page.cookie, form=form)).status == 303
        assert await state(daemon) == "dismissed"


@virtual
async def test_what_came_from_outside_is_shown_and_does_nothing(tmp_path: Path) -> None:
    """Markup, marks that turn the direction, escape sequences, four kilobytes of them."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level(HOSTILE, 4)
        case = NewCase(CaseKind.INVALID_RECORD, "main", HOSTILE, f"about {HOSTILE}", PAYLOAD)
        await daemon.store.cases.open(case)
        for target in ("/", "/exceptions", "/exceptions/2", "/find?q=%3Cscript%3E%E2%80%AE"):
            body = (await ask(where, target)).body
            assert "<script>document" not in body
            assert "<img" not in body
            assert all(each.isprintable() or each == "\n" for each in body), target
        assert "&lt;img src=x" in (await ask(where, "/exceptions/2")).body


@given(asked=st.text(max_size=60))
@settings(
    max_examples=examples(15),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_looked_for_is_answered_with_printable_escaped_text(asked: str, tmp_path: Path) -> None:
    """Of a SKU, an order, an exception, a snapshot and a state: never a fault, and nothing is taken as markup."""
    word = quote(asked, safe="", errors="surrogatepass")

    async def body(directory: Path) -> list[Answer]:
        async with shown(directory) as (_, where):
            targets = (
                "/find?q=",
                "/sku?of=",
                "/order?of=",
                "/exceptions?owner=",
                "/orders?state=",
                "/snapshots/z",
            )
            return [await ask(where, target + word) for target in targets]

    directory = tmp_path / str(len(list(tmp_path.iterdir())))
    directory.mkdir()
    for answer in run_virtual(body(directory)):
        assert answer.status in {200, 303, 400, 404}
        assert all(each.isprintable() or each == "\n" for each in answer.body)
        assert "<" not in asked or f"{asked}</bdi>" not in answer.body


def guarded(clock: VirtualClock) -> tuple[Guard, list[int]]:
    count = [0]

    def seat() -> str:
        count[0] += 1
        return f"{count[0]:048x}"

    return Guard(TOKEN, b"secret", seat, clock, ()), count


@virtual
async def test_a_session_outlives_a_restart_and_no_change_of_its_word() -> None:
    """Another process with the same token knows it; with another token, or a letter changed anywhere, nobody does."""
    clock = VirtualClock()
    seat = guarded(clock)[0].begin_session()
    restarted = guarded(clock)[0]
    assert restarted.in_session(seat)
    assert not Guard("another", b"secret", str, clock, ()).in_session(seat)
    for at in range(len(seat)):
        changed = f"{seat[:at]}{'1' if seat[at] == '0' else '0'}{seat[at + 1 :]}"
        assert not restarted.in_session(changed)


@virtual
async def test_sessions_and_words_are_bounded() -> None:
    """The oldest goes; of sessions only those that were ended by hand are kept."""
    guard, _ = guarded(VirtualClock())
    seats = [guard.begin_session() for _ in range(ENDED + 1)]
    for seat in seats[:-1]:
        guard.end_session(seat)
    assert [guard.in_session(seat) for seat in (seats[0], seats[1], seats[-1])] == [False, False, True]
    guard.end_session(seats[-1])
    assert guard.in_session(seats[0])
    for number in range(FLASHES + 1):
        guard.leave_word(str(number), "done", "said")
    assert [guard.take_word(str(number)) for number in (0, 1, 1)] == [None, ("done", "said"), None]


@virtual
async def test_streams_are_bounded_and_end_before_the_door_cuts_them(tmp_path: Path) -> None:
    """A screen too many is told to come again; after a while there is room without anybody's doing."""
    assert STREAM_SECONDS < CONNECTION_SECONDS
    async with shown(tmp_path) as (daemon, where):
        streams = [asyncio.create_task(ask(where, "/live?of=head")) for _ in range(STREAMS)]
        await daemon.clock.sleep(2)
        refused = await ask(where, "/live?of=head")
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        assert (await ask(where, "/")).status == 200
        ended = await asyncio.gather(*streams)
        assert all("event: look" in answer.body for answer in ended)
        assert ended[0].headers["content-type"].startswith("text/event-stream")


@virtual
async def test_what_a_browser_is_sent_ends_its_connection(tmp_path: Path) -> None:
    """A connection has 30 seconds from its begin: one that was used before would be cut in the middle of the next answer."""
    async with shown(tmp_path) as (_, where):
        assert isinstance(where, Path)
        for target in ("/", "/style.css", "/live.js", "/live?of=head"):
            reader, writer = await asyncio.open_unix_connection(str(where))
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{BROWSER}\r\n\r\n".encode())
            answer = (await reader.read()).decode().lower()
            assert "connection: close" in answer.partition("\r\n\r\n")[0], target
            writer.close()


@virtual
async def test_a_stream_tells_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    """First all pieces, then those that differ."""
    async with shown(tmp_path) as (daemon, where):
        stream = asyncio.create_task(ask(where, "/live?of=head"))
        await daemon.clock.sleep(3.5)
        await daemon.store.cases.open(NewCase(CaseKind.LOCATION_UNMAPPED, "main", "WH8", "WH8 is not mapped"))
        told_events = [line for line in (await stream).body.splitlines() if line.startswith("data: {")]
        assert "badge" in told_events[0]
        assert "tally" in told_events[0]
        assert [event for event in told_events[1:] if "tally" in event]
        assert told_events.count("data: {}") > 15


@virtual
async def test_nobody_waits_for_streams_when_the_daemon_stops(tmp_path: Path) -> None:
    """They end within their second."""
    async with shown(tmp_path) as (daemon, where):
        stream = asyncio.create_task(ask(where, "/live?of=head"))
        await daemon.clock.sleep(1.5)
        began = daemon.clock.monotonic()
    assert (await stream).status == 200
    assert daemon.clock.monotonic() - began < 3


@virtual
async def test_a_broken_store_is_shown_and_not_hidden_behind_a_fault(tmp_path: Path) -> None:
    """The overview has its verdict; a screen that needs the store answers 503 with what to do."""
    async with shown(tmp_path) as (daemon, where):
        await break_store(daemon)
        await daemon.clock.sleep(2)
        front = await ask(where, "/")
        assert front.status == 200
        assert "Restart archsyncd" in front.body
        for target in ("/exceptions", "/backlog", "/sku?of=A"):
            answer = await ask(where, target)
            assert (answer.status, "restart archsyncd" in answer.body) == (503, True), target


@virtual
async def test_a_stream_of_what_cannot_be_shown_any_more_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a fault in the journal; a new one is answered with 503, and the browser tries again."""
    async with shown(tmp_path) as (daemon, where):
        stream = asyncio.create_task(ask(where, "/live?of=backlog"))
        await daemon.clock.sleep(2.5)
        began = daemon.clock.monotonic()
        await break_store(daemon)
        assert (await stream).status == 200
        assert daemon.clock.monotonic() - began < STREAM_SECONDS / 2
        assert (await ask(where, "/live?of=backlog", "Accept: text/event-stream")).status == 503
    assert "failed" not in caplog.text


@virtual
async def test_whoever_closes_an_open_screen_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Everybody does, sooner or later: the journal says nothing, and the place is free."""
    async with shown(tmp_path) as (daemon, where):
        assert isinstance(where, Path)
        for _ in range(STREAMS + 1):
            _, writer = await asyncio.open_unix_connection(str(where))
            writer.write(b"GET /live?of=head HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await daemon.clock.sleep(1.5)
            writer.transport.abort()
            await daemon.clock.sleep(2.5)
        assert (await ask(where, "/live?of=head")).status == 200
    assert caplog.text == ""


@virtual
async def test_the_overview_tells_each_location_and_how_fresh_it_is(tmp_path: Path) -> None:
    """With its age as people read it; a live screen is sent the same."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("ABC-1", 5)
        await daemon.clock.sleep(40)
        body = (await ask(where, "/")).body
        row = body[body.index("<h2>Locations</h2>") :].partition("</tbody>")[0]
        assert "<bdi>WH1</bdi>" in row
        assert "40 s ago" in row
        assert "locations" in (await ask(where, "/live?of=overview-6")).body


@virtual
async def test_programs_get_text_and_browsers_get_screens(tmp_path: Path) -> None:
    """By what they say they take; /status.txt is text for both."""
    async with shown(tmp_path) as (_, where):
        for target, accept, kind in (
            ("/", "*/*", "text/plain"),
            ("/", "text/plain", "text/plain"),
            ("/", "text/html", "text/html"),
            ("/status.txt", "text/html", "text/plain"),
        ):
            answer = await ask(where, target, f"Accept: {accept}")
            assert answer.headers["content-type"].startswith(kind), (target, accept)
        missing = await ask(where, "/sku?of=nothing", "Accept: */*")
        assert (missing.status, missing.body[:18]) == (404, "Nothing is known o")


@virtual
async def test_a_name_that_was_probably_meant_is_a_link(tmp_path: Path) -> None:
    """404 with the near match, from the search and from the address."""
    async with shown(tmp_path) as (daemon, where):
        await daemon.level("ABC-1", 5)
        for target in ("/find?q=abc-1", "/sku?of=abc-1"):
            answer = await ask(where, target)
            assert answer.status == 404
            assert 'href="/sku?of=ABC-1"' in answer.body
        found = await ask(where, "/find?q=ABC-1")
        assert (found.status, found.headers["location"]) == (303, "/sku?of=ABC-1")
        assert CHANNEL in (await ask(where, "/sku?of=ABC-1")).body
