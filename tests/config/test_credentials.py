"""Credential files and the secrets read from them."""

import copy
import logging
import os
import pickle
from pathlib import Path

import pytest

from archsyncd.config import CredentialFault, Secret, credential_directory, read_credential

NAME = "commercetools-client-secret"
CANARY = "Zk3v9Qm7Tt2LwX8sR4yB"


def reason(directory: Path, name: str = NAME, limit_bytes: int = 64) -> str:
    """Why the credential cannot be used."""
    with pytest.raises(CredentialFault) as refused:
        read_credential(directory, name, limit_bytes)
    assert refused.value.name == name
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        (b"hush", "hush"),
        (b"hush\n", "hush"),
        (b"hush\r\n", "hush"),
        (b"hush\n\n", "hush\n"),
        (b" hush ", " hush "),
        ("schlüssel\n".encode(), "schlüssel"),
        (b"x" * 64, "x" * 64),
    ],
)
def test_a_secret_is_the_file_without_one_newline_at_its_end(
    tmp_path: Path, written: bytes, secret: str
) -> None:
    """Editors add a newline; nothing else is taken away."""
    (tmp_path / NAME).write_bytes(written)
    assert read_credential(tmp_path, NAME, 64).reveal() == secret


@pytest.mark.parametrize("written", [b"", b"\n", b"\r\n", b"  \n", b"\n\n"])
def test_an_empty_credential_is_refused_by_name(tmp_path: Path, written: bytes) -> None:
    """An empty file is never an empty password."""
    (tmp_path / NAME).write_bytes(written)
    assert reason(tmp_path).startswith(f"the credential {NAME} is empty: ")
    assert "/etc/archsyncd/credentials/" in reason(tmp_path)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"a\0b", "holds a NUL byte"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"x" * 65, "is longer than 64 bytes"),
    ],
)
def test_a_file_that_is_no_secret_text_is_refused(tmp_path: Path, written: bytes, told: str) -> None:
    """NUL, foreign bytes and too much are told apart."""
    (tmp_path / NAME).write_bytes(written)
    assert told in reason(tmp_path)


def test_a_missing_credential_says_how_to_provide_it(tmp_path: Path) -> None:
    """The sentence names the credential, the directory looked in and the line for the unit."""
    told = reason(tmp_path)
    assert f"the credential {NAME} is missing in {tmp_path}" in told
    assert f"/etc/archsyncd/credentials/{NAME}" in told
    assert "is missing" in reason(tmp_path / "nowhere")


def test_a_directory_that_systemd_loads_whole_has_its_id_before_each_name(tmp_path: Path) -> None:
    """As the unit does; a file under the plain name, an encrypted one say, wins over it."""
    (tmp_path / f"archsyncd_{NAME}").write_text("whole\n")
    assert read_credential(tmp_path, NAME, 64).reveal() == "whole"
    (tmp_path / NAME).write_text("plain")
    assert read_credential(tmp_path, NAME, 64).reveal() == "plain"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A directory is refused, and a pipe does not hang the start."""
    (tmp_path / "a-directory").mkdir()
    os.mkfifo(tmp_path / "a-pipe")
    assert "is not a regular file" in reason(tmp_path, "a-directory")
    assert "is not a regular file" in reason(tmp_path, "a-pipe")


@pytest.mark.parametrize("name", ["", "../shadow", "a/b", "/etc/shadow", ".hidden", "a\0b", "x" * 200])
def test_a_credential_s_name_never_leads_out_of_its_directory(tmp_path: Path, name: str) -> None:
    """Names are plain file names."""
    assert "a credential's name is" in reason(tmp_path, name)


def test_a_credential_that_may_not_be_opened_says_so(tmp_path: Path) -> None:
    """A loop of links cannot be opened by anyone, root included."""
    (tmp_path / NAME).symlink_to(tmp_path / NAME)
    assert "cannot be opened" in reason(tmp_path)


def test_a_secret_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in repr, str, formatting, containers, errors or the log."""
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", f"{secret:>9}", str([secret])]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("the secret is %s", secret)
    assert not any(CANARY in text for text in (*shown, caplog.text, str(ValueError(secret))))


def test_a_secret_is_never_copied_or_stored() -> None:
    """Pickling and copying raise; there is no dictionary of attributes to look into."""
    secret = Secret(CANARY)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied") as refused:
            attempt(secret)
        assert CANARY not in str(refused.value)
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        hash(secret)


def test_secrets_can_be_compared_with_each_other_only() -> None:
    """Equality serves to see a change; a plain text is never equal."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_the_directory_by_hand_wins_over_the_unit_s() -> None:
    """--credentials DIR, then $CREDENTIALS_DIRECTORY, then none."""
    environment = {"CREDENTIALS_DIRECTORY": "/run/credentials/x"}
    assert credential_directory(Path("/given"), environment) == Path("/given")
    assert credential_directory(None, environment) == Path("/run/credentials/x")
    assert credential_directory(None, {"CREDENTIALS_DIRECTORY": ""}) is None
    assert credential_directory(None, {}) is None
