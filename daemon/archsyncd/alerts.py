"""What tells people of what is wrong: lookout, ways and senders, put together from the settings. Decides nothing."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

from archsyncd.adapters.alerts import CommandWay, MailWay, WebhookWay
from archsyncd.adapters.commercetools.transport import TrustMissing, trusted_context
from archsyncd.adapters.journal import say
from archsyncd.assembly import alert_hours
from archsyncd.config import ALERT_WEBHOOK, ALERT_WEBHOOK_SECRET, CredentialFault, CredentialMissing, Settings
from archsyncd.domain.alert_texts import headline
from archsyncd.domain.alerting import AlertRules, Message, MessageKind
from archsyncd.domain.events import Event
from archsyncd.engine.alerting import WAYS, Lookout, Sender
from archsyncd.engine.alerts import Way
from archsyncd.engine.ports import Clock, SecretFault
from archsyncd.engine.standing_by import StandingBy
from archsyncd.engine.supervise import Pump
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.observing import Observer

# Longer than a way may take for one message.
SENDING_SECONDS = 120.0
LOGGER = logging.getLogger("archsyncd")


class Around(Protocol):
    """What ways need of the process."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def host_name(self) -> str:
        """What this host calls itself."""
        ...

    @property
    def chance(self) -> Callable[[], float]:
        """Draws a number in [0, 1)."""
        ...

    @property
    def secret(self) -> Callable[[str], str]:
        """A credential's text."""
        ...


def ways_of(
    settings: Settings, world: Around, trust: Callable[[], ssl.SSLContext] | None = None
) -> dict[str, Way]:
    """The ways that are configured, by name. `trust`: verifies whoever takes the webhook; None: as this system does."""
    alerts = settings.alerts
    found: dict[str, Way] = {}
    hook = optional_secret(world, ALERT_WEBHOOK)
    if alerts.webhook_url or _there(hook):
        found["webhook"] = WebhookWay(
            lambda: hook() or alerts.webhook_url,
            optional_secret(world, ALERT_WEBHOOK_SECRET),
            world.clock,
            trust or _system_trust,
        )
    if alerts.email:
        sender = alerts.email_from or f"archsyncd@{world.host_name or 'localhost'}"
        host, _, port = alerts.smtp.rpartition(":")
        server = (host.strip("[]"), int(port))
        found["email"] = MailWay(server, sender, alerts.email, world.clock, world.host_name)
    if alerts.command is not None:
        found["command"] = CommandWay(alerts.command)
    return found


def optional_secret(world: Around, name: str) -> Callable[[], str]:
    """What asks for a credential that need not be there: "" then. Raises SecretFault for one that cannot be used."""

    def ask() -> str:
        try:
            return world.secret(name)
        except (CredentialMissing, FileNotFoundError):
            return ""
        except CredentialFault as fault:
            raise SecretFault(str(fault)) from None
        except OSError as error:
            raise SecretFault(f"the credential {name} cannot be read: {error.strerror}") from None

    return ask


def _there(secret: Callable[[], str]) -> bool:
    try:
        return bool(secret())
    except SecretFault:
        return True  # the way says what is wrong with it when it is to be used


def _system_trust() -> ssl.SSLContext:
    try:
        return trusted_context(None)
    except TrustMissing as error:
        raise SecretFault(str(error)) from None


class Alerting:
    """The parts. `ways` are those in force."""

    def __init__(
        self,
        daemon: Daemon,
        world: Around,
        beater: Callable[[str], Callable[[], None]],
    ) -> None:
        self.ways: Mapping[str, Way] = ways_of(daemon.settings, world)
        self._world = world
        self.lookout = Lookout(
            daemon.store,
            daemon.shared,
            Observer(daemon).observe,
            lambda: self.ways,
            rules_of_alerts(daemon.settings),
            tell,
            beater("alerts"),
            lambda: alert_hours(daemon.settings).holds(world.clock.wall_ms()),
        )
        self.standing_by = StandingBy(
            daemon.store,
            daemon.shared,
            Observer(daemon).observe,
            lambda: self.ways,
            self.lookout.rules_now,
            tell,
            lambda: daemon.store.ledger.id,
            world.chance,
        )
        self.senders = [
            Sender(
                name,
                daemon.store,
                daemon.shared,
                lambda name=name: self.ways.get(name),  # type: ignore[misc]
                lambda: daemon.store.ledger.id,
                world.chance,
                beater(f"alerts by {name}"),
            )
            for name in WAYS
        ]

    def pumps(self) -> list[Pump]:
        """As the supervisor runs them."""
        looking = Pump("alerts", self.lookout.run)
        return [looking, *(Pump(sender.note, sender.run, SENDING_SECONDS) for sender in self.senders)]

    def put_in_force(self, settings: Settings) -> None:
        """A reload: what they go by from now on."""
        self.ways = ways_of(settings, self._world)
        self.lookout.rules = rules_of_alerts(settings)


def rules_of_alerts(settings: Settings) -> AlertRules:
    """How messages are grouped."""
    return AlertRules(settings.alerts.group_seconds, settings.alerts.digest_minutes * 60)


def tell(message: Message) -> None:
    """The journal has every message, whatever ways there are."""
    event = Event.ALERT_OVER if message.kind is MessageKind.OVER else Event.ALERT
    say(LOGGER, event, f"{headline(message)} (owner {message.owner})", owner=message.owner, code=message.code)
