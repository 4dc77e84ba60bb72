"""One example of each verb of archsyncctl, as its help and its manual tell it. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "status": "status --check",
    "watch": "watch --count 10",
    "sku": "sku ABC-1",
    "order": "order CT-10045",
    "orders.list": "orders list --state held",
    "plan": "plan --csv",
    "backlog": "backlog",
    "exceptions.list": "exceptions list --kind sku_not_found --owner data",
    "exceptions.export": "exceptions export --owner data --csv",
    "exceptions.show": "exceptions show 12",
    "exceptions.retry": "exceptions retry 12 13 14",
    "exceptions.dismiss": 'exceptions dismiss 12 --reason "the product is not sold any more"',
    "snapshot.list": "snapshot list",
    "snapshot.show": "snapshot show 5f3a",
    "snapshot.approve": "snapshot approve 5f3a --digest 9c1e",
    "snapshot.reject": 'snapshot reject 5f3a --reason "a test file"',
    "report.daily": "report daily",
    "report.weekly": "report weekly --json",
    "report.finance": "report finance --csv",
    "pause": "pause channel warehouse-1",
    "resume": "resume feed main",
    "backup": "backup monday.db",
    "reload": "reload",
    "history": "history ABC-1 --csv",
    "samples": "samples --hours 24 --json",
    "audit": "audit --csv",
    "reconcile": "reconcile --dry-run --channel warehouse-1",
    "explain": "explain sku_not_found",
    "replay": "replay --feed main --from 6h",
    "snapshot.request": "snapshot request main",
    "probe": "probe --config sandbox.toml --credentials secrets --i-know-this-is shop-sandbox",
    "alerts.list": "alerts list",
    "alerts.test": "alerts test --way email",
    "mute": 'mute sku_not_found --for 2h --reason "the new range comes at noon"',
    "ack": 'ack feed_stale --subject main --reason "the WMS is being updated"',
    "mutes": "mutes",
    "unmute": "unmute sku_not_found",
    "actions": "actions --limit 20",
    "inspect": "inspect BESTAND_20261123_0200.csv --tz Europe/Berlin --write profiles/site1.json",
    "credentials.check": "credentials check feed-main --from new-secret",
}


def example_text(verb: str) -> str:
    """The example as help text; empty for a verb that has none here."""
    example = EXAMPLES.get(verb)
    return f"example:\n  archsyncctl {example}\n\n" if example else ""
