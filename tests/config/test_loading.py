"""Loading for a real start: file, credentials and environment together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archsyncd.config import ConfigurationFaults, Fault, Settings, load, required_credentials
from tests.config.texts import FEED, LEAST, PROJECT, settings_of

CANARY = "Zk3v9Qm7Tt2LwX8sR4yB"
DROP = (
    PROJECT
    + '[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "/srv/archean"\n\nprofile = "profiles/site.json"\n'
)
PROFILE = {
    "profile": "site",
    "format": "csv",
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Code", "onHand": "/Qty"},
}


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A directory with the credentials that the least configuration needs."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "commercetools-client-secret").write_text(f"{CANARY}\n")
    (directory / "feed-main").write_text("feed-feed-feed")
    return directory


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def refused(
    path: Path, credentials: Path | None, environment: dict[str, str] | None = None
) -> tuple[Fault, ...]:
    """The faults with which loading ends."""
    with pytest.raises(ConfigurationFaults) as ended:
        load(path, credentials, environment or {})
    assert CANARY not in str(ended.value)
    return ended.value.faults


def test_a_sound_file_with_its_credentials_loads(tmp_path: Path, credentials: Path) -> None:
    """The settings are those of the text; credentials come from the option or from the unit."""
    path = written(tmp_path, LEAST)
    assert load(path, credentials, {}) == settings_of(LEAST)
    assert load(path, None, {"CREDENTIALS_DIRECTORY": str(credentials)}) == settings_of(LEAST)


def test_the_unit_s_state_directory_wins(tmp_path: Path, credentials: Path) -> None:
    """$STATE_DIRECTORY, the first of several, replaces state_dir."""
    path = written(tmp_path, LEAST)
    loaded = load(path, credentials, {"STATE_DIRECTORY": "/var/lib/private/archsyncd:/var/lib/other"})
    assert loaded.daemon.state_dir == Path("/var/lib/private/archsyncd")


def test_relative_profiles_start_at_the_file_s_directory(tmp_path: Path, credentials: Path) -> None:
    """A profile is found beside the configuration, and a missing one is a fault with its place."""
    path = written(tmp_path, DROP)
    (fault,) = refused(path, credentials)
    assert (fault.path, fault.line, fault.column) == ("feed[0].profile", 9, 11)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/site.json").write_text(json.dumps(PROFILE))
    assert load(path, credentials, {}).feeds[0].profile == tmp_path / "profiles/site.json"


def test_the_faults_of_a_profile_are_told_by_line_and_column_of_its_file(
    tmp_path: Path, credentials: Path
) -> None:
    """All of them, beside those of the configuration."""
    path = written(tmp_path, DROP + "gap_grace_seconds = -1\n")
    site = tmp_path / "profiles/site.json"
    site.parent.mkdir()
    site.write_text(json.dumps(PROFILE | {"fields": {"sku": "Code", "onHnad": "/Qty"}}, indent=1))
    told = {(one.source, one.line, one.path, one.suggestion) for one in refused(path, credentials)}
    assert told == {
        (str(path), 10, "feed[0].gap_grace_seconds", None),
        (str(site), 1, "", None),  # no quantity
        (str(site), 9, "fields.sku", '"/Code"'),
        (str(site), 10, "fields.onHnad", "onHand"),
    }


def test_a_profile_must_go_together_with_its_feed(tmp_path: Path, credentials: Path) -> None:
    """A foreign program writes no manifest of ours; what no transport reads is not left unsaid."""
    (tmp_path / "profiles").mkdir()
    names = {"names": {"pattern": "stock{number}.csv", "kind": "full"}}
    (tmp_path / "profiles/site.json").write_text(json.dumps(PROFILE | names))
    (fault,) = refused(written(tmp_path, DROP), credentials)
    assert (fault.path, fault.line) == ("feed[0].ready", 9)
    assert "would be waited for in vain" in fault.allowed
    assert load(written(tmp_path, DROP + 'ready = "rename"\n'), credentials, {}).feeds[0].ready == "rename"


def test_files_that_are_named_must_be_there(tmp_path: Path, credentials: Path) -> None:
    """The allow-list's and the authority's files are looked at before the start; a directory is no file."""
    text = (
        PROJECT
        + f'ca_file = "{tmp_path}"\n'
        + FEED
        + '[rollout]\nstage = "allow-list"\nskus_file = "/nowhere/x"\n'
    )
    faults = refused(written(tmp_path, text), credentials)
    assert [fault.path for fault in faults] == ["commercetools.ca_file", "rollout.skus_file"]


def test_faults_of_file_credentials_and_environment_come_together(tmp_path: Path) -> None:
    """One run tells everything that keeps the daemon from starting."""
    path = written(tmp_path, LEAST + "[drain]\nincrease_interval_seconds = -1\n")
    environment = {"CTP_CLIENT_SECRET": CANARY, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    faults = refused(path, None, environment)
    assert [(Path(fault.source).name, fault.path) for fault in faults] == [
        ("config.toml", "drain.increase_interval_seconds"),
        ("credentials", "commercetools-client-secret"),
        ("credentials", "feed-main"),
        ("environment", "CTP_CLIENT_SECRET"),
    ]


def test_without_a_credentials_directory_the_sentence_says_how_to_give_one(tmp_path: Path) -> None:
    """Neither option nor unit named a directory."""
    first, _second = refused(written(tmp_path, LEAST), None)
    assert "no credentials directory is set" in first.allowed
    assert "/etc/archsyncd/credentials/commercetools-client-secret" in first.allowed


def test_a_check_of_the_text_alone_needs_no_credentials(tmp_path: Path) -> None:
    """Where credentials are out of reach, the rest can still be checked."""
    assert load(written(tmp_path, LEAST), None, {}, require_credentials=False) == settings_of(LEAST)


def test_an_empty_credential_stops_the_start_by_name(tmp_path: Path, credentials: Path) -> None:
    """An empty file is told as such, not as a failed login later."""
    (credentials / "feed-main").write_text("\n")
    (fault,) = refused(written(tmp_path, LEAST), credentials)
    assert (fault.path, "is empty" in fault.allowed) == ("feed-main", True)


def test_f170_a_real_secret_in_the_file_is_found_wherever_it_stands(
    tmp_path: Path, credentials: Path
) -> None:
    """Even a remark must not hold the secret that is in use."""
    (fault,) = refused(written(tmp_path, f"{LEAST}#   old: {CANARY}\n"), credentials)
    assert (fault.line, fault.column) == (7, 10)
    assert "commercetools-client-secret" in fault.allowed


def test_f170_a_real_secret_in_the_environment_is_found_under_any_name(
    tmp_path: Path, credentials: Path
) -> None:
    """A variable that repeats the credential's content is refused."""
    (fault,) = refused(written(tmp_path, LEAST), credentials, {"NOTE": CANARY})
    assert fault.path == "NOTE"


def test_required_credentials_follow_from_the_settings() -> None:
    """Pull feeds with a login, and a page on TCP, need theirs; files and Unix sockets need none."""
    drop = '[[feed]]\nname = "files"\ntransport = "drop"\ndirectory = "/srv/a"\n'
    assert required_credentials(settings_of(LEAST + drop)) == ("commercetools-client-secret", "feed-main")
    assert required_credentials(settings_of(LEAST + 'auth = "none"\n')) == ("commercetools-client-secret",)
    page = settings_of(LEAST + '[status]\nlisten = "[::1]:9470"\n')
    assert required_credentials(page)[-1] == "status-token"
    assert str(page.status.listen) == "[::1]:9470"


def test_a_feed_that_is_wrong_elsewhere_still_asks_for_its_credential(
    tmp_path: Path, credentials: Path
) -> None:
    """Only a feed whose name, transport or login is in doubt asks for none."""
    (credentials / "feed-main").unlink()
    faults = refused(written(tmp_path, LEAST + "page_limit = 0\n"), credentials)
    assert [fault.path for fault in faults] == ["feed[0].page_limit", "feed-main"]
    faults = refused(written(tmp_path, LEAST + 'auth = "password"\n'), credentials)
    assert [fault.path for fault in faults] == ["feed[0].auth"]


def test_an_unusable_alert_webhook_is_told_though_it_is_optional(tmp_path: Path, credentials: Path) -> None:
    """A credential that is there must be usable."""
    (credentials / "alert-webhook").write_bytes(b"")
    (fault,) = refused(written(tmp_path, LEAST), credentials)
    assert fault.path == "alert-webhook"


@pytest.mark.parametrize(("raw", "line", "column"), [(b"a = 1\n\xc3\xa4\xff", 2, 2), (b"\xff", 1, 1)])
def test_a_file_that_is_no_utf8_is_one_fault_with_its_place(
    tmp_path: Path, raw: bytes, line: int, column: int
) -> None:
    """The first foreign byte is told by line and column."""
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    (fault,) = refused(path, None)
    assert (fault.line, fault.column, fault.allowed) == (line, column, "the file must be UTF-8 text")


def test_a_byte_order_mark_is_tolerated(tmp_path: Path, credentials: Path) -> None:
    """Some editors put one first."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert isinstance(load(path, credentials, {}), Settings)


def test_a_file_that_cannot_be_read_is_a_fault_of_the_file(tmp_path: Path) -> None:
    """Missing files and directories end like any other fault."""
    (fault,) = refused(tmp_path / "missing.toml", None)
    assert "No such file" in fault.allowed
    (fault,) = refused(tmp_path, None)
    assert "cannot be read" in fault.allowed
    (fault,) = refused(written(tmp_path, "nonsense"), None)
    assert fault.line == 1


@pytest.mark.parametrize(
    "text", [LEAST.replace('"sync"', '"your-client-id"'), LEAST.replace("r247.test", "r247.example")]
)
def test_values_of_the_example_must_be_replaced(tmp_path: Path, credentials: Path, text: str) -> None:
    """An example that nobody edited never reaches the network."""
    (fault,) = refused(written(tmp_path, text), credentials)
    assert "still the example's value" in fault.allowed


def test_a_whole_check_in_a_fresh_interpreter_takes_no_noticeable_time(tmp_path: Path) -> None:
    """Importing and reading pull in neither the network nor the store."""
    program = (
        "import sys; from archsyncd.config import read_settings; read_settings(sys.stdin.read(), 'x');"
        "sys.exit(bool({'aiohttp', 'aiosqlite', 'asyncio', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=LEAST, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0
