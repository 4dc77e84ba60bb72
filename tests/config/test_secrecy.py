"""No secret in configuration, environment or arguments, and none in any text of ours."""

import pytest

from archsyncd.config import ConfigurationFaults, read_settings, refuse_secrets, secret_faults
from archsyncd.config.secrecy import secret_value
from tests.config.texts import FEED, LEAST, PROJECT, only_fault, settings_of

CANARY = "Zk3v9Qm7Tt2LwX8sR4yB"


@pytest.mark.parametrize(
    ("text", "path", "credential"),
    [
        (
            f'{PROJECT}client_secret = "{CANARY}"\n{FEED}',
            "commercetools.client_secret",
            "commercetools-client-secret",
        ),
        (f'{LEAST}token = "{CANARY}"\n', "feed[0].token", "feed-main"),
        (f'{LEAST.replace("main", "site1")}password = "{CANARY}"\n', "feed[0].password", "feed-site1"),
        (f'{LEAST}api_key = "{CANARY}"\n', "feed[0].api_key", "feed-main"),
        (f'{LEAST}[alerts]\nwebhook_secret = "{CANARY}"\n', "alerts.webhook_secret", "alert-webhook"),
        (f'{LEAST}[status]\ntoken = "{CANARY}"\n', "status.token", "status-token"),
        (f'{LEAST}[daemon]\npassphrase = "{CANARY}"\n', "daemon.passphrase", "a credential file"),
        (LEAST.replace("https://", f"https://sync:{CANARY}@"), "feed[0].url", "feed-main"),
        (LEAST.replace("/api", f"/api?access_token={CANARY}"), "feed[0].url", "feed-main"),
        (
            f'{LEAST}[alerts]\nwebhook_url = "https://chat.test/hooks/T01/{CANARY}"\n',
            "alerts.webhook_url",
            "alert-webhook",
        ),
    ],
)
def test_f170_a_secret_in_the_file_is_refused_by_the_credential_s_name(
    text: str, path: str, credential: str
) -> None:
    """A secret key or a secret inside an address is a fault that names the file to use and never shows the secret."""
    fault = only_fault(text)
    assert fault.path == path
    assert credential in fault.allowed
    assert fault.value is None
    assert CANARY not in str(fault)


@pytest.mark.parametrize(
    "name",
    [
        "ARCHSYNCD_CLIENT_SECRET",
        "CTP_CLIENT_SECRET",
        "COMMERCETOOLS_CLIENT_SECRET",
        "R247_API_KEY",
        "ARCHEAN_PASSWORD",
        "FEED_MAIN_TOKEN",
    ],
)
def test_f170_a_secret_in_the_environment_is_refused(name: str) -> None:
    """Variables that are evidently meant for us and hold a secret stop the start, unseen."""
    with pytest.raises(ConfigurationFaults) as refused:
        refuse_secrets({name: CANARY, "PATH": "/usr/bin"}, [])
    (fault,) = refused.value.faults
    assert (fault.source, fault.path) == ("environment", name)
    assert CANARY not in str(refused.value)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    ("argument", "label"),
    [
        (f"--client-secret={CANARY}", "--client-secret"),
        ("--password", "--password"),
        (f"--api-key={CANARY}", "--api-key"),
        (f"CLIENT_SECRET={CANARY}", "argument 0"),
        (f"https://sync:{CANARY}@r247.test", "argument 0"),
        (f"Bearer {CANARY}", "argument 0"),
    ],
)
def test_f170_a_secret_on_the_command_line_is_refused(argument: str, label: str) -> None:
    """Arguments are seen by everyone on the host: an option or address that carries a secret is refused, unseen."""
    (fault,) = secret_faults({}, [argument])
    assert (fault.source, fault.path) == ("command line", label)
    assert CANARY not in str(fault)


def test_f170_a_secret_in_use_is_refused_under_any_name() -> None:
    """A variable or argument that contains one of the real secrets is refused whatever it is called."""
    environment = {"HARMLESS": f"x{CANARY}x"}
    faults = secret_faults(environment, ["run", f"--{CANARY}=1"], [CANARY])
    assert [fault.path for fault in faults] == ["HARMLESS", "argument 1"]
    assert not any(CANARY in str(fault) for fault in faults)


def test_what_is_no_secret_of_ours_passes() -> None:
    """Foreign variables, paths to files, names of credentials and ordinary options are left alone."""
    environment = {
        "CREDENTIALS_DIRECTORY": "/run/credentials/archsyncd.service",
        "GITHUB_TOKEN": CANARY,
        "ARCHSYNCD_SECRET_FILE": "/run/secret",
        "ARCHSYNCD_LOG": "debug",
    }
    arguments = [
        "credentials",
        "check",
        "commercetools-client-secret",
        "--credentials",
        "/run/x",
        "--token-file=/run/y",
    ]
    refuse_secrets(environment, arguments, ["short"])


def test_a_wrong_value_that_looks_secret_is_not_shown() -> None:
    """A token pasted into the wrong key is a fault without its value; an ordinary wrong value is shown."""
    fault = only_fault(LEAST + f'interval_seconds = "{CANARY}"\n')
    assert fault.value is None
    assert only_fault(LEAST + 'interval_seconds = "soon"\n').value == '"soon"'
    fault = only_fault(LEAST + f'page_limit = {{ x = ["{CANARY}"] }}\n')
    assert fault.value is None
    assert CANARY not in str(only_fault(LEAST + f'page_limit = {{ password = "{CANARY[:8]}" }}\n'))


@pytest.mark.parametrize(
    "value",
    [CANARY, "a3f5c8e19b7d4f60a1b2c3d4", f"Bearer {CANARY}", "-----BEGIN PRIVATE KEY-----", "https://u:p@h/"],
)
def test_secrets_are_known_by_their_looks(value: str) -> None:
    """Random words, authorisation headers, key blocks and user data in addresses."""
    assert secret_value(value)


@pytest.mark.parametrize(
    "value",
    [
        "warehouse-1",
        "europe-west1.gcp",
        "/etc/archsyncd/rollout-skus.txt",
        "https://r247.example/api",
        "my-long-project-name",
    ],
)
def test_ordinary_words_are_not_taken_for_secrets(value: str) -> None:
    """Names, paths and addresses stay readable in faults."""
    assert not secret_value(value)


def test_a_misspelt_key_that_only_sounds_secret_is_a_misspelt_key() -> None:
    """batch_token_cost counts tokens of a bucket and hides nothing."""
    fault = only_fault(PROJECT + "batch_token_costs = 2\n" + FEED)
    assert fault.suggestion == "batch_token_cost"
    assert settings_of(PROJECT + "batch_token_cost = 2\n" + FEED).commercetools.batch_token_cost == 2


def test_syntax_faults_do_not_quote_the_text() -> None:
    """A line that is no TOML may hold anything; none of it is repeated."""
    _none, faults = read_settings(f"client_secret = {CANARY}\n", "config.toml")
    assert CANARY not in str(faults)
