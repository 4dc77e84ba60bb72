"""A message by mail through a mail server that takes it without a login: this host's own, or the site's. Knows no retries.

Under the service's sandbox no program may take another user's rights, so sendmail is none of the ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import socket
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final

from archsyncd.domain.alert_texts import headline, lines
from archsyncd.domain.alerting import Message
from archsyncd.engine.alerts import WayFault
from archsyncd.engine.ports import Clock

STEP_SECONDS: Final = 10.0
SECONDS: Final = 30.0
_SHOWN: Final = 80
_ADDRESS: Final = re.compile(r"<?[^\s<>@]{1,64}@[^\s<>@]{1,255}>?")


class MailWay:
    """Sends to some addresses at once."""

    def __init__(
        self,
        server: tuple[str, int],
        sender: str,
        receivers: Sequence[str],
        clock: Clock,
        host_name: str,
        seconds: float = SECONDS,
    ) -> None:
        """`server`: host and port. `host_name`: what this host calls itself. `seconds`: for the whole conversation."""
        self._server = server
        self._sender = sender
        self._receivers = tuple(receivers)
        self._clock = clock
        self._host_name = host_name
        self._seconds = seconds

    @property
    def target(self) -> str:
        """The addresses."""
        return ", ".join(self._receivers)

    async def send(self, number: str, message: Message) -> str:
        """Hand it to the mail server; who takes it, and for whom not. Raises WayFault when it is taken for nobody."""
        talk = _Talk(self._server, self._host_name)
        letter = self._letter(number, message)
        working = asyncio.ensure_future(asyncio.to_thread(talk.send, self._sender, self._receivers, letter))
        try:
            async with asyncio.timeout(self._seconds):
                refused = await asyncio.shield(working)
        except TimeoutError:
            raise WayFault(f"the mail server did not take it within {self._seconds:g} s") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise WayFault(_named(error)) from None
        finally:
            if not working.done():
                # A server that answers a letter at a time would keep the thread for ever.
                talk.cut()
                await asyncio.gather(working, return_exceptions=True)
        if refused:
            # Sent again, the letter would come a second time to those who have it.
            return f"taken, but not for {', '.join(sorted(refused))}"[:500]
        return f"taken by {self._server[0]}"

    def _letter(self, number: str, message: Message) -> bytes:
        letter = EmailMessage(policy=SMTP)
        letter["Subject"] = f"archsyncd: {headline(message)}"
        letter["From"] = self._sender
        letter["To"] = ", ".join(self._receivers)
        letter["Date"] = formatdate(self._clock.wall_ms() / 1000)
        letter["Message-ID"] = f"<{number}@{self._host_name or 'localhost'}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content("\n".join([headline(message), "", *lines(message), ""]), charset="utf-8")
        return letter.as_bytes()


class _Talk:
    """One conversation, in a thread of its own; another one may cut it."""

    def __init__(self, server: tuple[str, int], host_name: str) -> None:
        self._server = server
        self._smtp = smtplib.SMTP(local_hostname=host_name or "localhost", timeout=STEP_SECONDS)
        self._cut = False

    def send(self, sender: str, receivers: Sequence[str], letter: bytes) -> set[str]:
        """Send; the addresses that were refused while others were not. Raises SMTPException or OSError."""
        code, told = self._smtp.connect(*self._server)
        if code != 220:  # noqa: PLR2004 - SMTP's own number: ready
            raise smtplib.SMTPConnectError(code, told)
        if self._cut:
            raise TimeoutError
        with self._smtp as smtp:
            return set(smtp.sendmail(sender, receivers, letter))

    def cut(self) -> None:
        """End it whatever it waits for."""
        self._cut = True
        held = self._smtp.sock
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


def _named(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, told = next(iter(error.recipients.values()))
        return f"every address is refused: {code} {_clean(told)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"refused: {error.smtp_code} {_clean(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the mail server hung up"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return type(error).__name__


def _clean(told: bytes | str) -> str:
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
    # A server repeats the address that it refuses, and what is said here is told where no address belongs.
    text = _ADDRESS.sub("(an address)", text)
    return "".join(each if each.isprintable() else " " for each in text[:_SHOWN])
