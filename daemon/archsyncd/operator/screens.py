"""Answers as text for people: the status, one SKU, one case, one snapshot. Plain values in, lines out; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archsyncd.operator.tables import age, counted, shown

STATUS_LINES = 24
WIDTH_CHARACTERS = 160
# How many lines causes, feeds, kinds of exceptions and notes get: the first of these under which everything fits.
CAPS = ((3, 4, 5, 3), (3, 3, 4, 2), (2, 2, 3, 2), (2, 2, 2, 1))
MUTED_LINES = 2
LINES_SHOWN = 30

Answer = Mapping[str, Any]


def status_lines(status: Answer) -> list[str]:
    """The status in at most 24 lines; the first one is the verdict with its root cause."""
    lines: list[str] = []
    for caps in CAPS:
        lines = _status(status, *caps)
        if len(lines) <= STATUS_LINES:
            break
    return [_one_line(line) for line in lines][:STATUS_LINES]


def _status(status: Answer, reasons: int, feeds: int, kinds: int, notes: int) -> list[str]:
    lines = [status["sentence"], *_reasons(status, reasons)]
    if "feeds" in status:
        lines += [*_feeds(status, feeds), *_locations(status), *_work(status), *_data(status)]
        lines += _exceptions(status, kinds)
    return [*lines, *_foot(status, notes)]


def _one_line(line: str) -> str:
    text = shown(line)
    return text if len(text) <= WIDTH_CHARACTERS else text[: WIDTH_CHARACTERS - 1] + "…"


def _capped(lines: Sequence[str], most: int, noun: str) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"{'':<12}and {counted(len(lines) - most + 1, noun)} more"]


def _reasons(status: Answer, most: int) -> list[str]:
    reasons = status["reasons"]
    lines = [f"  also      {reason['level']}: {reason['says']}" for reason in reasons[1:]]
    muted = [
        f"  muted     {each['says']} (until {each['until']} by {each['by']}: {each['reason']})"
        for each in status["muted"]
    ]
    muted = _capped(muted, MUTED_LINES, "muted cause")
    if reasons:
        return [f"  next      {reasons[0]['next']}", *_capped(lines, most, "cause"), *muted]
    return muted


def _feeds(status: Answer, most: int) -> list[str]:
    return _capped([_feed(feed) for feed in status["feeds"]], most, "feed")


def _feed(feed: Answer) -> str:
    parts = [
        feed["verdict"],
        f"sign of life {age(feed['age_seconds'])} ago (every {age(feed['interval_seconds'])})",
    ]
    if feed["age_seconds"] is None:
        parts[1] = "no sign of life yet"
    if feed["behind"]:
        parts.append(f"{feed['behind']:,} behind")
    parts += ["paused"] if feed["paused"] else []
    parts += [f"snapshot due ({feed['snapshot_due']})"] if feed["snapshot_due"] else []
    parts += [f"quiet hours until {feed['quiet_until']}"] if feed["quiet_until"] else []
    parts += [feed["fault"]] if feed["fault"] else []
    return f"feed        {feed['name']}: {', '.join(parts)}"


def _locations(status: Answer) -> Iterator[str]:
    """One line: how many are in which state, and the worst by name."""
    data, found = status["data"], status["locations"]
    if not found:
        return
    told = ", ".join(f"{count} {state}" for state, count in data["locations"].items())
    told += f", {data['withheld']} withheld from sale" if data["withheld"] else ""
    worst = found[0]
    silent = " (no sign of life of the feed)" if worst["state"] in {"stale", "late"} else ""
    named = "" if set(data["locations"]) == {"fresh"} else f"; {worst['name']}{silent}: {_last_told(worst)}"
    yield f"locations   {told}{named}"


def _last_told(location: Answer) -> str:
    seconds = location["told_seconds"]
    return "no level yet" if seconds is None else f"its newest level came {age(seconds)} ago"


def _data(status: Answer) -> Iterator[str]:
    """One line of what is wrong with the data, and none where nothing is."""
    data = status["data"]
    parts = [
        f"{data[name]:,} {words}"
        for name, words in (
            ("suspected_oversells", "suspected oversold"),
            ("drifting", "changed by others"),
            ("stalled", "orders stalled"),
        )
        if data[name]
    ]
    if data["unknown_skus"]:
        parts.append(
            f"{data['unknown_skus']:,} without a product ({100 * data['unknown_share']:.1f} % of all keys)"
        )
    if data["untracked_lines"] and status["inventory_mode"] == "tracked":
        parts.append(f"{counted(data['untracked_pieces'], 'piece')} sold untracked")
    if data["saturated_share"]:
        parts.append(f"requests scarce {100 * data['saturated_share']:.0f} % of the last minutes")
    if parts:
        yield f"data        {', '.join(parts)}"


def _work(status: Answer) -> Iterator[str]:
    waiting = [
        f"{each['name']} {each['keys']:,} ({age(each['oldest_seconds'])})" for each in status["waiting"]
    ]
    yield f"waiting     {', '.join(waiting) or 'nothing'}"
    oldest = status["oldest_decrease_seconds"]
    told = "none waits" if oldest is None else f"the oldest has waited {age(oldest)}"
    yield f"decreases   {told}; an increase waits {age(status['increase_bound_seconds'])} at most"
    doubt = status["in_doubt"]
    if doubt["keys"]:
        yield f"in doubt    {doubt['keys']:,}, their entries are read; the oldest for {age(doubt['oldest_seconds'])}"
    yield _requests(status["requests"])
    orders = status["orders"]
    to = (
        "not known completely yet"
        if orders["complete_to"] is None
        else f"complete to {orders['complete_to']}"
    )
    behind = "" if orders["behind_seconds"] is None else f" ({age(orders['behind_seconds'])} ago)"
    yield f"orders      {to}{behind}, {orders['open']:,} open"
    yield from _hand_over(status["hand_over"])
    keys = status["keys"]
    parked = ", ".join(
        f"{count:,} {reason.replace('_', ' ')}" for reason, count in sorted(status["parked"].items())
    )
    yield f"keys        {keys['total']:,}: {_steps(keys)}{f'; parked: {parked}' if parked else ''}"
    yield from _reconciled(status["reconcile"])


def _steps(keys: Answer) -> str:
    """Which keys are not in step, each told once; parked ones are told with their reasons."""
    told = [
        f"{keys[name]:,} {says}"
        for name, says in (("to_write", "to be written"), ("to_read", "to be read before it is sure"))
        if keys[name]
    ]
    return ", ".join([f"{keys['total'] - keys['out_of_step']:,} in step", *told])


def _reconciled(run: Answer | None) -> Iterator[str]:
    if run is None:
        return
    scope = "".join(f", {name} {run[name]}" for name in ("channel", "sku") if run[name])
    share = f" of about {run['keys']:,}" if run["state"] == "running" and not scope else ""
    unsure = f", {run['undecided']:,} could not be judged" if run["undecided"] else ""
    held = f"; {counted(run['held_raises'], 'raise')} held" if run["held_raises"] else ""
    yield (
        f"reconcile   {run['cause']} run {run['run']} ({run['mode']}{scope}) of {run['began']} {run['state']}: "
        f"{counted(run['entries'], 'entry', 'entries')} compared{share}, {run['differing']:,} differ{unsure}{held}"
    )


def _hand_over(carrying: Answer | None) -> Iterator[str]:
    if carrying is None:
        return
    states = [
        f"{each['state'].replace('_', ' ')} {each['orders']:,} ({age(each['oldest_seconds'])})"
        for each in carrying["states"]
    ]
    yield f"hand-over   {', '.join(states) or 'nothing under way'}{_lag(carrying['lags']['handed_over'], 'placed to accepted')}"
    waiting = [
        f"{each['kind']}s {each['stage']} {each['count']:,} ({age(each['oldest_seconds'])})"
        for each in carrying["dispatches"]
    ]
    yield f"dispatches  {', '.join(waiting) or 'none waits'}{_lag(carrying['lags']['booked'], 'told to booked')}"


def _lag(lag: Answer | None, what: str) -> str:
    return "" if lag is None else f"; {what} {age(lag['p50_seconds'])}, 99 % within {age(lag['p99_seconds'])}"


def order_lines(order: Answer) -> list[str]:
    """One order's story, one fact a line."""
    return [shown(line) for line in _order(order)]


def _order(order: Answer) -> Iterator[str]:
    named = f"order {order['number']} ({order['order']})" if order["number"] else f"order {order['order']}"
    yield f"{named}: {order['state'].replace('_', ' ')} for {age(order['age_seconds'])}"
    if order["reason"]:
        yield f"  because   {order['reason']}"
    yield f"  next      {order['next']}"
    sent = f", sent {counted(order['sent'], 'time')}" if order["sent"] else ""
    cancelled = ", cancelled in commercetools" if order["cancelled"] else ""
    yield f"  placed    {order['created']}; Archean's number {order['source_order'] or '-'}{sent}{cancelled}"
    ours = order["commercetools"]
    if ours is None:
        yield "  commercetools  did not show it now"
    else:
        states = f"{ours['order_state']}, payment {ours['payment_state'] or '-'}, shipment {ours['shipment_state'] or '-'}"
        yield f"  commercetools  {states} (version {ours['version']})"
        for line in ours["lines"][:LINES_SHOWN]:
            yield f"    line    {line['quantity']:,} of {shown(line['sku'])}, {line['delivered']:,} delivered"
        for item in ours["returns"]:
            yield f"    return  {item['quantity']:,} {item['state']} ({item['id'] or '-'})"
    theirs = order["archean"]
    yield f"  Archean   {'did not say how it stands' if theirs is None else theirs['status']}"
    for each in order["dispatches"]:
        yield from _dispatch(each)
    for event in order["history"][-LINES_SHOWN:]:
        yield f"  {event['at']}  {event['state'].replace('_', ' ')}: {event['says']}"
    for case in order["cases"]:
        yield f"case {case['id']}  {case['kind']} ({case['severity']}, owner {case['owner']}): {case['reason']}"
    if not order["cases"]:
        yield "  no open exception"


def _dispatch(advice: Answer) -> Iterator[str]:
    pieces = ", ".join(
        f"{line['quantity']:,} of {line['sku']}" + (f" ({line['short']:,} short)" if line["short"] else "")
        for line in advice["lines"][:LINES_SHOWN]
    )
    booked = f", delivery {advice['delivery']}" if advice["delivery"] else ""
    known = ", Archean knows" if advice["acknowledged"] else ""
    tracking = f", tracking {', '.join(advice['tracking'])}" if advice["tracking"] else ""
    stands = f"{advice['status']}, {advice['stage']}{booked}{known}"
    yield f"  {advice['kind']} {advice['id']}: {stands}; {pieces or 'no pieces'}{tracking}"
    if advice["reason"]:
        yield f"    because {advice['reason']}"


def _requests(requests: Answer) -> str:
    told = (
        f"requests    {requests['per_second']:g}/s of {requests['limit_per_second']:g}/s"
        f" (configured {requests['configured_per_second']}/s), "
        f"{requests['in_flight']} of {requests['in_flight_limit']} in flight"
    )
    if requests["throttled"]:
        told += f", {requests['throttled']:,} throttled"
    if requests["blocked"]:
        told += f"; blocked: {requests['blocked']}"
    elif requests["held_back_seconds"]:
        told += f"; held back for {age(requests['held_back_seconds'])}"
    return told


def _exceptions(status: Answer, most: int) -> list[str]:
    lines = [
        f"exceptions  {each['cases']:,} {each['kind']} ({each['severity']}, owner {each['owner']}, "
        f"oldest {age(each['oldest_seconds'])}{', overdue' if each['overdue'] else ''})"
        for each in status["exceptions"]
    ]
    return _capped(lines, most, "kind") or ["exceptions  none open"]


def _foot(status: Answer, most: int) -> list[str]:
    tenure = f"lease       {status['tenure']}"
    told_above = ("feed ", "marker", "host")
    notes = [
        f"note        {name}: {text}"
        for name, text in sorted(status["notes"].items())
        if not name.startswith(told_above)
    ]
    if status["rollout"] == "plan":
        notes.insert(0, "note        rollout stage plan: nothing is written")
    up = f"archsyncd   {status['version']}, project {status['project']}, up {age(status['uptime_seconds'])}"
    return [tenure, *_capped(notes, most, "note"), up]


def case_lines(case: Answer) -> list[str]:
    """One exception whole."""
    lines = [
        f"case {case['id']}: {case['kind']} ({case['severity']}), {case['state']}",
        f"  about     {case['subject']} ({case['scope']})",
        f"  reason    {case['reason']}",
        f"  owner     {case['owner']}, to be solved by {case['escalates_at']}{' (overdue)' if case['overdue'] else ''}",
        f"  seen      {counted(case['count'], 'time')}, first {case['first_seen']}, last {case['last_seen']}",
    ]
    for name in ("code", "correlation", "note"):
        lines += [f"  {name:<9} {case[name]}"] if case[name] else []
    lines += [
        f"  impact    {case['impact']}",
        f"  itself    {case['by_itself']}",
        *typed("look", case["look"]),
    ]
    lines += [f"  next      {case['next']}", *typed("do", case["remedy"]), f"  retry     {case['retry']}"]
    lines += [f"  over      {case['closes']}"] if case["closes"] != case["retry"] else []
    lines += [f"  more      archsyncctl explain {case['kind']}; {case['manual']}"]
    lines += [f"  received  {case['payload']}"] if case["payload"] else []
    return [shown(line) for line in lines]


def typed(head: str, commands: Sequence[str]) -> list[str]:
    """Commands one below the other."""
    return [f"  {'' if number else head:<9} {command}" for number, command in enumerate(commands)]


def snapshot_lines(snapshot: Answer) -> list[str]:
    """One snapshot with its figures."""
    lines = [
        f"snapshot {snapshot['id']} of feed {snapshot['feed']}: {snapshot['state']}",
        f"  records   {snapshot['records']:,}, {snapshot['rejected']:,} unreadable; as of {snapshot['as_of'] or '-'}",
        f"  digest    {snapshot['digest'] or '-'}",
        f"  places    {', '.join(snapshot['locations']) or '-'}",
    ]
    figures = snapshot["figures"]
    if figures:
        lines += [
            (
                f"  known     {counted(figures['known'], 'level')} there, {figures['in_stock']:,} in stock, "
                f"{figures['absent']:,} not named"
            ),
            f"  would     change {counted(figures['changed'], 'level')} and set {figures['to_zero']:,} to zero",
            f"  pieces    {figures['pieces_up']:,} more and {figures['pieces_down']:,} fewer in all",
        ]
    lines += [f"  because   {reason}" for reason in snapshot["reasons"]]
    for number, change in enumerate(snapshot["changes"]):
        before, after = (_figure(change[name]) for name in ("before", "after"))
        lines.append(
            f"  {'' if number else 'largest':<9} {change['sku']} at {change['location']}: {before} to {after}"
        )
    lines += [f"  next      {snapshot['next']}"] if snapshot.get("next") else []
    return [shown(line) for line in lines]


def _figure(value: int | None) -> str:
    return "nothing" if value is None else f"{value:,}"
