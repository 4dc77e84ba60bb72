"""The fields of each verb's JSON answer, as its help tells them; programs may rest on these names. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping

REPORT: Mapping[str, str] = {
    "report": "daily | weekly",
    "project": "commercetools' project key",
    "at": "when it was made",
    "from": "the time that it covers begins here",
    "previous": "when the last one of its kind was told",
    "act": "whether somebody must act, which is exit status 1",
    "verdict": "healthy | degraded | critical",
    "sentence": "the verdict with its root cause",
    "items": "[need (act | look | fine), topic, owner, says, next], worst first",
    "noted": "whether it counts as told; false on a host that may not write",
}
# Durations are seconds, quantities pieces, times RFC 3339 in UTC. What is not known is null.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "status": {
        "verdict": "healthy | degraded | critical",
        "sentence": "the verdict with its root cause",
        "exit": "what --check ends with",
        "reasons": "[level, code, subject, says, next], root cause first",
        "muted": "[level, code, subject, says, kind, until, by, reason, mute (its code and subject, as unmute takes them)]: what "
        "does not count",
        "version": "the program's version",
        "project": "commercetools' project key",
        "ledger": "id of the database's lineage",
        "at": "when it was looked at",
        "uptime_seconds": "since the process started",
        "loop_lag_seconds": "how long the process stood still at the worst, within the last minute",
        "inventory_mode": "tracked | untracked",
        "rollout": "plan | allow-list | all",
        "writes": "whether stock is written now",
        "increase_bound_seconds": "how long an increase waits at most",
        "tenure": "the lease in one line",
        "requests": "per_second, limit_per_second, configured_per_second, in_flight, in_flight_limit, waiting, blocked, "
        "held_back_seconds, total, throttled, write_batch",
        "paused": "channels, feeds",
        "notes": "by name, a sentence each",
        "counters": "by name, since the start",
        "feeds": "[name, transport, verdict, age_seconds, interval_seconds, fault, paused, snapshot_due, quiet_until, epoch, "
        "seq, behind, read, applied, rejected]",
        "locations": "[name, channel, state (fresh | late | stale | quiet | unheard), feeds, told_seconds, withheld], worst "
        "first, at most 100",
        "waiting": "[class, name, keys, oldest_seconds]",
        "oldest_decrease_seconds": "the age of the oldest decrease that waits",
        "in_doubt": "keys, oldest_seconds: writes whose outcome is not known yet",
        "unlooked": "keys whose entry was not looked at yet, counted up to 1,000",
        "parked": "keys by reason; they are those of keys.out_of_step that are neither to_write nor to_read",
        "orders": "complete_to, behind_seconds, open, oldest_open",
        "hand_over": "null where another system hands orders over; else states [state, orders, oldest_seconds], dispatches "
        "[kind, stage, count, oldest_seconds], lags (handed_over: created to accepted; booked: dispatched to booked) with "
        "count, p50_seconds, p99_seconds",
        "keys": "total, out_of_step, to_write, to_read",
        "data": "locations (how many by state), withheld, oldest_level_seconds, suspected_oversells, "
        "unknown_skus, unknown_share, drifting, stalled, "
        "untaken_seconds (by way: for how long nobody takes what waits), untracked_lines, untracked_pieces, "
        "saturated_share, database_bytes, log_bytes, free_bytes, doubt",
        "exceptions": "[kind, severity, owner, cases, occurrences, oldest_seconds, overdue, next]",
        "reconcile": "the newest comparison of the inventory (null: there was none): run, mode, cause, channel, sku, state, "
        "began, ended, entries, keys, differing, undecided, held_raises",
    },
    "sku": {
        "sku": "as asked",
        "archean_sku": "what Archean calls it, as far as it was told under an alias; else the same",
        "levels": "[location, channel, sells, counts, buffer, withheld, feed, epoch, seq, on_hand, available, as_of]",
        "keys": "[channel, rule (what [channels.X] skus_file says of it), f, reflected, untracked, closed, known, x_target, "
        "x_applied, base, parked, attempts, expected_delivery (what the entry should show), expected_written, entry, "
        "operation, waiting, made_of, waits_for, sentence, checks, adds_up]; entry (as booked, nobody has looked for this "
        "answer): id, version, created, shows (what it should show by the ledger), wanted, answered (when a write or a read last "
        "changed that); made_of and waits_for: sentences, where other keys sell the same pieces",
        "lines": "[order, number, state, line, channel, quantity, tracked, released, reflected, created, accepted, proofs]",
        "lines_total": "how many open lines there are; at most 100 are told",
        "timelines": "by channel, as keys of history, with rows (the newest) and more: whether there are earlier ones",
        "cases": "as in exceptions list",
    },
    "history": {
        "sku": "as asked",
        "keys": "[channel, opening, opening_to, changes, deltas, sum, current, adds_up, drifts, newest_drifts]; opening + deltas "
        "= sum, which adds up where it is current",
        "rows": "[channel, n, at, kind, delta, after, says, op, who, count, f, reflected, untracked, known], the oldest first; "
        "kind order or case: an order placed, a case opened or closed, with no delta",
    },
    "order": {
        "order": "commercetools' id",
        "number": "the order number",
        "state": "where it stands between the two systems",
        "since": "since when",
        "age_seconds": "for how long",
        "reason": "why it stands there",
        "created": "when it was placed",
        "source_order": "Archean's number",
        "sent": "how often it was sent",
        "cancelled": "whether commercetools has cancelled it",
        "noted": "whether Archean's number stands on it",
        "next": "the next step",
        "commercetools": "order_state, payment_state, shipment_state, version, lines, deliveries, returns; null: not answered",
        "archean": "status, source_order; null: not answered",
        "dispatches": "[kind, id, status, stage, since, reason, delivery, acknowledged, lines, tracking]",
        "history": "[at, state, says]",
        "cases": "as in exceptions list",
    },
    "orders.list": {
        "rows": "[order, number, state, since, age_seconds, reason, created, source_order]",
        "more": "whether others were left out",
        "states": "[state, orders, oldest_seconds], of orders that are not over",
    },
    "plan": {
        "rows": "[channel, sku, action, current, wanted, change, reason]; action is create, decrease, increase, wait, check "
        "or parked",
        "totals": "keys and pieces by action",
    },
    "audit": {
        "rows": "[number, kind, name, place, near, differs, says]; kind is not_sent, not_sold, sku_twice, sku_unusable, "
        "location_unmapped, channel_missing or channel_without_location; near is the other side's SKU, if one is alike",
        "totals": "findings by kind; a kind without any is left out",
        "sold": "SKUs of published products and of entries in the channels of [locations]",
        "sent": "SKUs that Archean has told of, at any location",
        "without_sku": "variants of published products that have no SKU",
        "requests": "what it took",
        "kept": "findings that are told; beyond 200,000 of a kind they are only counted",
        "at": "when it began",
        "seconds": "how long it took",
    },
    "backlog": {
        "rows": "[class, name, keys, oldest_seconds, ages, done_in_seconds]",
        "age_steps_seconds": "the upper ends of `ages`; its last count is of older ones",
        "parked": "keys by reason",
        "keys_per_second_at_most": "what the request rate allows now",
        "age_seconds": "how long ago the keys were counted: just now, unless counting them takes long",
    },
    "samples": {
        "from": "the begin of the time asked about",
        "to": "its end",
        "step_seconds": "what one row covers",
        "rows": "[at, verdict, near_zero, decreases, from_zero, increases, oldest_decrease_seconds, requests_per_second, "
        "limit_per_second, exceptions, orders_behind_seconds]: the worst of each step; no row where nothing was noted",
    },
    "exceptions.list": {
        "rows": "[id, kind, severity, owner, state, scope, subject, reason, count, first_seen, last_seen, age_seconds, overdue]",
        "more": "whether others were left out",
        "digest": "names exactly these open cases as they are now, for --shown of retry and dismiss; null of closed ones",
    },
    "exceptions.export": {
        "rows": "every field of exceptions show",
        "cases": "how many there are",
    },
    "exceptions.retry": {
        "done": "whether every case was done",
        "says": "a sentence",
        "rows": "[id, done, says]",
    },
    "exceptions.dismiss": {
        "done": "whether every case was done",
        "says": "a sentence",
        "rows": "[id, done, says]",
    },
    "exceptions.show": {
        "id": "its number",
        "kind": "its kind",
        "severity": "critical | warning",
        "owner": "the team that acts",
        "state": "open | waiting | resolved | dismissed",
        "scope": "the channel or feed",
        "subject": "what it is about",
        "reason": "what happened",
        "count": "how often it was seen",
        "first_seen": "when it opened",
        "last_seen": "when it was last seen",
        "age_seconds": "since it opened",
        "overdue": "whether its owner's limit is over",
        "code": "a stable code within the kind",
        "payload": "what was received, at most 4 KiB",
        "correlation": "to find it in the journal",
        "note": "how it was closed",
        "escalates_at": "when its owner's limit is over",
        "impact": "what is noticed of it",
        "by_itself": "what the daemon does meanwhile",
        "closes": "when it closes itself",
        "look": "commands that show more, at most two",
        "next": "the next step",
        "remedy": "commands that settle it, at most two",
        "retry": "what retry does",
        "manual": "where all about its kind stands",
    },
    "report.daily": {
        **REPORT,
        "owners": "[owner, open, new, overdue, oldest_seconds, closed, handling_seconds], the slowest first; closed and "
        "handling_seconds (on average) of those closed since `from`",
    },
    "report.weekly": {
        **REPORT,
        "owners": "as in report daily",
        "kinds": "[kind, owner, open, new, overdue, oldest_seconds, opened, opened_before, resolved, dismissed, "
        "closed_before]; before: in the 7 days before these, as far as closed cases are kept",
        "tidy": "[need, topic, owner, says, next]; topic is dismissed, folded, paused, mapping or rollout",
    },
    "report.finance": {
        "rows": "[section, order, number, source_order, dispatch, state, since, age_seconds, reason]; section is "
        "unfulfillable, shipped_not_booked, booked_not_acknowledged, open_return or cancelled_after_handover",
        "totals": "by section: orders, oldest_seconds",
    },
    "snapshot.list": {"rows": "[id, feed, state, records, rejected, digest, as_of, at, reasons]"},
    "snapshot.show": {
        "id": "its id here",
        "feed": "the feed it came from",
        "state": "reading | held | applying | applied | rejected",
        "records": "levels in it",
        "rejected": "unreadable records",
        "digest": "names exactly this content",
        "as_of": "the source's time",
        "at": "when it was read",
        "reasons": "why it is held",
        "epoch": "the source's epoch",
        "seq_at": "the position it stands at",
        "locations": "what it covers, at most 100",
        "figures": "what it would change",
        "changes": "while it is held, the largest of them: [location, sku, before, after]",
        "next": "the command that approves it, while it is held",
    },
    "backup": {"done": "true", "says": "a sentence", "file": "where it is", "bytes": "its size"},
    "probe": {
        "done": "whether everything is settled, nothing alarming, and nothing left behind",
        "project": "the project's key",
        "prefix": "what everything it made began with",
        "answers": "[question, answer, alarm, says]; answer is null where it is not settled",
        "left": "what could not be taken away, with the reason",
        "configuration": "the lines of config.toml that follow",
        "says": "a sentence",
    },
    "verify-source": {
        "source": "what was asked or looked at",
        "exit": "the exit status",
        "says": "the report in a sentence",
        "rules": "[rule, page (r247.md | profiles.md), section (of it), weight (must | should), verdict (holds | fails | "
        "unasked | cannot), asks (what the rule says), says (what was seen), costs (of what fails or cannot be guaranteed; else "
        "null), evidence [asked, excerpt]]",
        "requests": "requests that were sent; of a directory, files that were read",
        "seconds": "how long it took",
    },
    "credentials.check": {
        "done": "whether it works",
        "says": "a sentence",
        "notes": "[weight (fact | look | wrong), subject, says]",
    },
    "alerts.list": {
        "rows": "[id, kind, level, code, subject, owner, count, before, since, at, headline, lines, examples, next, command, "
        "deliveries [way, state, attempts, at, says]], the newest first",
        "more": "whether others were left out",
    },
    "alerts.test": {
        "done": "whether every way took it",
        "says": "a sentence",
        "rows": "[way, target, done, says]",
    },
    "mute": {"done": "true", "says": "a sentence", "until": "when it ends at the latest"},
    "ack": {"done": "true", "says": "a sentence", "until": "when it ends at the latest"},
    "mutes": {"rows": "[code, subject, kind, until, left_seconds, since, level, count, by, reason]"},
    "actions": {
        "rows": "[id, at, who, verb, arguments, outcome, says]; who is as the client says, which nobody can prove; outcome is "
        "done, nothing, refused, failed or unknown",
        "more": "whether others were left out",
    },
    "reconcile": {
        "run": "its number",
        "mode": "dry-run | apply",
        "cause": "nightly | operator",
        "channel": "the only channel compared, empty for all",
        "sku": "the only SKU compared, empty for all",
        "state": "running | done | stopped | failed",
        "reason": "why it failed or was stopped",
        "began": "when it began",
        "ended": "when it ended",
        "entries": "entries compared so far",
        "keys": "keys there were in all when it began",
        "agreeing": "keys that are as they should be",
        "differing": "keys that are not",
        "undecided": "keys that could not be judged (busy or unproven): ask again",
        "planned": "keys that are read once more and corrected",
        "held_raises": "keys that are not raised until a person allows",
        "listed": "findings in all; `rows` holds up to 1,000 of each kind",
        "totals": "[channel, found, keys, pieces]; found is agrees, busy, unproven, too-many, too-few, foreign, missing, "
        "restockable, unreadable, no-channel, unmanaged or unknown-channel",
        "rows": "[found, channel, sku, entry, shown, expected, change, says]",
    },
    "explain": {
        "entries": "[code, sort (exception, verdict, journal), severity, owner, meaning, impact, by_itself, look, next, remedy, "
        "closes, retry, message_id]; owner: whose it usually is",
    },
    "inspect": {
        "sample": "the file, as asked",
        "form": "json | ndjson | csv | xml",
        "records": "how many records it has",
        "passed_over": "records that the profile says to skip",
        "understood": "records that were read",
        "rejected": "records that were set aside",
        "rows": "[line, record (as r247/1 has it)], the first of those that were read",
        "faults": "[line, code, says, path, value, sku]; up to 1,000",
        "name": "kind, number (null: ordered by time), at, parts: what the file's name tells by the profile; null: nothing",
        "fields": "[field, path, confidence (sure | likely | a guess), samples, note], of a proposal",
        "missing": "sentences: what has to be found out",
        "warnings": "sentences: what was read, and is hardly meant so",
        "unused": "paths that nothing is made of",
        "profile": "the proposal, to be written to a file; null with --profile",
        "transports": "[transport, usable, says, config (its table; null where it is not usable)]; none while it is not whole",
    },
    "reload": {"done": "true", "says": "a sentence", "restart": "keys that need a restart"},
}
ACTED: Mapping[str, str] = {"done": "whether anything changed", "says": "a sentence"}
REFUSED = 'refused: {"ok": false, "error": sentence, "code": exit status}'


def fields_of(verb: str) -> Mapping[str, str]:
    """The fields of a verb's answer; verbs that act and tell no more share theirs. `watch` repeats the status."""
    return FIELDS["status"] if verb == "watch" else FIELDS.get(verb, ACTED)


def fields_text(verb: str) -> str:
    """The fields as help text."""
    every = fields_of(verb)
    width = max(len(name) for name in every)
    lines = [f"  {name:<{width}}  {says}" for name, says in every.items()]
    return "\n".join(["fields of --json:", *lines, f"  {REFUSED}"])
