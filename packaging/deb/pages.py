"""Manual pages (as scdoc text) and shell completion, from the declarations that the program itself reads."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import shtab

from archsyncd.cli import parser as daemon_parser
from archsyncd.config.explaining import Described, described
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, EXIT_USAGE
from archsyncd.operator.fields import fields_of
from archsyncd.operator.parser import parser as operator_parser

COMPLETED = (("archsyncd", daemon_parser), ("archsyncctl", operator_parser))
GROUP_VERBS = "archsyncctl "
# Said once for all verbs.
COMMON_USAGE = re.compile(r"\[-h\] ?|\[--json\] |\[--socket PATH\] ?")
COMMON_DESTS = ("help", "version", "json", "socket")


def every() -> Iterator[tuple[str, int, str]]:
    """Name, section and text of each page."""
    yield "archsyncd", 8, daemon_page()
    yield "archsyncctl", 1, operator_page()
    yield "archsyncd.config", 5, configuration_page()


def completion() -> Iterator[tuple[str, str]]:
    """Path and text of each completion script."""
    for name, make in COMPLETED:
        yield f"usr/share/bash-completion/completions/{name}", shtab.complete(make(), shell="bash")
        yield f"usr/share/zsh/vendor-completions/_{name}", shtab.complete(make(), shell="zsh")


def daemon_page() -> str:
    """archsyncd(8): the service, its first steps, its files and what its exit statuses mean."""
    lines = [
        "archsyncd(8)",
        "",
        "# NAME",
        "",
        "archsyncd - keeps Archean R247 stock and commercetools inventory in step without overselling",
        "",
        "# SYNOPSIS",
        "",
        *synopses(daemon_parser()),
        "",
        "# DESCRIPTION",
        "",
        *prose(
            "archsyncd tails the change feeds of Archean R247 Stock, merges their records in an SQLite outbox keyed by SKU and "
            "supply channel, and drains that to commercetools inventory. It carries orders to Archean and dispatches back, and "
            "lists whatever does not agree for a person. systemd runs it as archsyncd.service."
        ),
        "# FIRST STEPS",
        "",
        *steps(),
        "# COMMANDS",
        "",
        *commands(daemon_parser()),
        "# FILES",
        "",
        *told(FILES),
        "# SIGNALS",
        "",
        *told(SIGNALS),
        "# EXIT STATUS",
        "",
        *told(STATUSES),
        "# MESSAGES",
        "",
        *prose(
            "Each class of message has a constant id, by which journalctl finds it (MESSAGE_ID=ID) and journalctl -x explains it."
        ),
        *told({f"{event.value.subject} ({event.value.message_id})": remedies(event) for event in Event}),
        "# SEE ALSO",
        "",
        "*archsyncctl*(1), *archsyncd.config*(5), *journalctl*(1), /usr/share/doc/archsyncd/guide.md",
    ]
    return "\n".join(lines) + "\n"


FILES = {
    "/etc/archsyncd/config.toml": "The configuration, see archsyncd.config(5). It holds no secret.",
    "/etc/archsyncd/credentials/": "One file a secret, readable by root alone; systemd hands them to the service at "
    "its start. A drop-in beside the documents shows how to keep one encrypted.",
    "/var/lib/archsyncd/archsyncd.db": "What the service must remember. With it lost the service finds its place again without "
    "overselling, and asks for all orders and stock anew.",
    "/run/archsyncd/control.sock": "For archsyncctl; members of the group archsync-admin.",
    "/run/archsyncd/status.sock": "The state over HTTP, to read only; members of the group archsync-view.",
    "/usr/share/doc/archsyncd/": "The operator's guide, the contract r247/1, the reasoning of the stock ledger, the states of "
    "orders, drop-ins to copy, and the bill of materials.",
}
SIGNALS = {
    "SIGTERM, SIGINT": "Stop: nothing new begins and what is in flight comes in. A second one leaves at once.",
    "SIGHUP": "Read the configuration again (systemctl reload archsyncd). A faulty one changes nothing.",
}
STATUSES = {
    "0": "Stopped as asked.",
    str(EXIT_RESTART): "An error that was not expected; systemd starts it again.",
    str(EXIT_USAGE): "The command line was wrong. Not restarted.",
    str(EXIT_FENCED_OFF): "Another instance writes. Not restarted.",
    str(EXIT_STORE): "The database cannot be used. Not restarted.",
    str(
        EXIT_CONFIGURATION
    ): "The configuration or a credential is wrong; the message says where. Not restarted.",
}
FIRST = (
    "Edit /etc/archsyncd/config.toml. archsyncd check-config --explain KEY explains a key.",
    "Put the secrets into /etc/archsyncd/credentials/, one a file: commercetools-client-secret, and feed-NAME for each feed.",
    "archsyncd check-config --online --credentials /etc/archsyncd/credentials",
    'Set stage = "plan" under [rollout], then: systemctl enable --now archsyncd',
    "archsyncctl status, archsyncctl plan, and journalctl -u archsyncd",
    'Widen it: stage = "allow-list", then "all", each with systemctl reload archsyncd.',
)


def steps() -> list[str]:
    """The first steps as a numbered list."""
    return [f". {escaped(text)}" for text in FIRST] + [""]


def remedies(event: Event) -> str:
    """Cause and remedy in one paragraph."""
    return f"{event.value.cause} {event.value.remedy}".replace("@ARCHSYNCD_CASE@", "ID")


def operator_page() -> str:
    """archsyncctl(1): every verb with its options and the fields of its answer."""
    made = operator_parser()
    lines = [
        "archsyncctl(1)",
        "",
        "# NAME",
        "",
        "archsyncctl - asks the running archsyncd, and acts on what it set aside for a person",
        "",
        "# SYNOPSIS",
        "",
        *synopses(made),
        "",
        "# DESCRIPTION",
        "",
        *prose(
            "Every verb prints a table for people; --json prints one object with stable field names and the same exit status. "
            "Members of the group archsync-admin may use it."
        ),
        "# OPTIONS",
        "",
        *told(
            {
                "--json": "Answer as JSON, with the fields that are named with each verb.",
                "--socket PATH": "The control socket (default /run/archsyncd/control.sock).",
            }
        ),
        "# COMMANDS",
        "",
        *commands(made, fields=True),
        "# EXIT STATUS",
        "",
        *told(
            {
                "0": "Done; with status --check: healthy.",
                "1": "Somebody must act, or there is no such thing; with status --check: degraded.",
                "2": "With status --check: critical; else the daemon failed at it.",
                "3": "The daemon is not reachable.",
                "64": "The command line was wrong.",
                "78": "With credentials check: the configuration or the file cannot be used.",
            }
        ),
        "# SEE ALSO",
        "",
        "*archsyncd*(8), *archsyncd.config*(5)",
    ]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """archsyncd.config(5): every table and key."""
    lines = [
        "archsyncd.config(5)",
        "",
        "# NAME",
        "",
        "archsyncd.config - the configuration of archsyncd",
        "",
        "# DESCRIPTION",
        "",
        *prose(
            "TOML, in /etc/archsyncd/config.toml. Unknown keys are faults; archsyncd check-config reports every fault at once "
            "with its place. Secrets never stand here: they are files of the credentials directory. NAME stands for a name of "
            "your own."
        ),
    ]
    for entry in described():
        lines += key_lines(entry)
    lines += ["# SEE ALSO", "", "*archsyncd*(8), *archsyncctl*(1)"]
    return "\n".join(lines) + "\n"


def key_lines(entry: Described) -> list[str]:
    """One table as a heading, one key as an item."""
    if entry.section:
        return [f"# {escaped(entry.path)}".upper(), "", *prose(entry.says)]
    facts = [entry.allowed[0].upper() + entry.allowed[1:]]
    facts.append(
        "required" if entry.required else f"default {entry.default}" if entry.default else "no default"
    )
    facts += ["a change needs a restart"] if entry.restart else []
    facts += [] if entry.in_force else ["read and not used in this version"]
    return item(entry.path, "; ".join(facts) + ". " + entry.says)


def synopses(made: argparse.ArgumentParser) -> list[str]:
    """A line for each verb."""
    usages = [COMMON_USAGE.sub("", " ".join(verb.format_usage().split())) for _, verb, _ in leaves(made)]
    lines = [emphasised(usage.removeprefix("usage: ")) for usage in usages]
    # scdoc's line break, which may not end a paragraph.
    return [f"{line}++" for line in lines[:-1]] + lines[-1:]


def emphasised(usage: str) -> str:
    """The command's words bold, the rest as it is."""
    words = usage.split(" ")
    count = next((at for at, word in enumerate(words) if word.startswith("[") or word.isupper()), len(words))
    return f"*{escaped(' '.join(words[:count]))}* {escaped(' '.join(words[count:]))}".rstrip()


def commands(made: argparse.ArgumentParser, *, fields: bool = False) -> Iterator[str]:
    """Each verb with its options."""
    for name, verb, says in leaves(made):
        yield f"*{escaped(name)}*"
        yield f"\t{escaped(says)}."
        yield ""
        for action in verb._actions:  # noqa: SLF001 - argparse tells its options no other way
            if (
                (action.dest in COMMON_DESTS and fields)
                or action.dest in COMMON_DESTS[:2]
                or action.help is argparse.SUPPRESS
            ):
                continue
            shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                shown += f" {action.metavar or action.dest.upper()}"
            told_text = (action.help or "").replace("%(default)s", str(action.default))
            yield f"\t_{escaped(shown)}_"
            yield f"\t\t{escaped(told_text) or 'See above.'}"
            yield ""
        if fields:
            yield "\tFields of --json:"
            yield ""
            known = fields_of(".".join(name.removeprefix(GROUP_VERBS).split()))
            yield from (f"\t- _{escaped(field)}_: {escaped(text)}" for field, text in known.items())
            yield ""


def leaves(made: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Every verb that does something: its name as typed, its parser, what it does."""
    for action in made._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            says = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for name, verb in action.choices.items():
                inner = list(leaves(verb))
                if inner:
                    yield from inner
                else:
                    text = says.get(name, "")
                    yield verb.prog, verb, text[:1].upper() + text[1:]


def told(entries: dict[str, str]) -> list[str]:
    """A list of terms and what they mean."""
    return [line for name, says in entries.items() for line in item(name, says)]


def item(name: str, says: str) -> list[str]:
    """One term and what it means."""
    return [f"*{escaped(name)}*", f"\t{escaped(' '.join(says.split()))}", ""]


def prose(text: str) -> list[str]:
    """Paragraphs, each on a line of its own."""
    return [line for part in text.split("\n\n") for line in (escaped(" ".join(part.split())), "")]


def escaped(text: str) -> str:
    """Text that scdoc takes as it stands."""
    marked = re.sub(r"([\\*_])", r"\\\1", text)
    return re.sub(r"^([#.\-`|\[\]])", r"\\\1", marked).replace("++", "+\\+")
