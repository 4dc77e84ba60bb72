"""Hours in which no news is expected: ages stand still, nobody is woken, and in the morning it counts from the start."""

from __future__ import annotations

from datetime import UTC, datetime

from archsyncd.assembly import quiet_of
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.quiet import DAYS
from archsyncd.operator.screens import status_lines
from tests.process.site import LOCATION
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import inside


def around(now_ms: int, minutes: int) -> str:
    """Quiet hours from this minute of the week on, in UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    begins = (now.weekday() * 24 + now.hour) * 60 + now.minute
    ends = begins + minutes
    first, last = f"{begins // 60 % 24:02}:{begins % 60:02}", f"{ends // 60 % 24:02}:{ends % 60:02}"
    return f"{DAYS[begins // 1440]} {first}-{DAYS[ends // 1440 % 7]} {last}"


@virtual
async def test_a_source_that_is_silent_over_the_weekend_is_told_of_on_monday() -> None:
    """In the whole daemon: fresh and shown as quiet meanwhile, a case once its interval has passed after the hours."""
    async with inside(seed=820) as (site, house):
        site.open({"A": 10})
        now_ms = int(site.clock.now() * 1000)
        more = f'quiet = ["{around(now_ms, 10)}"]\ntimezone = "UTC"\n'
        async with house.daemon(feed_more=more) as running:
            await site.until_stock({"A": 10})
            site.house.warehouse.store_sale("A", LOCATION, 1)
            await site.until_stock({"A": 9})
            site.house.log.freeze()
            await running.app.clock.sleep(300)
            status = await ask(running, "status")
            (feed,) = status["feeds"]
            assert feed["verdict"] == "fresh"
            assert feed["age_seconds"] > 200
            assert any("quiet hours until" in line for line in status_lines(status))
            assert await running.cases(CaseKind.STALE_FEED) == []
            ends_ms = quiet_of(running.app.settings.feeds[0]).ends_ms(running.app.clock.wall_ms())
            assert ends_ms is not None
            case = await running.until_case(CaseKind.STALE_FEED, seconds=900)
            assert case is not None
            assert 70_000 <= case.first_seen_ms - ends_ms <= 90_000
            site.house.log.thaw()
            await running.until_case(CaseKind.STALE_FEED, open_=False)
