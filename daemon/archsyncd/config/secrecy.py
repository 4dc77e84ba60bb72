"""Tells what looks like a secret, so that none is echoed and none is kept outside the credential files. Reads no file.

Rule: secrets come from $CREDENTIALS_DIRECTORY alone (fault 170).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from archsyncd.config.faults import ConfigurationFaults, Fault, path_text

_SECRET_NAME: Final = re.compile(
    r"secret|passw(or)?d|passphrase|\bpwd\b|token|api[-_]?key|private[-_]?key|signing[-_]?key|bearer|"
    r"authori[sz]ation|credential",
    re.IGNORECASE,
)
_OURS: Final = re.compile(r"(ARCHSYNC|ARCHEAN|R247|COMMERCETOOLS|CTP_|CT_|FEED_)", re.IGNORECASE)
_POINTS_TO_A_FILE: Final = re.compile(r"(directory|dir|file|path|from)\Z", re.IGNORECASE)
_USER_IN_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://[^/?#\s]*@")
_SCHEME_WORD: Final = re.compile(r"\s*(bearer|basic)\s+\S{8,}|.*-----BEGIN ", re.IGNORECASE | re.DOTALL)
_DENSE: Final = re.compile(r"[A-Za-z0-9+=_~-]{20,}")
_QUERY_VALUE: Final = re.compile(r"[?&;]([^=&;#]+)=")
_SHORTEST_COMPARED_CHARACTERS: Final = 8
_DENSE_DIGITS: Final = 3
REMEDY: Final = (
    "give it as a credential file instead (in /etc/archsyncd/credentials, or with --credentials DIR by hand)"
)


def secret_name(name: str) -> bool:
    """Whether something of this name would hold a secret."""
    return bool(_SECRET_NAME.search(name))


def secret_value(value: str) -> bool:
    """Whether this text looks like a secret or carries one: user data in a URL, a key block, a long random word."""
    return carries_login(value) or any(_random_word(word) for word in _DENSE.findall(value))


def carries_login(value: str) -> bool:
    """Whether this text carries user data, a key block or a token for certain; a random word alone does not count."""
    if _USER_IN_URL.search(value) or _SCHEME_WORD.match(value):
        return True
    return any(secret_name(found) for found in _QUERY_VALUE.findall(value))


def _random_word(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    letters = sum(character.isalpha() for character in word)
    return digits >= _DENSE_DIGITS and letters >= _DENSE_DIGITS


def secret_faults(
    environment: Mapping[str, str],
    argv: Sequence[str],
    known: Iterable[str] = (),
) -> tuple[Fault, ...]:
    """Faults for every secret in the environment or on the command line. Values are never part of a fault.

    `known` are the secrets in use: a variable or argument that contains one is refused whatever its name.
    Foreign variables (a CI system's token, say) are none of our business and pass.
    """
    held = tuple(secret for secret in known if len(secret) >= _SHORTEST_COMPARED_CHARACTERS)
    found = [
        _fault("environment", path_text((name,)))
        for name, value in sorted(environment.items())
        if _named_as_ours(name) or any(secret in value for secret in held)
    ]
    found += [
        _fault("command line", _argument_label(argument, place, held))
        for place, argument in enumerate(argv)
        if _secret_argument(argument) or any(secret in argument for secret in held)
    ]
    return tuple(found)


def refuse_secrets(environment: Mapping[str, str], argv: Sequence[str], known: Iterable[str] = ()) -> None:
    """Raises ConfigurationFaults when the environment or the command line carries a secret (see `secret_faults`)."""
    faults = secret_faults(environment, argv, known)
    if faults:
        raise ConfigurationFaults(faults)


def _named_as_ours(name: str) -> bool:
    return bool(_OURS.match(name)) and secret_name(name) and not _POINTS_TO_A_FILE.search(name)


def _secret_argument(argument: str) -> bool:
    if _USER_IN_URL.search(argument) or _SCHEME_WORD.match(argument):
        return True
    name, equals, _value = argument.partition("=")
    option = name.startswith("--")
    if not option and not equals:
        return False
    bare = name.lstrip("-")
    return bare != "credentials" and secret_name(bare) and not _POINTS_TO_A_FILE.search(bare)


def _argument_label(argument: str, place: int, held: Sequence[str]) -> str:
    name, equals, _value = argument.partition("=")
    plain = re.fullmatch(r"--?[A-Za-z][A-Za-z0-9-]{0,31}", name) and not any(
        secret in name for secret in held
    )
    return name if plain and (equals or name.startswith("--")) else f"argument {place}"


def _fault(source: str, label: str) -> Fault:
    return Fault(source, label, 0, 0, None, f"a secret does not belong in the {source}; {REMEDY}")
