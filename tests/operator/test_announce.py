"""Which journal fields an exception has: a search by SKU finds what is about that SKU, and nothing else."""

from __future__ import annotations

import pytest

from archsyncd.announce import about
from archsyncd.domain.cases import CaseKind, CaseNews


@pytest.mark.parametrize(
    ("kind", "scope", "subject", "fields"),
    [
        (CaseKind.SKU_NOT_FOUND, "web", "A 1", {"channel": "web", "sku": "A 1"}),
        (CaseKind.LOCATION_UNMAPPED, "main", "WH9", {"feed": "main", "location": "WH9"}),
        (CaseKind.CHANNEL_MISSING, "web", "web", {"channel": "web"}),
        (CaseKind.HELD_RULES, "rules", "0a1b", {}),
        (CaseKind.HELD_SNAPSHOT, "main", "main-1", {"feed": "main"}),
        (CaseKind.ORDER_REJECTED, "orders", "CT-1", {"order": "CT-1"}),
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
