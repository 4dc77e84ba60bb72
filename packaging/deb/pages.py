"""Manual pages (as scdoc text) and shell completion, from the declarations that the program itself reads."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator

import shtab

from archsyncd.cli import parser as daemon_parser
from archsyncd.config.explaining import Described, described
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, EXIT_USAGE
from archsyncd.operator.fields import fields_of
from archsyncd.operator.parser import parser as operator_parser
from archsyncd.simulators.switch_names import FAULTS
from completing import script

GROUP_VERBS = "archsyncctl "
EXAMPLE = re.compile(r"^example:\s+(archsyncctl .*)$", re.MULTILINE)
# Said once for all verbs.
HELP_USAGE = re.compile(r"\[-h\] ?")
COMMON_USAGE = re.compile(r"\[-h\] ?|\[--json\] |\[--socket PATH\] ?")
COMMON_DESTS = ("help", "version", "json", "socket")


def every() -> Iterator[tuple[str, int, str]]:
    """Name, section and text of each page."""
    yield "archsyncd", 8, daemon_page()
    yield "archsyncctl", 1, operator_page()
    yield "archsyncd.config", 5, configuration_page()


def completion() -> Iterator[tuple[str, str]]:
    """Path and text of each completion script."""
    for shell, directory in (("bash", "bash-completion/completions/"), ("zsh", "zsh/vendor-completions/_")):
        yield f"usr/share/{directory}archsyncd", shtab.complete(daemon_parser(), shell=shell)
        yield f"usr/share/{directory}archsyncctl", script(shell)


def page(name: str, section: int, says: str, parts: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A page of headed parts, each of which ends in an empty line."""
    lines = [f"{name}({section})", "", "# NAME", "", f"{name} - {says}", ""]
    for heading, body in parts:
        lines += [f"# {heading}", "", *body]
    return "\n".join(lines).rstrip("\n") + "\n"


def daemon_page() -> str:
    """archsyncd(8): the service, its first steps, its files and what its exit statuses mean."""
    says = "keeps Archean R247 stock and commercetools inventory in step without overselling"
    described_as = (
        "archsyncd tails the change feeds of Archean R247 Stock, merges their records in an SQLite outbox keyed by SKU and "
        "supply channel, and drains that to commercetools inventory. It carries orders to Archean and dispatches back, and "
        "lists whatever does not agree for a person. systemd runs it as archsyncd.service."
    )
    ids = (
        "Each class of message has a constant id, by which journalctl finds it (MESSAGE_ID=ID) and journalctl -x explains "
        "it. archsyncd.exceptions(7) tells more of each."
    )
    messages = {f"{event.value.subject} ({event.value.message_id})": remedies(event) for event in Event}
    see_also = (
        "*archsyncctl*(1), *archsyncd.config*(5), *archsyncd.exceptions*(7), *journalctl*(1), "
        "/usr/share/doc/archsyncd/guide.md"
    )
    parts = [
        ("SYNOPSIS", synopses(daemon_parser())),
        ("DESCRIPTION", prose(described_as)),
        ("FIRST STEPS", steps()),
        ("COMMANDS", commands(daemon_parser())),
        ("FAULTS OF A SIMULATED SOURCE", [*prose(SWITCHED), *told(dict(FAULTS))]),
        ("FILES", told(FILES)),
        ("SIGNALS", told(SIGNALS)),
        ("EXIT STATUS", told(STATUSES)),
        ("MESSAGES", [*prose(ids), *told(messages)]),
        ("SEE ALSO", [see_also]),
    ]
    return page("archsyncd", 8, says, parts)


FILES = {
    "/etc/archsyncd/config.toml": "The configuration, see archsyncd.config(5). It holds no secret.",
    "/etc/archsyncd/credentials/": "One file a secret, readable by root alone; systemd hands them to the service at "
    "its start. A drop-in beside the documents shows how to keep one encrypted.",
    "/var/lib/archsyncd/archsyncd.db": "What the service must remember. With it lost the service finds its place again without "
    "overselling, and asks for all orders and stock anew.",
    "/run/archsyncd/control.sock": "For archsyncctl; members of the group archsync-admin.",
    "/run/archsyncd/status.sock": "The status page; members of the group archsync-view read it. Acting on it needs "
    "status.actions.",
    "/usr/share/doc/archsyncd/": "The operator's guide, the contract r247/1 with its schemas and golden files, the reasoning of "
    "the stock ledger, the states of orders, drop-ins to copy, and the bill of materials.",
}
SWITCHED = (
    "archsyncd simulate r247 has these from the beginning with --fault, or once their name is sent to it (POST "
    "/_simulator/switches), until DELETE /_simulator/faults."
)
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
    """Cause and remedy in one paragraph; archsyncd.exceptions(7) has the rest."""
    return f"{event.value.cause} {event.value.remedy}"


OPTIONS = {
    "--json": "Answer as JSON, with the fields that are named with each verb.",
    "--socket PATH": "The control socket (default /run/archsyncd/control.sock).",
}
OPERATOR_STATUSES = {
    "0": "Done; with status --check: healthy.",
    "1": "Somebody must act, or there is no such thing; with status --check: degraded; with verify-source: a MUST does not hold.",
    "2": "With status --check: critical; with verify-source: a MUST could not be asked; else the daemon failed at it.",
    "3": "The daemon is not reachable.",
    "64": "The command line was wrong.",
    "78": "With credentials check and inspect: the configuration, profile or file cannot be used.",
    "130": "Stopped with Ctrl-C; watch then ends with 0.",
}


def operator_page() -> str:
    """archsyncctl(1): every verb with its options and the fields of its answer."""
    made = operator_parser()
    described_as = (
        "Every verb prints a table for people; --json prints one object with stable field names and the same exit status. "
        "Members of the group archsync-admin may use it."
    )
    parts = [
        ("SYNOPSIS", synopses(made, COMMON_USAGE)),
        ("DESCRIPTION", prose(described_as)),
        ("OPTIONS", told(OPTIONS)),
        ("COMMANDS", commands(made, fields=True)),
        ("EXIT STATUS", told(OPERATOR_STATUSES)),
        ("SEE ALSO", ["*archsyncd*(8), *archsyncd.config*(5), *archsyncd.exceptions*(7)"]),
    ]
    return page(
        "archsyncctl", 1, "asks the running archsyncd, and acts on what it set aside for a person", parts
    )


def configuration_page() -> str:
    """archsyncd.config(5): every table and key."""
    described_as = (
        "TOML, in /etc/archsyncd/config.toml. Unknown keys are faults; archsyncd check-config reports every fault at once "
        "with its place. Secrets never stand here: they are files of the credentials directory. NAME stands for a name of "
        "your own."
    )
    keys = [line for entry in described() for line in key_lines(entry)]
    parts = [
        ("DESCRIPTION", [*prose(described_as), *keys]),
        ("SEE ALSO", ["*archsyncd*(8), *archsyncctl*(1)"]),
    ]
    return page("archsyncd.config", 5, "the configuration of archsyncd", parts)


def key_lines(entry: Described) -> list[str]:
    """One table as a heading, one key as an item."""
    if entry.section:
        return [f"# {escaped(entry.path)}".upper(), "", *prose(entry.says)]
    facts = [entry.allowed[0].upper() + entry.allowed[1:]]
    facts.append(
        "required" if entry.required else f"default {entry.default}" if entry.default else "no default"
    )
    facts += ["a change needs a restart"] if entry.restart else []
    return item(entry.path, "; ".join(facts) + ". " + entry.says)


def synopses(made: argparse.ArgumentParser, left_out: re.Pattern[str] = HELP_USAGE) -> list[str]:
    """A line for each verb, without the options that are told once for all."""
    usages = [left_out.sub("", " ".join(verb.format_usage().split())) for _, verb, _ in leaves(made)]
    lines = [emphasised(usage.removeprefix("usage: ")) for usage in usages]
    # scdoc's line break, which may not end a paragraph.
    return [*(f"{line}++" for line in lines[:-1]), *lines[-1:], ""]


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
        example = EXAMPLE.search(verb.epilog or "")
        if example:
            yield f"\tExample: *{escaped(example[1])}*"
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
