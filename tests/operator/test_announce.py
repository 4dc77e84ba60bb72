"""Which journal fields an exception has: a search by SKU finds what is about that SKU, and nothing else."""

from __future__ import annotations

import pytest

from archsyncd.announce import about, status_line
from archsyncd.domain.cases import CaseKind, CaseNews
from archsyncd.domain.health import Facts, OpenCases, judge
from archsyncd.domain.report import Backlog, KeyCounts, Room
from archsyncd.operator.looking import Look


@pytest.mark.parametrize(
    ("kind", "scope", "subject", "fields"),
    [
        (CaseKind.SKU_NOT_FOUND, "web", "A 1", {"channel": "web", "sku": "A 1"}),
        (CaseKind.LOCATION_UNMAPPED, "main", "WH9", {"feed": "main", "location": "WH9"}),
        (CaseKind.CHANNEL_MISSING, "web", "web", {"channel": "web"}),
        (CaseKind.HELD_RULES, "rules", "0a1b", {}),
        (CaseKind.HELD_SNAPSHOT, "main", "main-1", {"feed": "main"}),
        (CaseKind.ORDER_REJECTED, "orders", "CT-1", {"order": "CT-1"}),
        (CaseKind.ORDER_IN_DOUBT, "orders", "CT-1", {"order": "CT-1"}),
        (CaseKind.STALLED_ORDERS, "orders", "CT-1", {"order": "CT-1"}),
        (CaseKind.STATUS_CONFLICT, "orders", "CT-1", {"order": "CT-1"}),
        (CaseKind.INVALID_RECORD, "messages", "message m-1", {}),
        (CaseKind.NEEDS_RESYNC, "main", "A 1 at WH1", {"feed": "main", "sku": "A 1", "location": "WH1"}),
        (CaseKind.INVALID_RECORD, "main", "A at WH1 no_int", {"feed": "main", "sku": "A", "location": "WH1"}),
        (CaseKind.INVALID_RECORD, "main", "seq 17 not_json", {"feed": "main", "sku": None, "location": None}),
    ],
)
def test_each_thing_stands_under_its_own_name(
    kind: CaseKind, scope: str, subject: str, fields: dict[str, object]
) -> None:
    """A location, a channel or a digest is no SKU."""
    assert about(CaseNews(1, kind, scope, subject, "why")) == fields


NOW_MS = 1_800_000_000_000
EARLIER_MS = NOW_MS - 90_000


def looked(backlog: Backlog, facts: Facts | None = None, keys: int = 41_250) -> Look:
    """A look that found so much waiting, and these facts."""
    facts = facts or Facts()
    room = Room(1, 1, 1 << 40, 1)
    return Look(judge(facts), facts, backlog, KeyCounts(keys), {}, {}, (0, 0), room)


def line(look: Look, notes: dict[str, str] | None = None, *, throttled: bool = False) -> str:
    return status_line(look, notes or {}, NOW_MS, throttled=throttled)


def test_a_healthy_line_tells_how_much_there_is_and_what_waits() -> None:
    """Somebody who reads `systemctl status` sees figures, and not only that nothing is wrong."""
    cases = (OpenCases("sku_not_found", "warning", "data", 3, 3, 1.0, 9.0, "create it"),)
    assert line(looked(Backlog({}))) == "in step: 41,250 keys; 0 exceptions"
    busy = looked(Backlog({1: (5, EARLIER_MS), 4: (307, NOW_MS)}))
    assert line(busy) == "312 changes wait (5 decreases, which go first), the oldest for 90.0 s; 0 exceptions"
    assert line(looked(Backlog({}), Facts(cases=cases))).endswith("3 exceptions")


def test_a_line_of_bad_news_begins_with_the_verdict_and_its_root_cause() -> None:
    """The same sentence as `archsyncctl status` begins with, and then what waits meanwhile."""
    facts = Facts(blocked="commercetools does not answer", oldest_decrease_seconds=90.0)
    told = line(looked(Backlog({1: (2, EARLIER_MS)}), facts), {"orders": "no answer"})
    assert told.startswith(judge(facts).sentence + "; orders: no answer; 2 changes wait (2 decreases")
    assert told.startswith("critical: commercetools does not answer")


def test_a_note_is_told_once() -> None:
    """What the root cause says already is not said again."""
    facts = Facts(doubt="the log has grown")
    assert line(looked(Backlog({}), facts), {"store": "the log has grown"}).count("the log has grown") == 1


def test_requests_that_are_turned_away_are_told_though_nothing_is_wrong_yet() -> None:
    """It explains why something waits."""
    assert line(looked(Backlog({})), throttled=True).startswith("commercetools turns requests away")


def test_a_write_in_doubt_is_in_the_status_line_whatever_else_is() -> None:
    """It waits in no class: while reads of entries are refused the line would name only what waits besides."""
    doubt = "3 writes in doubt, the oldest for 90.0 s; 0 exceptions"
    alone = looked(Backlog({}, (3, EARLIER_MS)))
    assert line(alone) == doubt
    busy = looked(Backlog({1: (2, EARLIER_MS)}, (3, EARLIER_MS)))
    assert line(busy) == f"2 changes wait (2 decreases, which go first), the oldest for 90.0 s; {doubt}"
    assert line(alone, {"entries": "reads are refused"}) == f"entries: reads are refused; {doubt}"


def test_in_step_is_said_only_once_every_entry_was_looked_at() -> None:
    """Nothing waits yet for a key of which nobody knows what its entry shows."""
    assert "in step" in line(looked(Backlog({})))
    assert "in step" not in line(looked(Backlog({}, unlooked=1)))
