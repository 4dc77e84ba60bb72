"""What check-config says of a feed that is called."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from archsyncd.checking import check_credential
from archsyncd.checking_calls import call_notes
from archsyncd.config import (
    CredentialFault,
    FeedSettings,
    ListenAddress,
    MappingNote,
    SignatureSettings,
    Weight,
)
from archsyncd.wire.webhook import Algorithm
from tests.config.texts import LEAST

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FEED = FeedSettings(name="calls", transport="push", snapshot_from="main")


def notes(feed: FeedSettings, enabled: Path, secret: str = SECRET) -> list[MappingNote]:
    return list(call_notes(feed, lambda _: secret, enabled))


def worst(found: list[MappingNote]) -> list[str]:
    return [f"{note.subject}: {note.says}" for note in found if note.weight is not Weight.FACT]


def test_a_socket_unit_that_is_not_enabled_is_wrong_and_says_the_command(tmp_path: Path) -> None:
    """Enabled, it is a fact."""
    mark = tmp_path / "archsyncd-webhook.socket"
    (told,) = worst(notes(FEED, mark))
    assert "systemctl enable archsyncd-webhook.socket" in told
    mark.symlink_to("/lib/systemd/system/archsyncd-webhook.socket")
    assert worst(notes(FEED, mark)) == []


def test_an_address_is_tried_and_left_free(tmp_path: Path) -> None:
    """In use it is for a person to look at: the daemon may have it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        here = replace(FEED, listen=ListenAddress(host="127.0.0.1", port=port))
        (told,) = worst(notes(here, tmp_path))
        assert "in use" in told
    assert worst(notes(here, tmp_path)) == []
    assert worst(notes(here, tmp_path)) == []
    nowhere = replace(FEED, listen=ListenAddress(host="192.0.2.1", port=1))
    assert "cannot be listened at" in worst(notes(nowhere, tmp_path))[0]
    unix = replace(FEED, listen=ListenAddress(path=tmp_path / "no" / "s"))
    assert "does not exist" in worst(notes(unix, tmp_path))[0]


def test_what_a_scheme_does_not_prove_is_told(tmp_path: Path) -> None:
    """A token, and a body without a time."""
    here = replace(FEED, listen=ListenAddress(host="127.0.0.1", port=0))
    bare = SignatureSettings(content="{body}", ts_header="")
    assert "played again" in worst(notes(replace(here, signature=bare), tmp_path))[0]
    token = SignatureSettings(algorithm=Algorithm.TOKEN)
    assert "signs nothing" in worst(notes(replace(here, signature=token), tmp_path))[0]


@pytest.mark.parametrize("secret", ["", "short", "whsec_*"])
def test_a_secret_of_no_use_is_wrong_and_not_told(tmp_path: Path, secret: str) -> None:
    """As is one that is missing."""
    here = replace(FEED, listen=ListenAddress(host="127.0.0.1", port=0))
    (told,) = worst(notes(here, tmp_path, secret))
    assert told.startswith("feed-calls: ")
    assert "short" not in told

    def missing(name: str) -> str:
        raise CredentialFault(name, "is missing")

    assert worst(list(call_notes(here, missing, tmp_path))) == ["feed-calls: is missing"]


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    """Another one's key, no key, no file: each is wrong."""
    authority = trustme.CA()
    one, other = authority.issue_cert("a.test"), authority.issue_cert("b.test")
    file = tmp_path / "calls.pem"
    file.write_bytes(b"".join(blob.bytes() for blob in one.cert_chain_pems))
    here = replace(FEED, listen=ListenAddress(host="127.0.0.1", port=0), certificate=file)

    def told(key: bytes) -> list[str]:
        secrets = {"feed-calls": SECRET, "feed-calls-key": key.decode()}
        return worst(list(call_notes(here, secrets.__getitem__, tmp_path)))

    assert told(one.private_key_pem.bytes()) == []
    for key in (other.private_key_pem.bytes(), b"no key"):
        assert told(key)[0].startswith("feed.calls.certificate: ")
    file.unlink()
    assert told(one.private_key_pem.bytes())[0].startswith("feed.calls.certificate: ")


async def test_a_new_secret_for_calls_is_tried_first(tmp_path: Path) -> None:
    """As far as it can be: whether both sides have the same is proven by a call alone."""
    config, new = tmp_path / "config.toml", tmp_path / "new"
    calls = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\nlisten = "127.0.0.1:0"\n'
    config.write_text(LEAST + calls)
    new.write_text(f"{SECRET}\n{SECRET[:-1]}x\n")
    code, found = await check_credential(config, "feed-calls", new)
    assert (code, "two while one replaces" in found[0].says) == (0, True)
    new.write_text("short\n")
    assert (await check_credential(config, "feed-calls", new))[0] == 1
