"""The command line of archsyncctl: verbs, options, help. Knows no socket; imports argparse only."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import NoReturn

from archsyncd.operator.examples import example_text
from archsyncd.operator.fields import fields_text
from archsyncd.operator.protocol import EXIT_USAGE

DEFAULT_SOCKET = "/run/archsyncd/control.sock"
GROUPS = ("exceptions", "orders", "snapshot", "report", "credentials", "alerts")
DEFAULT_CONFIG = "/etc/archsyncd/config.toml"
DEFAULT_CREDENTIALS = "/etc/archsyncd/credentials"
FORMATS = ("json", "ndjson", "csv", "xml")
RECORD_TYPES = ("stock.level", "stock.movement", "fulfilment", "return.received", "order.accepted")
ORDER_STATES = (
    "",
    "learned",
    "waiting",
    "ready",
    "sending",
    "in_doubt",
    "received",
    "accepted",
    "cancelling",
    "cancelled",
    "part_shipped",
    "shipped",
    "closed",
    "closed_short",
    "held",
    "dismissed",
)
STATES = ("open", "waiting", "resolved", "dismissed", "all")
_EXITS = """\
exit status:
  0   done; with status --check: healthy
  1   somebody must act, or there is no such thing; with status --check: degraded
  2   with status --check: critical; else the daemon failed at it
  3   the daemon is not reachable
  64  the command line was wrong
  78  with credentials check and inspect: the configuration, profile or file cannot be used
  130 stopped with Ctrl-C; watch then ends with 0
"""
_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """argparse with exit status 64 and a guess at what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help."""
        found = _CHOICE.search(message)
        if found:
            known = [word.strip(" '") for word in found[2].split(",")]
            near = difflib.get_close_matches(found[1], known, n=1)
            message += f"; did you mean {near[0]}?" if near else ""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def parser() -> Parser:
    """Build the whole command line."""
    common = Parser(add_help=False)
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="answer as JSON, with stable field names",
    )
    common.add_argument(
        "--socket",
        metavar="PATH",
        default=argparse.SUPPRESS,
        help=f"the control socket (default {DEFAULT_SOCKET})",
    )
    made = Parser(
        prog="archsyncctl",
        description="Asks the running archsyncd, and acts on what it set aside for a person.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    verbs = made.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    _looks(verbs, common)
    _exceptions(verbs, common)
    _snapshots(verbs, common)
    _reports(verbs, common)
    _acts(verbs, common)
    _reconcile(verbs, common)
    _explains(verbs, common)
    _alerts(verbs, common)
    _inspects(verbs, common)
    _verifies(verbs, common)
    return made


def _verb(
    verbs: argparse._SubParsersAction[Parser],
    name: str,
    common: Parser,
    says: str,
    within: str = "",
) -> Parser:
    # Exit statuses and fields stand below every verb's help too: scripts rest on them.
    fields = "" if name in GROUPS else f"{example_text(within + name)}{fields_text(within + name)}\n\n"
    return verbs.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        parents=[common],
        epilog=fields + _EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _looks(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    status = _verb(verbs, "status", common, "the verdict with its root cause, and the figures behind it")
    status.add_argument(
        "--check", action="store_true", help="exit 0 healthy, 1 degraded, 2 critical, 3 unreachable"
    )
    watch = _verb(verbs, "watch", common, "the status every second")
    watch.add_argument("--count", type=int, default=0, metavar="N", help="stop after so many looks")
    sku = _verb(verbs, "sku", common, "everything known of one SKU, with the arithmetic checked")
    sku.add_argument("sku", metavar="SKU")
    sku.add_argument(
        "--history",
        type=int,
        default=12,
        metavar="N",
        help="changes of each key shown (default 12, at most 200)",
    )
    sku.add_argument("--all", action="store_true", help="show the whole history of each key")
    history = _verb(verbs, "history", common, "what changed what is applied of one SKU, with its sum checked")
    history.add_argument("sku", metavar="SKU")
    history.add_argument("--channel", default="", metavar="KEY", help="in this supply channel only")
    history.add_argument("--csv", action="store_true", help="as CSV")
    order = _verb(verbs, "order", common, "one order: where it stands, both systems' states, its history")
    order.add_argument("reference", metavar="NUMBER|ID")
    orders = _verb(verbs, "orders", common, "orders on their way to Archean and back")
    listed = orders.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    listing = _verb(listed, "list", common, "orders in a state, or how many are in each", "orders.")
    listing.add_argument(
        "--state", default="", choices=ORDER_STATES, metavar="STATE", help=", ".join(ORDER_STATES[1:])
    )
    listing.add_argument(
        "--limit", type=int, default=100, metavar="N", help="orders shown in the table (default 100)"
    )
    plan = _verb(verbs, "plan", common, "what would be written now: current, wanted and why")
    plan.add_argument("--csv", action="store_true", help="every key as CSV")
    plan.add_argument(
        "--limit", type=int, default=50, metavar="N", help="keys shown in the table (default 50)"
    )
    audit = _verb(verbs, "audit", common, "identifiers of both systems that do not fit, with near-matches")
    csv = "every finding as CSV; a cell that a spreadsheet would take for a formula begins with '"
    audit.add_argument("--csv", action="store_true", help=csv)
    audit.add_argument("--last", action="store_true", help="the last result again, nothing is asked")
    audit.add_argument(
        "--limit", type=int, default=50, metavar="N", help="findings shown in the table (default 50)"
    )
    _verb(verbs, "backlog", common, "what waits to be written, by class and age")
    samples = _verb(verbs, "samples", common, "the figures of the last hours, as the page draws them")
    samples.add_argument(
        "--hours", type=int, default=6, metavar="N", help="how far back, 1 to 24 (default %(default)s)"
    )


def _exceptions(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    exceptions = _verb(verbs, "exceptions", common, "cases set aside for a person")
    acts = exceptions.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    listed = _verb(acts, "list", common, "open cases, oldest first", "exceptions.")
    _narrowed(listed)
    listed.add_argument("--csv", action="store_true", help="the cases as CSV")
    listed.add_argument(
        "--limit", type=int, default=100, metavar="N", help="cases shown in the table (default 100)"
    )
    exported = _verb(acts, "export", common, "every such case whole, as CSV or with --json", "exceptions.")
    _narrowed(exported)
    exported.add_argument("--csv", action="store_true", help="CSV, which is what it writes without --json")
    _verb(acts, "show", common, "one case whole", "exceptions.").add_argument("id", type=int, metavar="ID")
    _several(_verb(acts, "retry", common, "do again what cases are about", "exceptions."))
    dismiss = _verb(acts, "dismiss", common, "close cases for a reason", "exceptions.")
    _several(dismiss)
    dismiss.add_argument("--reason", required=True, metavar="TEXT")


def _narrowed(verb: Parser) -> None:
    verb.add_argument("--kind", default="", metavar="KIND", help="of this kind alone")
    verb.add_argument("--state", default="open", choices=STATES, metavar="STATE", help=", ".join(STATES))
    verb.add_argument("--owner", default="", metavar="TEAM", help="of this team alone")


def _several(verb: Parser) -> None:
    verb.add_argument("id", type=int, nargs="*", metavar="ID")
    verb.add_argument("--kind", default="", metavar="KIND", help="with --shown: as the list was narrowed")
    verb.add_argument("--owner", default="", metavar="TEAM", help="with --shown: as the list was narrowed")
    verb.add_argument(
        "--shown",
        default="",
        metavar="DIGEST",
        help="exactly the cases that `exceptions list` has shown, as long as none of them has changed since",
    )


def _snapshots(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    snapshot = _verb(verbs, "snapshot", common, "full batches, and those held for a person")
    acts = snapshot.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    _verb(acts, "list", common, "the newest snapshots", "snapshot.")
    _verb(acts, "show", common, "one snapshot in figures", "snapshot.").add_argument("id", metavar="ID")
    approve = _verb(acts, "approve", common, "apply exactly what was reviewed", "snapshot.")
    approve.add_argument("id", metavar="ID")
    approve.add_argument("--digest", required=True, metavar="D", help="as `snapshot show` tells it")
    says = "have a feed take a full now; a directory waits for one"
    request = _verb(acts, "request", common, says, "snapshot.")
    request.add_argument("feed", metavar="FEED")
    reject = _verb(acts, "reject", common, "drop a held snapshot", "snapshot.")
    reject.add_argument("id", metavar="ID")
    reject.add_argument("--reason", required=True, metavar="TEXT")


def _reconcile(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    verb = _verb(verbs, "reconcile", common, "compare every inventory entry with what it should show")
    acted = "--stop and --allow-raises answer with done and says alone."
    verb.epilog = f"{acted}\n\n{verb.epilog}"
    what = verb.add_mutually_exclusive_group(required=True)
    for name, says in (
        ("dry-run", "only list what differs"),
        ("apply", "have it corrected: cut at once, raised when two clean reads say the same"),
    ):
        what.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=says)
    what.add_argument(
        "--show", dest="run", nargs="?", type=int, const=0, metavar="RUN", help="a run, by default the newest"
    )
    what.add_argument("--stop", dest="mode", action="store_const", const="stop", help="end the run under way")
    what.add_argument(
        "--allow-raises",
        dest="mode",
        action="store_const",
        const="allow",
        help="let raises go on that were held because there were too many within a day",
    )
    verb.add_argument("--channel", default="", metavar="KEY", help="one supply channel only")
    verb.add_argument("--sku", default="", metavar="SKU", help="one SKU only")
    verb.add_argument("--no-wait", action="store_true", help="begin the run and return")
    verb.add_argument("--csv", action="store_true", help="what was found, as CSV")
    verb.add_argument(
        "--limit", type=int, default=50, metavar="N", help="findings shown in the table (default 50)"
    )


def _explains(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    says = "what a code means: of an exception, of the status, of the journal; needs no daemon"
    explain = _verb(verbs, "explain", common, says)
    explain.add_argument(
        "code",
        nargs="?",
        default="",
        metavar="CODE",
        help="as exceptions and the status tell it, an event's name or MESSAGE_ID; without it every code is listed",
    )


def _inspects(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    says = "a sample of a foreign system: a mapping profile that would read it, or what a profile reads; needs no daemon"
    inspect = _verb(verbs, "inspect", common, says)
    inspect.add_argument(
        "sample", metavar="SAMPLE", help="a file as the system writes it: JSON, NDJSON, CSV or XML"
    )
    inspect.add_argument("--profile", default="", metavar="FILE", help="try this profile, and propose none")
    inspect.add_argument(
        "--format", default="", choices=FORMATS, help="how the sample is written; else it is found out"
    )
    inspect.add_argument(
        "--type", default="", choices=RECORD_TYPES, help="what its records are about; else it is found out"
    )
    inspect.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --profile: one that the message of the sample came with",
    )
    inspect.add_argument("--tz", default="", metavar="ZONE", help="of times that tell none, as Europe/London")
    inspect.add_argument(
        "--write", default="", metavar="FILE", help="write the proposed profile to a new file"
    )
    inspect.add_argument("--limit", type=int, default=5, metavar="N", help="records shown (default 5)")


def _reports(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    report = _verb(verbs, "report", common, "what people check each day and each week, and what finance asks")
    acts = report.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    says = "what a person checks each day, worst first and by owner; exit 1 when somebody must act"
    _verb(acts, "daily", common, says, "report.")
    says = "the same over 7 days, compared with the 7 days before, and what is left lying"
    _verb(acts, "weekly", common, says, "report.")
    finance = _verb(acts, "finance", common, "orders whose money and goods do not agree yet", "report.")
    finance.add_argument("--csv", action="store_true", help="every such order as CSV")
    finance.add_argument(
        "--limit", type=int, default=10, metavar="N", help="orders shown of each section (default 10)"
    )


def _acts(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    for name, says in (("pause", "stop reading a feed or writing to a channel"), ("resume", "let it go on")):
        verb = _verb(verbs, name, common, says)
        verb.add_argument("what", choices=("channel", "feed"))
        verb.add_argument("name", metavar="NAME")
    replay = _verb(verbs, "replay", common, "read a feed's records once more, or one SKU's level")
    replay.add_argument("--feed", required=True, metavar="NAME")
    chosen = replay.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--from",
        dest="place",
        default="",
        metavar="TIME|CURSOR",
        help="an RFC 3339 time, so long ago (90m, 6h, 2d), or a cursor as the source told it",
    )
    chosen.add_argument("--sku", default="", metavar="SKU", help="ask the source for this SKU alone")
    says = "settle on a sandbox project what only a live one can tell; needs no daemon, places orders and deletes them"
    probing = _verb(verbs, "probe", common, says)
    probing.add_argument(
        "--i-know-this-is",
        dest="named",
        required=True,
        metavar="KEY",
        help="the project key that the configuration names",
    )
    probing.add_argument(
        "--config", default=DEFAULT_CONFIG, metavar="PATH", help="the configuration (default %(default)s)"
    )
    probing.add_argument(
        "--credentials",
        default=DEFAULT_CREDENTIALS,
        metavar="DIR",
        help="where commercetools-client-secret stands (default %(default)s)",
    )
    backup = _verb(verbs, "backup", common, "write and verify a backup below the state directory")
    backup.add_argument("file", metavar="FILE", help="a bare name, or a path inside the state directory")
    _verb(verbs, "reload", common, "read the configuration again")
    credentials = _verb(verbs, "credentials", common, "secrets, before the daemon gets them")
    acts = credentials.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    says = "try a new secret on the system that it is for; needs no daemon"
    check = _verb(acts, "check", common, says, "credentials.")
    check.add_argument("name", metavar="NAME", help="commercetools-client-secret, or feed-NAME")
    check.add_argument(
        "--from", dest="file", required=True, metavar="FILE", help="where the new secret stands"
    )
    check.add_argument(
        "--config", default=DEFAULT_CONFIG, metavar="PATH", help="the configuration (default %(default)s)"
    )


def _alerts(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    alerts = _verb(verbs, "alerts", common, "messages to people, and the ways they take")
    acts = alerts.add_subparsers(dest="act", metavar="ACT", required=True, parser_class=Parser)
    listed = _verb(acts, "list", common, "the newest messages, and what became of each", "alerts.")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="messages shown (default 50)")
    test = _verb(acts, "test", common, "send a message by each way now, and tell what came of it", "alerts.")
    test.add_argument("--way", default="", choices=("webhook", "email", "command"), help="by this way alone")
    says = "let a cause neither count nor be told until a time; it ends by itself when it gets worse"
    mute = _verb(
        verbs,
        "mute",
        common,
        says,
    )
    _muted(mute)
    end = mute.add_mutually_exclusive_group(required=True)
    _ends(end)
    mute.add_argument("--reason", required=True, metavar="TEXT", help="for whoever wonders")
    says = "the same for what is there now, until it is gone: the next time it is told again"
    ack = _verb(
        verbs,
        "ack",
        common,
        says,
    )
    _muted(ack)
    _ends(ack.add_mutually_exclusive_group())
    ack.add_argument("--reason", default="acknowledged", metavar="TEXT", help="for whoever wonders")
    _verb(verbs, "mutes", common, "what is muted, by whom and until when")
    unmute = _verb(verbs, "unmute", common, "end a mute")
    _muted(unmute)
    actions = _verb(verbs, "actions", common, "who did what, the newest first")
    actions.add_argument("--limit", type=int, default=50, metavar="N", help="actions shown (default 50)")


def _verifies(verbs: argparse._SubParsersAction[Parser], common: Parser) -> None:
    says = "hold a source against the contract r247/1, rule by rule; needs no daemon and writes nothing"
    verb = _verb(verbs, "verify-source", common, says)
    verb.epilog = f"{_VERIFIED}\n{verb.epilog}"
    verb.add_argument(
        "source",
        nargs="?",
        default="",
        metavar="URL|DIR|SUBSCRIPTION",
        help="its base address, the directory of its files, or projects/P/subscriptions/S",
    )
    verb.add_argument("--config", default=None, metavar="FILE", help="take source and credential from here")
    verb.add_argument(
        "--feed", default="", metavar="NAME", help="with --config: which feed (default the first)"
    )
    verb.add_argument(
        "--profile", default="", metavar="FILE", help="of a source with names of its own: what it is read by"
    )
    verb.add_argument("--credential", default="", metavar="FILE", help="the file that holds the credential")
    verb.add_argument(
        "--credentials", default="", metavar="DIR", help=f"as for the daemon (default {DEFAULT_CREDENTIALS})"
    )
    verb.add_argument(
        "--auth", default="", choices=("bearer", "basic", "api-key"), help="how it is sent (default bearer)"
    )
    verb.add_argument("--ca-file", default="", metavar="FILE", help="authorities of its certificate (PEM)")
    verb.add_argument(
        "--snapshot",
        action="store_true",
        help="ask for a snapshot (POST /v1/snapshots), which makes the source work; else GET /v1/stock is read",
    )
    verb.add_argument(
        "--peek",
        action="store_true",
        help="of a subscription: have some messages delivered and give them back, which counts as an attempt",
    )
    verb.add_argument(
        "--old-cursor", default="", metavar="CURSOR", help="one that has expired, to see that it is refused"
    )
    verb.add_argument(
        "--interval",
        type=int,
        default=0,
        metavar="SECONDS",
        help="within which a heartbeat is due (default 15)",
    )
    verb.add_argument(
        "--limit", type=int, default=200, metavar="N", help="requests or files at most (default %(default)s)"
    )
    verb.add_argument(
        "--ready",
        default="",
        choices=("manifest", "rename", "stable"),
        help="of files: how they become ready",
    )
    verb.add_argument(
        "--delimiter", default="", metavar="SIGN", help="of CSV files: a comma, a semicolon or a tab"
    )


_VERIFIED = """\
exit status of verify-source:
  0   every MUST holds (what a SHOULD costs is told)
  1   a MUST does not hold
  2   none fails, but one could not be asked; or the source could not be asked at all
what a source with names of its own has no way to promise (--profile) is told, with its price, and counts for neither
"""


def _muted(verb: Parser) -> None:
    verb.add_argument("code", metavar="CODE", help="a reason's code in status --json, or a kind of exception")
    verb.add_argument(
        "--subject", default="", metavar="S", help="of this feed, channel, SKU or order alone; else of all"
    )


def _ends(group: argparse._MutuallyExclusiveGroup) -> None:
    group.add_argument(
        "--for",
        dest="for_seconds",
        type=duration,
        default=0,
        metavar="TIME",
        help="30m, 2h or 3d; 7 days at most",
    )
    group.add_argument("--until", default="", metavar="TIME", help="as 2026-05-01T18:00:00+02:00")


def duration(text: str) -> int:
    """Seconds of a duration like 30m, 2h or 3d. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration like 30m, 2h or 3d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
