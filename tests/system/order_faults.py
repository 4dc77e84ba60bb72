"""What goes wrong between the daemon and both systems while it carries orders."""

from __future__ import annotations

import random
from typing import Any

from archsyncd.simulators.commercetools import FaultKind
from archsyncd.simulators.commercetools.config import RetryAfter
from archsyncd.simulators.commercetools.faults import LATE
from archsyncd.simulators.r247 import FaultKind as HouseFault
from tests.system.order_plant import OrderPlant

SHOP_FAULTS = (
    FaultKind.CONFLICT,
    FaultKind.THROTTLED,
    FaultKind.LOST_ANSWER,
    FaultKind.SERVER_ERROR,
    FaultKind.SERVER_ERROR_APPLIED,
    FaultKind.LOST_ANSWER_APPLIED_LATE,
    FaultKind.SERVER_ERROR_APPLIED_LATE,
    FaultKind.TRUNCATED,
    FaultKind.NOT_JSON,
)
WRITES = ("orders.update", "orders.update", "inventory.update", "graphql")
READS = ("orders.get", "orders.query", "messages.query")
READ_FAULTS = (FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.TRUNCATED, FaultKind.DROP)
HOUSE_FAULTS = (
    HouseFault.DROP_AFTER,
    HouseFault.DROP_BEFORE,
    HouseFault.CUT_BODY,
    HouseFault.GARBAGE,
    HouseFault.STATUS,
    HouseFault.SLOW,
)
PAGE_FAULTS = (HouseFault.DUPLICATE, HouseFault.REORDER, HouseFault.CUT_BODY, HouseFault.STATUS)
LATE_SECONDS = 20.0


def details_of(kind: FaultKind, late_seconds: float) -> dict[str, Any]:
    """What a fault of the shop needs besides."""
    if kind is FaultKind.THROTTLED:
        return {"retry_after": RetryAfter.SECONDS, "seconds": 1}
    return {"seconds": late_seconds} if kind in LATE else {}


def fail(world: OrderPlant, chance: random.Random) -> None:
    """Something goes wrong, anywhere."""
    where = chance.choice(("write", "read", "orders", "orders", "fulfilments", "changes", "late"))
    if where == "write":
        kind = chance.choice(SHOP_FAULTS)
        world.shop_fails(chance.choice(WRITES), kind, 1, **details_of(kind, chance.uniform(0.5, 6.0)))
    elif where == "read":
        world.shop_fails(chance.choice(READS), chance.choice(READ_FAULTS), chance.randint(1, 3))
    elif where == "late":
        world.order_lands_late(chance.uniform(0.5, LATE_SECONDS))
    else:
        kinds = PAGE_FAULTS if where == "changes" else HOUSE_FAULTS
        world.house_fails(where, chance.choice(kinds), chance.randint(1, 3))
