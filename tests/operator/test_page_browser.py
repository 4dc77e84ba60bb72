"""The page in a real browser: every screen and act, with scripts and without, in light and dark, by keyboard alone, live."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from archsyncd.domain.cases import CaseKind, NewCase
from tests.operator.staged import HOSTILE, LONG, TOKEN, Staged, held_snapshot, staged
from tests.operator.tabs import ARGUMENTS, CHROMIUM, LIGHT, NARROW, Tabs, Visit, faults_of, visited

SCREENS = (
    "/",
    "/?hours=24",
    "/?ack=sku_not_found",
    "/?unmute=short_pick",
    "/exceptions",
    "/exceptions/1",
    "/exceptions/7",
    "/sku?of=ABC-1",
    f"/sku?of={LONG}",
    "/orders",
    "/orders?state=accepted",
    "/order?of=CT-1001",
    "/snapshots",
    "/snapshots/{held}",
    "/backlog",
)
PAGE_LIMIT_BYTES = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """Behind a forwarded Unix socket, where people may act."""
    with staged(tmp_path_factory.mktemp("site"), actions=True) as found:
        yield found


@pytest.fixture(scope="module")
def tabs(browser: Browser, site: Staged) -> Iterator[Tabs]:
    with Tabs(browser, site) as found:
        yield found


@pytest.fixture(scope="module")
def visits(tabs: Tabs, screens: tuple[str, ...]) -> dict[str, Visit]:
    """Each screen looked at once, with every part of it open."""
    with tabs.opened() as page:
        return {screen: visited(page, screen) for screen in screens}


@pytest.fixture(scope="module")
def plain(tabs: Tabs, screens: tuple[str, ...]) -> dict[str, tuple[str, int, bool]]:
    """Each screen without scripts: its title, how many headings it has, and whether it loads itself again."""
    found = {}
    with tabs.opened(scripts=False) as page:
        for screen in screens:
            page.goto(screen, wait_until="domcontentloaded")
            refreshes = page.locator('meta[http-equiv="refresh"]').count() == 1
            found[screen] = (page.title(), page.locator("h1").count(), refreshes)
    return found


@pytest.fixture(scope="module")
def screens(site: Staged) -> tuple[str, ...]:
    held = site.do(site.daemon.store.snapshots.listed())[0].id
    return tuple(each.format(held=held) for each in SCREENS)


def case(site: Staged, subject: str, kind: CaseKind = CaseKind.LOCATION_UNMAPPED) -> int:
    """A fresh exception; its number."""
    site.do(site.daemon.store.cases.open(NewCase(kind, "main", subject, f"{subject} is not mapped")))
    return site.do(site.daemon.store.cases.listed(subject=subject))[0].id


def state(site: Staged, number: int) -> str:
    found = site.do(site.daemon.store.cases.find(number))
    assert found is not None
    return found.state


def test_nobody_is_kept_out_of_any_screen(visits: dict[str, Visit]) -> None:
    """By axe: nothing against WCAG 2.2 AA with every part of a screen open; the dark scheme differs in its colours alone."""
    for screen, visit in visits.items():
        assert visit.faults == (), screen
        assert visit.dark == (), screen


def test_every_screen_is_whole(visits: dict[str, Visit]) -> None:
    """One heading, a title of its own; the tab that they were seen in saw no fault in the console, and asked nobody else."""
    for screen, visit in visits.items():
        assert (visit.status, visit.headings, visit.mains) == (200, 1, 1), screen
    assert len({visit.title for visit in visits.values()}) >= 9


def test_no_screen_is_wider_than_a_narrow_window(visits: dict[str, Visit]) -> None:
    """Wide tables scroll by themselves."""
    assert {screen: visit.narrow for screen, visit in visits.items() if visit.narrow > NARROW} == {}


def test_every_screen_is_whole_without_scripts(
    visits: dict[str, Visit], plain: dict[str, tuple[str, int, bool]]
) -> None:
    """The same heading and title."""
    told = {screen: (title, headings) for screen, (title, headings, _) in plain.items()}
    assert told == {screen: (visit.title, 1) for screen, visit in visits.items()}


def test_the_overview_is_light(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three requests and 30 kB at most, unpacked, with seven kinds of exceptions open; the stream of changes comes after that."""
    with (
        staged(tmp_path_factory.mktemp("light"), actions=True) as site,
        Tabs(browser, site) as tabs,
        tabs.opened() as page,
    ):
        answers: list[Response] = []

        def note(answer: Response) -> None:
            answers.append(answer)

        page.on("response", note)
        page.goto("/", wait_until="load")
        expect(page.locator("#live")).to_have_text("Live")
        assert page.locator("#cases tbody tr").count() >= 7
        loaded = {each.url: each for each in answers if "/live?" not in each.url and "data:" not in each.url}
        # As it goes over the wire: style and script are packed.
        sizes = {url: each.request.sizes()["responseBodySize"] for url, each in loaded.items()}
        assert len(sizes) == 3, sizes
        assert sum(sizes.values()) <= PAGE_LIMIT_BYTES, sizes


@pytest.mark.parametrize("scripts", [True, False])
def test_a_cause_is_acknowledged_for_a_while_and_counts_again(
    tabs: Tabs, site: Staged, *, scripts: bool
) -> None:
    """Each cause has its form; who muted it and why stands there until somebody takes it back."""
    case(site, f"ACK-{scripts}", CaseKind.CHANNEL_MISSING)
    with tabs.opened(scripts=scripts) as page:
        page.goto("/")
        page.locator("#cases tr").filter(has_text="channel missing").get_by_role(
            "link", name="Acknowledge"
        ).click()
        page.get_by_label("Because").fill("the channel is made <b>tonight</b>")
        page.get_by_role("button", name="For 8 h").click()
        expect(page.get_by_role("status")).to_contain_text("channel_missing is muted until")
        told = page.locator("#verdict li").filter(has_text="open channel missing")
        expect(told).to_contain_text(
            "or until it is gone, by the page, by its Unix socket: the channel is made <b>tonight</b>"
        )
        told.get_by_role("link", name="Unmute").click()
        page.get_by_role("button", name="Unmute").click()
        expect(page.get_by_role("status")).to_contain_text("channel_missing counts and is told again")
        expect(told).to_have_count(0)


def test_what_is_being_typed_stays_while_the_screen_around_it_changes(tabs: Tabs, site: Staged) -> None:
    """The form stands beside what is live; one comes to it without a pointer."""
    with tabs.opened() as page:
        page.goto("/?ack=sku_not_found")
        expect(page.locator("#reason")).to_be_focused()
        expect(page.locator("#live")).to_have_text("Live")
        page.keyboard.type("the range is ")
        case(site, "TYPED", CaseKind.NEEDS_RESYNC)
        expect(page.locator("#cases")).to_contain_text("needs resync")
        page.keyboard.type("published tonight")
        expect(page.locator("#reason")).to_have_value("the range is published tonight")
        assert page.locator('meta[http-equiv="refresh"]').count() == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_an_exception_is_dismissed_with_a_reason(tabs: Tabs, site: Staged, *, scripts: bool) -> None:
    """The next screen says so, and a reload of it repeats nothing."""
    number = case(site, f"WH-{scripts}")
    with tabs.opened(scripts=scripts) as page:
        page.goto("/exceptions")
        page.get_by_role("link", name=str(number), exact=True).click()
        page.get_by_label("Dismiss because").fill("mapped elsewhere")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("status")).to_contain_text(f"Case {number} is dismissed")
        assert state(site, number) == "dismissed"
        page.reload()
        expect(page.get_by_role("status")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("mapped elsewhere")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_write_that_was_refused_is_tried_again(tabs: Tabs, site: Staged, *, scripts: bool) -> None:
    """One press, one sentence of what happened."""
    number = case(site, f"R-{scripts}", CaseKind.SKU_NOT_FOUND)
    with tabs.opened(scripts=scripts) as page:
        page.goto(f"/exceptions/{number}")
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("status")).to_contain_text("looked up again now")
        assert state(site, number) == "resolved"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_held_snapshot_is_looked_at_and_approved(tabs: Tabs, site: Staged, *, scripts: bool) -> None:
    """From its exception to its figures to the decision."""
    name = site.do(held_snapshot(site.daemon, f"approve-{scripts}"))
    with tabs.opened(scripts=scripts) as page:
        page.goto("/exceptions?kind=held_snapshot")
        page.get_by_role("row").filter(has_text=name).get_by_role("link").click()
        page.get_by_role("link", name="Look at the snapshot").click()
        expect(page.locator("main")).to_contain_text("Set to zero")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("status")).to_contain_text("is approved")
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    found = [each.state for each in site.do(site.daemon.store.snapshots.listed()) if each.id == name]
    assert found == ["applying"]


def test_a_held_snapshot_is_rejected_for_a_reason(tabs: Tabs, site: Staged) -> None:
    """Nothing of it is published."""
    name = site.do(held_snapshot(site.daemon, "reject"))
    with tabs.opened() as page:
        page.goto(f"/snapshots/{name}")
        page.get_by_label("Reject because").fill("half of the warehouse is missing")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("status")).to_contain_text("nothing of it was published")


def test_everything_can_be_done_by_keyboard(tabs: Tabs, site: Staged) -> None:
    """Skip the head, find a SKU, come to its exception, dismiss it: with Tab, Enter and words, and always seeing where one is."""
    number = case(site, "ABC-1")
    with tabs.opened() as page:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        assert page.locator(":focus").bounding_box()["y"] >= 0  # type: ignore[index] # it is there
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.reload()
        tab_to(page, "#q")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.type("ABC-1")
        page.keyboard.press("Enter")
        page.wait_for_url("**/sku?of=ABC-1")
        tab_to(page, f'a[href="/exceptions/{number}"]')
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/exceptions/{number}")
        tab_to(page, "#reason")
        page.keyboard.type("settled")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("is dismissed")
        assert state(site, number) == "dismissed"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it is there."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"Tab does not come to {selector}")


def test_an_open_screen_follows_what_happens(tabs: Tabs, site: Staged) -> None:
    """Without a reload; what has the focus and what is unfolded stays so."""
    with tabs.opened() as page:
        page.goto("/")
        expect(page.locator("#live")).to_have_text("Live")
        page.locator("#charts-s").click()
        page.locator("#cases a").first.focus()
        chosen = page.evaluate("document.activeElement.getAttribute('href')")
        before = page.locator("#cases").inner_text()
        case(site, "STALE", CaseKind.STALE_FEED)
        expect(page.locator("#cases")).to_contain_text("stale feed")
        assert page.locator("#cases").inner_text() != before
        assert page.evaluate("document.activeElement.getAttribute('href')") == chosen
        expect(page.locator("#charts details")).to_have_attribute("open", "")


def test_a_screen_that_is_cut_off_says_since_when(browser: Browser, site: Staged) -> None:
    """Old figures must not look like new ones."""
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    page.clock.install()
    page.route("**/live?*", lambda route: route.abort())
    page.goto("/")
    page.clock.run_for(7_000)
    expect(page.locator("#live")).to_have_text(re.compile(r"Not live since \d\d:\d\d:\d\d UTC"))
    warning = page.get_by_role("alert")
    expect(warning).to_have_text(re.compile(r"Unknown: no word from archsyncd since \d\d:\d\d:\d\d UTC"))
    colours = "[getComputedStyle(document.querySelector('.verdict h1')).color, getComputedStyle(document.body).color]"
    assert len(set(page.evaluate(colours))) == 1, "the verdict has its colour still"
    page.unroute("**/live?*")
    page.clock.resume()
    expect(page.locator("#live")).to_have_text("Live")
    expect(warning).to_be_hidden()
    context.close()


def test_a_screen_whose_session_has_ended_asks_to_sign_in(browser: Browser, site: Staged) -> None:
    """By itself: somebody who only looks at it must not take it for a screen that lives."""
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    page.clock.install()
    for path in ("**/live?*", "**/status.json"):
        page.route(path, lambda route: route.fulfill(status=401))
    page.goto("/")
    with page.expect_navigation():
        page.clock.run_for(7_000)
    context.close()


def test_without_scripts_an_open_screen_loads_itself_again_and_a_form_does_not(
    tabs: Tabs, plain: dict[str, tuple[str, int, bool]]
) -> None:
    """What somebody types is not taken from them; a link loads any screen again."""
    assert {screen for screen, (_, _, refreshes) in plain.items() if refreshes} == {
        "/",
        "/?hours=24",
        "/snapshots",
        "/backlog",
    }
    with tabs.opened(scripts=False) as page:
        page.goto("/")
        page.get_by_role("link", name="Refresh").click()
        expect(page.locator("h1")).to_be_visible()


def test_filters_narrow_the_list_and_stay_in_its_address(tabs: Tabs) -> None:
    """So that it can be kept and sent to somebody."""
    with tabs.opened() as page:
        page.goto("/exceptions")
        page.get_by_label("Owner").fill("data")
        page.get_by_role("button", name="Show").click()
        assert "owner=data" in page.url
        expect(page.get_by_label("Owner")).to_have_value("data")
        assert set(page.locator("tbody tr td:nth-child(5)").all_inner_texts()) == {"data"}


def test_a_hostile_name_is_text_wherever_it_stands(tabs: Tabs) -> None:
    """In lists, in a story, in what is looked for: no script runs, nothing is hidden."""
    with tabs.opened() as page:
        page.goto("/exceptions?kind=invalid_record")
        expect(page.locator("tbody")).to_contain_text(
            '<script>document.title="taken"</script>\\u202e\\x1b[31m'
        )
        page.goto("/")
        page.get_by_label("SKU or order number").fill(HOSTILE.replace("\x1b", ""))
        page.goto("/exceptions/7")
        page.get_by_role("link", name="<script>").click()
        expect(page.locator("h1")).to_contain_text("<script>")


def test_over_tcp_people_sign_in_act_and_sign_out(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A wrong token is told; the form is usable by everyone; signed out is out."""
    with staged(tmp_path_factory.mktemp("tcp"), tcp=True, actions=True) as site:
        context = browser.new_context(base_url=site.address)
        page = context.new_page()
        page.goto("/exceptions/1")
        assert page.url.endswith("/login")
        assert faults_of(page, LIGHT) == ()
        page.get_by_label("Status token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not the token")
        page.get_by_label("Status token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#live")).to_have_text("Live")
        (cookie,) = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], TOKEN in cookie["value"]) == (True, "Strict", False)
        page.goto("/exceptions/4")
        page.get_by_label("Dismiss because").fill("done")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("status")).to_contain_text("Case 4 is dismissed")
        page.get_by_role("button", name="Sign out").click()
        page.goto("/")
        assert page.url.endswith("/login")
        context.close()


def test_another_sites_page_can_neither_act_nor_frame_it(browser: Browser, site: Staged) -> None:
    """With a viewer's cookie in the browser: from another port of the same host, which SameSite alone would let through."""
    number = case(site, "WH-foreign")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.address}/exceptions/{number}")
    seal = page.locator('input[name="seal"]').first.get_attribute("value")
    page.route(
        "http://localhost:1/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<form method="post" action="{site.address}/exceptions/{number}/dismiss">'
            f'<input name="seal" value="{seal}"><input name="reason" value="x"><button>go</button></form>'
            f'<iframe src="{site.address}/"></iframe>',
        ),
    )
    page.goto("http://localhost:1/")
    assert [frame.locator("main").count() for frame in page.frames[1:]] == [0]
    page.get_by_role("button", name="go").click()
    expect(page.locator("body")).to_contain_text("another site's page")
    assert state(site, number) == "open"
    context.close()
