"""Tabs of a real browser in which nothing may go wrong unseen, and one look at a screen with all that is to be known of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.operator.staged import Staged

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
BRIEF: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
LIGHT = BRIEF | {"runOnly": {"type": "tag", "values": list(WCAG)}}
DARK = BRIEF | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true"
FAULTS = """async ([place, options]) =>
    (await axe.run(place, options)).violations.map(each => each.id + ": " + each.nodes.map(node => node.html))"""
NARROW, WIDE = 320, 1280


@dataclass(frozen=True, slots=True)
class Visit:
    """What one screen was found to be. `faults`: by axe in light, `dark`: of contrast in dark; `narrow`: its width then."""

    status: int
    title: str
    headings: int
    mains: int
    faults: tuple[str, ...]
    dark: tuple[str, ...]
    narrow: int


class Tabs:
    """Tabs of two browser profiles, one with scripts and one without, in which nothing may go wrong unseen."""

    def __init__(self, browser: Browser, site: Staged) -> None:
        self._site = site
        self._profiles = {
            scripts: browser.new_context(
                base_url=site.address,
                java_script_enabled=scripts,
                reduced_motion="reduce",
                viewport={"width": WIDE, "height": 800},
            )
            for scripts in (True, False)
        }

    @contextmanager
    def opened(self, *, scripts: bool = True) -> Iterator[Page]:
        """A fresh tab."""
        wrong: list[str] = []
        here = (self._site.address, "data:")
        page = self._profiles[scripts].new_page()
        page.set_default_timeout(8_000)
        page.on(
            "console", lambda told: wrong.append(told.text) if told.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(here) else wrong.append(asked.url))
        try:
            yield page
            assert page.title() != "taken"
            assert wrong == []
        finally:
            page.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for profile in self._profiles.values():
            profile.close()


def visited(page: Page, screen: str) -> Visit:
    """Look at a screen in light and in dark, wide and narrow."""
    answer = page.goto(screen)
    assert answer is not None
    title, headings, mains = page.title(), page.locator("h1").count(), page.locator("main").count()
    page.evaluate(OPEN_ALL)
    # The rest of the overview was looked at already.
    place = "#charts" if "hours=" in screen else "#asked" if screen.startswith("/?") else "body"
    faults = faults_of(page, LIGHT, place)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(FAULTS, [place, DARK])
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": NARROW, "height": 800})
    narrow = page.evaluate("document.scrollingElement.scrollWidth")
    page.set_viewport_size({"width": WIDE, "height": 800})
    return Visit(answer.status, title, headings, mains, faults, tuple(dark), narrow)


def faults_of(page: Page, options: dict[str, object], place: str = "body") -> tuple[str, ...]:
    """What axe finds, with the places; it stays in the page."""
    found = Axe().run(page, context=place, options=options)
    return (found.generate_report(),) if found.violations_count else ()
