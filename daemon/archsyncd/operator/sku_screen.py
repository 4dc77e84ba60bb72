"""One SKU's story as text for people: plain values in, lines out. Asks nobody, and takes the ledger's word for the ledger's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from archsyncd.operator.tables import age, counted, shown
from archsyncd.operator.timelines import timeline_lines

# As in domain/rules: what the tool loads is kept small.
LET_GO = "let_go"

LINES_SHOWN = 30
# The ledger's figures as the page calls them.
_FIGURES = (
    ("f", "", "by Archean's levels (f)"),
    ("reflected", "+", "of orders that the levels have left out already (reflected)"),
    ("untracked", "−", "of orders that commercetools does not count itself (untracked)"),
)
_BASES = {
    "unknown": "the entry was not looked at yet",
    "provisional": "from a first look: it may be lowered, and is raised once a clean read has proven it",
    "bounded": "not too low, perhaps too high by orders around the read; it is read again",
    "proven": "proven by a clean read",
}

Answer = Mapping[str, Any]


def sku_lines(story: Answer) -> list[str]:
    """One SKU's story, one fact a line."""
    return [shown(line) for line in _sku(story)]


def _sku(story: Answer) -> Iterator[str]:
    other = story.get("archean_sku", story["sku"])
    yield f"SKU {story['sku']}" + (f", Archean's {other}" if other != story["sku"] else "")
    for level in story["levels"]:
        yield _level(level)
    timelines = {timeline["channel"]: timeline for timeline in story["timelines"]}
    for key in story["keys"]:
        yield from _key(key, story["sku"])
        if key["channel"] in timelines:
            yield from timeline_lines(timelines[key["channel"]])
    for line in story["lines"][:LINES_SHOWN]:
        yield from _line(line)
    hidden = story["lines_total"] - min(len(story["lines"]), LINES_SHOWN)
    if hidden > 0:
        yield f"  and {counted(hidden, 'more open order line')}; --json shows more"
    if not story["lines_total"]:
        yield "  no open order line"
    for case in story["cases"]:
        yield f"case {case['id']}  {case['kind']} ({case['severity']}, owner {case['owner']}): {case['reason']}"
    if not story["cases"]:
        yield "  no open exception"


def _level(level: Answer) -> str:
    figures = f"available {shown(level['available'])}, on hand {shown(level['on_hand'])}"
    place = f"feed {level['feed']} {level['epoch']}/{level['seq']}"
    if level["channel"] is None:
        return (
            f"  level     {level['location']}: {figures} ({place}; the location is not mapped or is ignored)"
        )
    counts = "withheld: its feed is stale" if level["withheld"] else f"counts {shown(level['counts'])}"
    buffer = f", buffer {level['buffer']}" if level["buffer"] else ""
    return f"  level     {level['location']} → {level['channel']}: {figures}; {counts} (sells {level['sells']}{buffer}; {place})"


def _parked(reason: str) -> str:
    if reason == LET_GO:
        return "no location fills this channel any more; the entry stays as it is, and no sale in the store is taken off it"
    return reason


def _answered(entry: Answer) -> str:
    """What the entry's figure rests on: the ledger books answers and does not look by itself."""
    if entry["answered"] is None:
        return "not known when commercetools last answered for it"
    return f"a write or a read last changed that at {entry['answered']}"


def _key(key: Answer, sku: str) -> Iterator[str]:
    yield f"channel {key['channel']}" + (f": {key['rule']}" if key["rule"] else "")
    yield f"  ledger    {key['sentence']}"
    closed = f"; {key['closed']:,} of them of closed orders" if key["closed"] else ""
    for name, sign, says in _FIGURES:
        yield f"  {sign:>9} {key[name]:>10,}   {says}{closed if name == 'reflected' else ''}"
    base = _BASES.get(key["base"], key["base"])
    yield f"  {'=':>9} {key['x_target']:>10,}   wanted before orders (X)"
    yield f"  applied   {shown(key['x_applied']):>10}   base {key['base']}: {base}"
    yield f"  {'−':>9} {key['known']:>10,}   of orders known{closed}"
    if key.get("expected_delivery") or key.get("expected_written"):
        yield f"  expected  {shown(key['expected_delivery'])}, the entry shows {shown(key['expected_written'])}"
    yield from (f"  made of   {says}" for says in key["made_of"])
    yield from (f"  waits for {says}" for says in key["waits_for"])
    wrong = [check["says"] for check in key["checks"] if not check["ok"]]
    yield f"  checked   {'DOES NOT ADD UP: ' + '; '.join(wrong) if wrong else 'the arithmetic adds up'}"
    entry = key["entry"]
    if entry is None:
        yield "  entry     none known"
    else:
        yield (
            f"  entry     {entry['id']} version {entry['version']}: should show {shown(entry['shows'])} by the ledger, "
            f"wanted {entry['wanted']:,}; {_answered(entry)}"
        )
        yield f"  look now  archsyncctl reconcile --dry-run --sku {shlex.quote(sku)}"
    operation = key["operation"]
    if operation is not None:
        doubt = ", outcome unknown: the entry is being read" if operation["in_doubt"] else ""
        yield f"  in flight {operation['kind']} {operation['delta']:+,} ({operation['id']}{doubt})"
    if key["waiting"]:
        yield f"  waiting   {age(key['waiting']['seconds'])} among the {key['waiting']['name']}"
    if key["parked"]:
        yield f"  parked    nothing is written: {_parked(key['parked'])}"


def _line(line: Answer) -> Iterator[str]:
    kind = "tracked" if line["tracked"] else "untracked"
    accepted = f", accepted {line['accepted']}" if line["accepted"] else ""
    released = ", released" if line["released"] else ""
    yield (
        f"  order     {line['number'] or line['order']} ({line['state']}): {line['quantity']:,} {kind} in {line['channel']}, "
        f"{line['reflected']:,} reflected{accepted}{released}"
    )
    for proof in line["proofs"]:
        where = proof["location"] or "every location"
        holds = "the level has come so far" if proof["holds"] else "the level has not come so far yet"
        figure = proof["figure"].replace("onHand", "on hand")
        yield (
            f"    proof   Archean's figure {figure} at {where} is without {counted(proof['quantity'], 'piece')} from record "
            f"{proof['epoch']}/{proof['seq']} of feed {proof['feed']} on: {holds}"
        )
