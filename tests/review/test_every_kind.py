"""Each kind of exception is raised by a scenario and closes itself, or is settled by the act that its text names.

The table names where that is shown. A kind without a line fails here, and so does a line whose test is gone or speaks of
another kind. What no other test shows is shown here, on the real store.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from archsyncd.domain.booking import Finding
from archsyncd.domain.cases import Case, CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.domain.inventory import LineMode
from archsyncd.domain.rules import Carrying
from tests.adapters.sqlite.shelf import QUIET, Shelf, entry
from tests.domain.nouns import BORN_MS, learn_rules, level, line, order, share, shipped

TESTS = Path(__file__).parents[1]
HERE = "review/test_every_kind.py"
STORE, SYSTEM, CTL = "adapters/sqlite", "system", "operator/test_ctl.py"
IN_DOUBT = "test_f134_without_protection_an_order_in_doubt_waits_for_a_person_and_is_never_sent_blindly"
K = CaseKind

# Each kind: the test that raises it, and the one that sees it closed; one name where it is the same.
SHOWN: dict[CaseKind, tuple[str, ...]] = {
    K.SUSPECTED_OVERSELL: (
        f"{SYSTEM}/test_silent.py::test_more_ordered_than_there_is_becomes_a_case_and_closes_itself",
    ),
    K.STRAY_ENTRY: (f"{STORE}/test_reconcile.py::test_cases_of_strays_stay_open_while_a_partial_run_passes",),
    K.SKU_NOT_FOUND: (
        f"{SYSTEM}/test_feed.py::test_f125_an_unknown_sku_is_set_aside_and_released_when_its_product_appears",
    ),
    K.ENTRY_MISSING: (
        f"{SYSTEM}/test_commercetools.py::test_f125_an_entry_that_is_left_to_others_is_told_as_such_and_used_when_it_is_there",
    ),
    K.LOCATION_UNMAPPED: (
        f"{STORE}/test_feeds.py::test_f126_an_unmapped_locations_levels_are_kept_until_the_rules_map_it",
    ),
    K.CHANNEL_MISSING: (
        f"{SYSTEM}/test_feed.py::test_f126_a_channel_that_may_not_supply_stock_is_written_when_it_may",
    ),
    K.INVALID_RECORD: (
        f"{STORE}/test_feeds.py::test_f104_an_unreadable_record_is_made_up_for_at_its_own_location_only",
    ),
    K.REFUSED_FILE: (
        f"{SYSTEM}/test_refused_files.py::test_the_case_of_a_broken_full_closes_with_the_next_one",
    ),
    K.AWAITED_FILE: (
        f"{SYSTEM}/test_refused_files.py::test_one_bad_numbered_file_is_told_truly_and_at_once",
    ),
    K.SKU_COLLISION: (f"{SYSTEM}/test_names.py::test_two_skus_that_a_rule_makes_one_are_never_summed",),
    K.UNIT_CHANGED: (f"{SYSTEM}/test_names.py::test_f122_a_sku_that_is_told_in_another_unit_is_noticed",),
    K.HELD_SNAPSHOT: (
        f"{STORE}/test_snapshots.py::test_f102_a_full_beyond_the_guards_is_held_and_publishes_nothing",
        f"{SYSTEM}/test_feed.py::test_f101_f102_an_empty_snapshot_is_held_and_deltas_go_on",
    ),
    K.HELD_LEVEL: (
        f"{STORE}/test_feeds.py::test_f121_a_level_above_the_maximum_is_held_and_applied_as_it_came_once_approved",
    ),
    K.HELD_RULES: (
        "review/test_reckoning.py::test_f167_approved_rules_are_put_in_force_once_and_as_they_were_shown",
    ),
    K.NEEDS_RESYNC: (
        "review/test_two_feeds.py::test_f096_a_movement_after_another_feeds_level_is_read_anew",
    ),
    K.STOCK_UPDATE_FAILED: (
        f"{STORE}/test_outbox.py::test_a_write_accepted_after_failures_closes_the_exception",
        f"{CTL}::test_retry_of_a_refused_write_lets_the_key_go_on",
    ),
    K.FOREIGN_WRITER: (
        f"{STORE}/test_outbox.py::test_f089_a_foreign_marker_takes_a_new_base_that_may_only_lower",
        f"{SYSTEM}/test_takeover.py::test_f091_a_take_over_finds_a_foreign_marker_and_raises_only_after_a_clean_read",
    ),
    K.RESTOCKABLE_IN_DAYS: (f"{HERE}::test_restockable_in_days_closes_when_the_field_is_unset",),
    K.UNTRACKED_DEMAND: (
        f"{HERE}::test_untracked_demand_that_was_dismissed_stays_closed_once_the_mode_is_right",
    ),
    K.UNPROVEN_REFLECTION: ("review/test_proving.py::test_a_case_ends_with_its_order",),
    K.ORDER_UNMAPPED_LINE: (f"{SYSTEM}/test_order_verbs.py::test_a_held_order_goes_once_the_rules_let_it",),
    K.ORDER_REJECTED: (
        f"{STORE}/test_orders.py::test_f136_a_rejected_order_stays_subtracted_while_it_stands",
    ),
    K.ORDER_IN_DOUBT: (f"{SYSTEM}/test_order_verbs.py::{IN_DOUBT}",),
    K.STALLED_ORDERS: (
        f"{SYSTEM}/test_dispatch.py::test_the_word_of_the_booking_is_repeated_until_archean_takes_it",
    ),
    K.STATUS_CONFLICT: (
        f"{SYSTEM}/test_dispatch.py::test_shipped_by_somebody_is_checked_before_anything_is_confirmed",
    ),
    K.FULFILMENT_MISMATCH: (
        f"{STORE}/test_handing.py::test_what_is_held_is_tried_again_or_settled_by_a_person",
    ),
    K.FULFILMENT_UNKNOWN_ORDER: (
        f"{SYSTEM}/test_dispatch.py::test_f153_a_dispatch_before_its_order_waits_for_it",
    ),
    K.SHORT_PICK: (f"{SYSTEM}/test_dispatch.py::test_f155_a_short_pick_is_a_persons_to_decide",),
    K.OVER_SHIPMENT: (
        f"{HERE}::test_an_over_shipment_closes_when_archean_corrects_it_or_a_person_has_settled_it",
    ),
    K.KIT_INCOMPLETE: (
        f"{SYSTEM}/test_kit_orders.py::test_a_piece_that_is_missing_closes_its_kit_and_the_other_pieces_are_told",
    ),
    K.KIT_COMPONENT_UNTOLD: (
        f"{SYSTEM}/test_kit_orders.py::test_a_kit_of_which_a_component_was_never_told_is_an_exception_until_it_is",
    ),
    K.DRIFT: (
        f"{SYSTEM}/test_foreign.py::test_f089_every_entry_is_looked_at_in_its_turn_though_nothing_is_due_for_it",
    ),
    K.STALE_FEED: (
        f"{SYSTEM}/test_feed.py::test_f118_a_frozen_feed_is_told_and_resolved_when_it_moves_again",
    ),
}
# How a test says that a case is open no more.
_CLOSED = re.compile(
    r"open_=False|== \[\]|not await [\w.]*cases\(|exceptions\"?[., ]+\"?(retry|dismiss)|approve|state=\""
)


@lru_cache(maxsize=64)
def _tests(path: str) -> dict[str, str]:
    """The text of each test of a file, with the file's constants that it names."""
    text = (TESTS / path).read_text(encoding="utf-8")
    tree = ast.parse(text)
    constants = {
        target.id: _source(text, node)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name.startswith("test_"):
            body = _source(text, node)
            named = [told for name, told in constants.items() if re.search(rf"\b{name}\b", body)]
            found[node.name] = "\n".join([*named, body])
    return found


def _source(text: str, node: ast.stmt) -> str:
    return ast.get_source_segment(text, node) or ""


@pytest.mark.parametrize("kind", CaseKind, ids=[kind.value for kind in CaseKind])
def test_every_kind_is_raised_and_settled_somewhere(kind: CaseKind) -> None:
    """Whoever adds a kind shows both, and names where."""
    assert kind in SHOWN, f"no test raises {kind.value} and sees it closed: write one and name it in SHOWN"
    texts = []
    for name in SHOWN[kind]:
        path, _, test = name.partition("::")
        assert test in _tests(path), f"{name} is gone"
        texts.append(_tests(path)[test])
    named = (f"CaseKind.{kind.name}", f'"{kind.value}"')
    assert any(any(word in text for word in named) for text in texts), (
        f"{SHOWN[kind]} never names {kind.value}"
    )
    assert _CLOSED.search(texts[-1]), f"{SHOWN[kind][-1]} does not say that the case is closed"


async def _closed(shelf: Shelf, state: str) -> list[Case]:
    return await shelf.store.cases.listed(state=state)


async def test_restockable_in_days_closes_when_the_field_is_unset(shelf: Shelf) -> None:
    """Found set, told; found unset at the next look, closed with what was seen."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(10, restockable_in_days=3)], (), (), QUIET)
    assert await shelf.kinds() == [CaseKind.RESTOCKABLE_IN_DAYS]
    shelf.clock.pass_by(200)
    await shelf.store.outbox.book_reads([entry(10, read_ms=shelf.clock.now_ms)], ())
    assert await shelf.kinds() == []
    (case,) = await _closed(shelf, "resolved")
    assert "unset" in case.note


async def test_untracked_demand_that_was_dismissed_stays_closed_once_the_mode_is_right(
    shelf: Shelf,
) -> None:
    """The next order is tracked and opens nothing; the pieces of the one before stay subtracted."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3, mode=LineMode.NONE)))
    (case,) = await shelf.cases(CaseKind.UNTRACKED_DEMAND)
    assert await shelf.store.cases.close(case.id, "dismissed", "the cart's mode is set right")
    await shelf.learn(order(line(2), name="o2"))
    assert await shelf.cases(CaseKind.UNTRACKED_DEMAND) == []
    assert (await shelf.figures()).ntrk == 3


@pytest.mark.parametrize("corrected", [True, False])
async def test_an_over_shipment_closes_when_archean_corrects_it_or_a_person_has_settled_it(
    shelf: Shelf, corrected: bool
) -> None:
    """What was sent beyond the order is told beside the booking of the rest; it stands in no one's way."""
    handed = replace(learn_rules(), hand_over_since_ms=BORN_MS - 1_000)
    shelf.store.carry(Carrying())
    await shelf.learn(order(line(3)), use=handed)
    await shelf.read(shipped(1, share(5)))
    (due,) = await shelf.store.advices.due(9)
    told = Finding(CaseKind.OVER_SHIPMENT, "over_shipment", "5 were sent of 3")
    bought = order(line(3), version=2)
    await shelf.store.advices.booked(due, bought, handed, (told,), Stage.SHIPPED, "F1", "now")
    (case,) = await shelf.cases(CaseKind.OVER_SHIPMENT)
    if corrected:
        await shelf.read(shipped(2, share(3)))
        (due,) = await shelf.store.advices.due(9)
        await shelf.store.advices.booked(due, bought, handed, (), Stage.SHIPPED, "F1", "now")
    else:
        assert await shelf.store.cases.close(case.id, "dismissed", "they are paid")
    assert await shelf.cases(CaseKind.OVER_SHIPMENT) == []
    assert len(await _closed(shelf, "resolved" if corrected else "dismissed")) == 1
