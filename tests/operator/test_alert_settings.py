"""From settings and credentials to the ways that alerts take, and what check-config says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archsyncd.adapters.alerts import CommandWay, MailWay, WebhookWay
from archsyncd.alerts import rules_of_alerts, ways_of
from archsyncd.checking_alerts import alert_notes
from archsyncd.config import CredentialFault, CredentialMissing, Weight
from archsyncd.engine.alerts import WayFault
from archsyncd.engine.ports import Clock
from tests.adapters.alerts.samples import MESSAGE, StillClock
from tests.config.texts import LEAST, only_fault, settings_of

HOOK = "https://hooks.test/services/T0/B0/not-for-the-file"


@dataclass(frozen=True)
class Around:
    """A process with some credentials."""

    credentials: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=StillClock)
    host_name: str = "host"

    def chance(self) -> float:
        return 0.5

    def secret(self, name: str) -> str:
        if name not in self.credentials:
            raise CredentialMissing(name, f"the credential {name} is missing")
        if not self.credentials[name]:
            raise CredentialFault(name, f"the credential {name} is empty")
        return self.credentials[name]


def test_without_settings_the_journal_alone_has_alerts() -> None:
    """No way, and check-config says nothing of any."""
    assert ways_of(settings_of(LEAST), Around()) == {}
    assert alert_notes(settings_of(LEAST), None) == ()


def test_each_setting_makes_its_way() -> None:
    """Where it leads is told without what may be secret in it."""
    text = (
        '[alerts]\nwebhook_url = "https://alerts.test/archsyncd"\nemail = ["ops@example.com"]\n'
        'smtp = "[::1]:2525"\ncommand = "/usr/bin/true"\ngroup_seconds = 5\ndigest_minutes = 2\n'
    )
    settings = settings_of(LEAST + text)
    ways = ways_of(settings, Around())
    assert [type(way) for way in ways.values()] == [WebhookWay, MailWay, CommandWay]
    assert [way.target for way in ways.values()] == ["alerts.test", "ops@example.com", "/usr/bin/true"]
    assert (rules_of_alerts(settings).group_seconds, rules_of_alerts(settings).digest_seconds) == (5, 120)


def test_the_credential_wins_over_the_address_in_the_file() -> None:
    """And is enough by itself."""
    settings = settings_of(LEAST + '[alerts]\nwebhook_url = "https://alerts.test/archsyncd"\n')
    assert ways_of(settings, Around({"alert-webhook": HOOK}))["webhook"].target == "hooks.test"
    assert ways_of(settings_of(LEAST), Around({"alert-webhook": HOOK}))["webhook"].target == "hooks.test"


async def test_a_credential_that_is_there_and_cannot_be_used_is_a_way_that_fails_and_says_so() -> None:
    """It is not passed over in silence, and the unsigned message does not go."""
    ways = ways_of(settings_of(LEAST), Around({"alert-webhook": ""}))
    with pytest.raises(WayFault, match="alert-webhook is empty"):
        await ways["webhook"].send("msg_1", MESSAGE)
    ways = ways_of(settings_of(LEAST), Around({"alert-webhook": HOOK, "alert-webhook-secret": ""}))
    with pytest.raises(WayFault, match="alert-webhook-secret is empty"):
        await ways["webhook"].send("msg_1", MESSAGE)


@pytest.mark.parametrize(
    "server", ["mail", "mail:0", "mail:65536", "mail:99999", "http://mail:25", ":25", "::1:25"]
)
def test_a_mail_server_is_a_host_and_a_port(server: str) -> None:
    """Told with its place in the file."""
    assert only_fault(f'{LEAST}[alerts]\nsmtp = "{server}"\n').path == "alerts.smtp"


def test_whom_a_case_is_escalated_to() -> None:
    """The kind's own word, else the team of the default owner."""
    text = '[owners]\ndefault = { team = "duty" }\ndrift = { team = "data", escalate_to = "head" }\n'
    settings = settings_of(LEAST + text)
    assert settings.escalates_to("drift") == "head"
    assert settings.escalates_to("sku_not_found") == "duty"


def test_check_config_tells_each_way_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    """A program outside of the sandbox, one that cannot be started, an address that is none."""
    program = tmp_path / "page"
    program.write_text("#!/bin/sh\n")
    settings = settings_of(f'{LEAST}[alerts]\ncommand = "{program}"\nemail = ["ops@example.com"]\n')
    (tmp_path / "alert-webhook").write_text(HOOK)
    notes = {note.subject: note for note in alert_notes(settings, tmp_path)}
    assert notes["alerts.webhook_url"].says == "goes to hooks.test, not signed"
    assert notes["alerts.email"].says == "go to ops@example.com by 127.0.0.1:25"
    assert notes["alerts.command"].weight is Weight.WRONG
    program.chmod(0o755)
    (tmp_path / "alert-webhook").write_text("hooks.test/secret")
    notes = {note.subject: note for note in alert_notes(settings, tmp_path)}
    assert notes["alerts.command"].weight is Weight.LOOK
    assert notes["alerts.webhook_url"].weight is Weight.WRONG
    assert "secret" not in notes["alerts.webhook_url"].says
