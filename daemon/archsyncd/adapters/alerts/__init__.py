"""The ways that alerts take to people: a webhook, mail, a command. Each sends one message, bounded, and decides nothing."""

from archsyncd.adapters.alerts.command import CommandWay
from archsyncd.adapters.alerts.mail import MailWay
from archsyncd.adapters.alerts.webhook import WebhookWay

__all__ = ["CommandWay", "MailWay", "WebhookWay"]
