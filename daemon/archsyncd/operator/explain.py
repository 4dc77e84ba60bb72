"""`archsyncctl explain`, and what one case's kind means for that case. Asks no daemon: every text is the program's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from archsyncd.domain.cases import FOLDED, Case, CaseKind
from archsyncd.domain.concerned import Concerned
from archsyncd.domain.events import Event, explained
from archsyncd.domain.explained import CODES, KINDS, MANUAL, REASONS, Explained, filled, told
from archsyncd.domain.reconciling import HELD_CODE
from archsyncd.operator.protocol import EXIT_ACT, Refusal
from archsyncd.operator.screens import typed

# What tells of a case need not point to itself.
_SHOW = "archsyncctl exceptions show"
EXCEPTION, VERDICT, JOURNAL, RECEIPT = "exception", "verdict", "journal", "receipt"
_RETRY = "archsyncctl exceptions retry"
# Kinds whose subject is the order as people call it.
_ABOUT_ORDERS = frozenset(
    {
        CaseKind.UNPROVEN_REFLECTION,
        CaseKind.ORDER_REJECTED,
        CaseKind.ORDER_IN_DOUBT,
        CaseKind.ORDER_UNMAPPED_LINE,
        CaseKind.STATUS_CONFLICT,
    }
)
# Of which an order, or a dispatch or return, is tried again, if it waits for that.
ORDER_KINDS = (
    CaseKind.ORDER_IN_DOUBT,
    CaseKind.ORDER_REJECTED,
    CaseKind.ORDER_UNMAPPED_LINE,
    CaseKind.STATUS_CONFLICT,
)
ADVICE_KINDS = (CaseKind.FULFILMENT_MISMATCH, CaseKind.OVER_SHIPMENT)
# Kinds about an order whose subject may be a dispatch or a return of it.
_ABOUT_ADVICES = (*ADVICE_KINDS, CaseKind.KIT_INCOMPLETE, CaseKind.SHORT_PICK, CaseKind.STALLED_ORDERS)
_ABOUT_RECORDS = frozenset({CaseKind.INVALID_RECORD, CaseKind.NEEDS_RESYNC, CaseKind.HELD_LEVEL})
_ABOUT_ENTRIES = frozenset(
    {
        CaseKind.SKU_NOT_FOUND,
        CaseKind.ENTRY_MISSING,
        CaseKind.STOCK_UPDATE_FAILED,
        CaseKind.FOREIGN_WRITER,
        CaseKind.RESTOCKABLE_IN_DAYS,
        CaseKind.UNTRACKED_DEMAND,
        CaseKind.DRIFT,
        CaseKind.SUSPECTED_OVERSELL,
        CaseKind.KIT_COMPONENT_UNTOLD,
    }
)


def explain(code: str) -> dict[str, Any]:
    """All that stands under a code, "" for every code: `entries`. Raises Refusal, with the nearest code, for an unknown one."""
    wanted = code.strip().lower()
    entries = [
        each for each in _entries() if not wanted or wanted in {each["code"].lower(), each["message_id"]}
    ]
    if not entries:
        near = difflib.get_close_matches(wanted, {each["code"].lower() for each in _entries()}, n=1)
        guess = f"; did you mean {near[0]}?" if near else "."
        raise Refusal(
            f"There is no code {code[:64]!r}{guess} `archsyncctl explain` lists all of them.", EXIT_ACT
        )
    return {"entries": entries}


def _entries() -> Iterator[dict[str, Any]]:
    """Every code as plain values: exceptions, causes of a verdict, codes of records and files, events of the journal."""
    yield from (_told(EXCEPTION, each) for each in KINDS.values())
    yield from (_told(VERDICT, each) for each in REASONS.values())
    yield from (_told(RECEIPT, each) for each in CODES.values())
    yield from (_told(JOURNAL, explained(event), event.value.message_id) for event in Event)


def _told(sort: str, entry: Explained, message_id: str = "") -> dict[str, Any]:
    return {
        "code": entry.code,
        "sort": sort,
        "severity": entry.severity.value,
        "owner": entry.owner,
        "meaning": entry.meaning,
        "impact": entry.impact,
        "by_itself": entry.by_itself,
        "look": list(entry.look),
        "next": entry.next_step,
        "remedy": list(entry.remedy),
        "closes": entry.closes,
        "retry": entry.retry,
        "message_id": message_id,
    }


def explain_lines(answer: Mapping[str, Any]) -> list[str]:
    """One code in full, several as a list."""
    entries = answer["entries"]
    if len({each["code"].lower() for each in entries}) > 1:
        width = max(len(each["code"]) for each in entries)
        lines = [
            f"{each['sort']:<9}  {each['code']:<{width}}  {each['severity']:<8}  {each['meaning']}"
            for each in entries
        ]
        return [*lines, f"archsyncctl explain CODE tells all of one, {MANUAL} all of all."]
    return [line for each in entries for line in _lines(each)]


def _lines(entry: Mapping[str, Any]) -> Iterator[str]:
    identity = f", MESSAGE_ID={entry['message_id']}" if entry["message_id"] else ""
    yield f"{entry['code']} ({entry['sort']}, {entry['severity']}, usually owned by {entry['owner']}{identity})"
    yield f"  means     {entry['meaning']}"
    yield f"  impact    {entry['impact']}"
    yield f"  itself    {entry['by_itself']}"
    yield from typed("look", entry["look"])
    yield f"  next      {entry['next']}"
    yield from typed("do", entry["remedy"])
    yield f"  over      {entry['closes']}"
    yield from [f"  retry     {entry['retry']}"] if entry["retry"] else []


def names_an_order(case: Case) -> bool:
    """Whether an order is meant by what the case is about."""
    return not case.subject.startswith(FOLDED) and case.kind in {*_ABOUT_ORDERS, *_ABOUT_ADVICES}


def explained_case(case: Case, concerned: Concerned | None = None) -> dict[str, Any]:
    """What the kind of a case means, with what is known of the case in the commands. `concerned`: the order that it is about."""
    entry, names = case.text, _names(case, concerned)
    again = _goes_again(case, concerned)
    return {
        "impact": entry.impact,
        "by_itself": entry.by_itself,
        "closes": entry.closes,
        "look": [filled(each, names) for each in entry.look if not each.startswith(_SHOW)],
        "next": told(_next_of(case), names),
        "remedy": [filled(each, names) for each in entry.remedy if again or not each.startswith(_RETRY)],
        "retry": (entry.retry if again else "") or entry.closes,
        "manual": MANUAL,
    }


def _next_of(case: Case) -> str:
    """What to do first: of a record that was set aside, or a file, what its code says where that is more than the kind does."""
    if case.kind is CaseKind.INVALID_RECORD and case.code in CODES:
        return CODES[case.code].next_step
    return case.text.next_step


def _goes_again(case: Case, concerned: Concerned | None) -> bool:
    """Whether a retry would do anything."""
    if case.kind in ORDER_KINDS:
        return concerned is not None and concerned.order_goes_again
    if case.kind in ADVICE_KINDS:
        return concerned is not None and concerned.advice_goes_again
    return True


def _names(case: Case, concerned: Concerned | None) -> dict[str, str]:
    """What stands for the placeholders of its commands; nothing for a case that several things were folded into."""
    names = {"ID": str(case.id)}
    # Some cases are about several things, and their subject is the name of no single one.
    if case.subject.startswith(FOLDED) or case.code == HELD_CODE:
        return names
    if concerned is not None:
        names["NUMBER"] = concerned.name
    elif case.kind in _ABOUT_ORDERS:
        names["NUMBER"] = case.subject
    elif case.kind in _ABOUT_ENTRIES:
        names["SKU"] = case.subject
    elif case.kind in _ABOUT_RECORDS:
        sku, at, _ = case.subject.partition(" at ")
        names |= {"SKU": sku} if at else {}
    elif case.kind is CaseKind.HELD_SNAPSHOT:
        names["SNAPSHOT"] = case.subject
    elif case.kind in {CaseKind.STALE_FEED, CaseKind.REFUSED_FILE, CaseKind.AWAITED_FILE}:
        names["FEED"] = case.scope
    return names
