"""Which journal fields an exception has: a search by SKU finds what is about that SKU, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.announce import about, status_line
from archsyncd.domain.cases import CaseKind, CaseNews
from archsyncd.domain.report import Backlog
from tests.operator.daemon import small_daemon


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


async def test_a_write_in_doubt_is_in_the_status_line_whatever_else_is(tmp_path: Path) -> None:
    """It waits in no class: while reads of entries are refused the line would name only what waits besides."""
    async with small_daemon(tmp_path) as daemon:
        since_ms = daemon.clock.wall_ms() - 90_000
        doubt = "3 writes in doubt, the oldest for 90.0 s; 0 exceptions"
        alone = Backlog({}, (3, since_ms))
        assert status_line(daemon, alone, {}) == doubt
        busy = Backlog({1: (2, since_ms)}, (3, since_ms))
        assert (
            status_line(daemon, busy, {})
            == f"2 changes waiting (2 decreases), the oldest for 90.0 s; {doubt}"
        )
        daemon.shared.notes["entries"] = "reads are refused"
        assert status_line(daemon, alone, {}) == f"entries: reads are refused; 0 changes waiting; {doubt}"


async def test_in_step_is_said_only_once_every_entry_was_looked_at(tmp_path: Path) -> None:
    """Nothing waits yet for a key of which nobody knows what its entry shows."""
    async with small_daemon(tmp_path) as daemon:
        assert status_line(daemon, Backlog({}), {}) == "in step; 0 exceptions"
        assert "in step" not in status_line(daemon, Backlog({}, unlooked=1), {})
