"""What the shell completes beside verbs and options: kinds, teams, feeds and channels. Starts no program but sed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from archsyncd.domain.cases import CaseKind
from archsyncd.operator.parser import DEFAULT_CONFIG
from archsyncd.operator.parser import parser as operator_parser

KINDS = "_archsyncctl_kinds"
TEAMS = "_archsyncctl_teams"
NAMES = "_archsyncctl_names"
SECRETS = "_archsyncctl_secrets"
SHIPPED_TEAMS = ("operations", "data", "ecommerce", "finance")
# Names with anything else in them are not offered: the shell would expand what stands in a list of words.
_WORD = r"\([A-Za-z0-9._-]*\)"
_TEAM = rf'.*team *= *"{_WORD}".*'
_FEED = rf'^ *name *= *"{_WORD}".*'
_CHANNEL = rf'.*[^_a-z]channel *= *"{_WORD}".*'


def script(shell: str, configuration: str = DEFAULT_CONFIG) -> str:
    """The completion script of archsyncctl for bash or zsh, with names from a configuration of this path."""
    made = operator_parser()
    for verb, action in _actions(made):
        function = _function(verb, action)
        if function:
            action.complete = {"bash": function, "zsh": function}  # type: ignore[attr-defined]
    return str(shtab.complete(made, shell=shell, preamble=_preamble(configuration)[shell]))


def _function(verb: str, action: argparse.Action) -> str:
    """Which words a value is one of; empty where anybody's guess is as good."""
    if action.dest == "kind":
        return KINDS
    if action.dest == "owner":
        return TEAMS
    if action.dest == "name":
        return SECRETS if verb.startswith("archsyncctl credentials") else NAMES
    return ""


def _actions(made: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in made._actions:  # noqa: SLF001 - argparse tells its options no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for verb in action.choices.values():
                yield from _actions(verb)
        else:
            yield made.prog, action


def _preamble(configuration: str) -> dict[str, str]:
    bash, zsh = [], []
    for name, words in _words(configuration).items():
        bash += [f"{name}() {{", f'  compgen -W "{words}" -- "$1"', "}"]
        zsh += [f"{name}() {{", f"  compadd -- {words}", "}"]
    return {"bash": "\n".join(bash), "zsh": "\n".join(zsh)}


def _words(configuration: str) -> dict[str, str]:
    """Each function's words, where the shell reads them when it is asked to complete one."""
    return {
        KINDS: " ".join(kind.value for kind in CaseKind),
        TEAMS: f"{' '.join(SHIPPED_TEAMS)} {_read(configuration, _TEAM)}",
        NAMES: _read(configuration, _FEED, _CHANNEL),
        SECRETS: f"commercetools-client-secret {_read(configuration, _FEED, before='feed-')}",
    }


def _read(configuration: str, *patterns: str, before: str = "") -> str:
    """Words of the configuration: what each pattern finds, with something before it."""
    parts = " ".join(f"-e 's/{pattern}/{before}\\1/p'" for pattern in patterns)
    return f"$(sed -n {parts} {configuration} 2>/dev/null)"
