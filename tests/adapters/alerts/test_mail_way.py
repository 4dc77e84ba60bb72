"""Mail, against a mail server that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from archsyncd.adapters.alerts import MailWay
from archsyncd.engine.alerts import WayFault
from tests.adapters.alerts.samples import MESSAGE, StillClock


class Post:
    """Speaks as much of SMTP as a sender needs. `answers`: what it says instead; `endless`: its greeting never ends."""

    def __init__(self, answers: dict[str, str] | None = None, *, endless: bool = False) -> None:
        self.answers = answers or {}
        self.endless = endless
        self.letters: list[bytes] = []
        self.asked: list[str] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.endless:
                await self._greet(writer)
                return
            writer.write(b"220 here\r\n")
            while line := (await reader.readline()).decode().strip():
                self.asked.append(line)
                writer.write(self._answer(line).encode() + b"\r\n")
                if line.upper() == "DATA":
                    self.letters.append(await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 taken\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, line: str) -> str:
        for begins, answer in self.answers.items():
            if line.startswith(begins):
                return answer
        return "354 go on" if line.upper() == "DATA" else "221 bye" if line == "QUIT" else "250 fine"

    async def _greet(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220-still greeting\r\n")
            await writer.drain()
            await asyncio.sleep(0)  # the sender's limit runs on the same loop


@asynccontextmanager
async def listening(post: Post) -> AsyncIterator[tuple[str, int]]:
    server = await asyncio.start_server(post.talk, "127.0.0.1", 0)
    try:
        yield "127.0.0.1", server.sockets[0].getsockname()[1]
    finally:
        server.close()


def way(server: tuple[str, int], *receivers: str, seconds: float = 5.0) -> MailWay:
    to = receivers or ("ops@example.com", "data@example.com")
    return MailWay(server, "archsyncd@host.test", to, StillClock(), "host.test", seconds)


async def test_a_message_is_one_mail_to_all_with_its_number_and_its_time() -> None:
    """The number is the same when it is sent again, so that a mail program may know it again."""
    post = Post()
    async with listening(post) as server:
        assert await way(server).send("msg_1", MESSAGE) == "taken by 127.0.0.1"
    letter = message_from_bytes(post.letters[0], policy=default)
    assert letter["Subject"] == "archsyncd: [degraded] 12 open sku_not_found"
    assert letter["To"] == "ops@example.com, data@example.com"
    assert letter["Message-ID"] == "<msg_1@host.test>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"] == "Thu, 01 Jan 2026 00:00:00 -0000"
    text = letter.get_content()
    assert "Ä & 1" in text
    assert "next: Create the product." in text
    assert [line for line in post.asked if line.startswith("rcpt")] == [
        "rcpt TO:<ops@example.com>",
        "rcpt TO:<data@example.com>",
    ]


async def test_no_header_can_be_smuggled_in() -> None:
    """What a cause says may hold line ends."""
    post = Post()
    async with listening(post) as server:
        await way(server).send("msg_1", replace(MESSAGE, says="a\r\nBcc: evil@example.com\r\n\r\nb"))
    letter = message_from_bytes(post.letters[0], policy=default)
    assert letter["Bcc"] is None
    assert "evil" in letter["Subject"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"mail": "451 later\x1b"}, "refused: 451 later"),
        ({"rcpt": "550 nobody"}, "every address is refused: 550 nobody"),
        ({"rcpt": "550 5.1.1 <ops@example.com>: unknown"}, r"is refused: 550 5.1.1 \(an address\): unknown"),
    ],
)
async def test_a_refusal_is_told_with_the_servers_words(answers: dict[str, str], told: str) -> None:
    """Printable, and short."""
    async with listening(Post(answers)) as server:
        with pytest.raises(WayFault, match=told) as fault:
            await way(server).send("msg_1", MESSAGE)
    assert str(fault.value).isprintable()


async def test_a_letter_that_one_address_took_is_delivered_and_says_who_did_not_get_it() -> None:
    """Sent again, it would come to the others all day."""
    post = Post({"rcpt TO:<data": "550 nobody"})
    async with listening(post) as server:
        assert await way(server).send("msg_1", MESSAGE) == "taken, but not for data@example.com"
    assert len(post.letters) == 1


async def test_a_server_that_never_ends_its_greeting_is_cut_off_and_the_thread_ends() -> None:
    """Each line comes in time, and the last one never would."""
    async with listening(Post(endless=True)) as server:
        with pytest.raises(WayFault, match=r"did not take it within 0\.3 s"):
            await way(server, seconds=0.3).send("msg_1", MESSAGE)


async def test_without_a_mail_server_it_says_so() -> None:
    """The most usual case on a fresh host."""
    with pytest.raises(WayFault, match="no connection: Connection refused"):
        await way(("127.0.0.1", 1)).send("msg_1", MESSAGE)
