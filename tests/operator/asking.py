"""Speaks HTTP by hand to a page, one request a connection: what no client library would send can be sent too."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

BROWSER = "Accept: text/html,application/xhtml+xml"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def cookie(self) -> str:
        """The cookie that it sets, as a request's header."""
        return f"Cookie: {self.headers['set-cookie'].partition(';')[0]}"

    @property
    def seal(self) -> str:
        """The seal of its first form."""
        found = re.search(r'name="seal" value="([0-9a-f]+)"', self.body)
        assert found is not None
        return found[1]


async def ask(
    where: Path | int,
    target: str,
    *headers: str,
    host: str = "localhost",
    form: dict[str, str] | None = None,
) -> Answer:
    """A GET of a browser, or the POST of a form."""
    lines = [f"Host: {host}", "Connection: close", *headers]
    body = ""
    if not any(each.startswith("Accept:") for each in headers):
        lines.append(BROWSER)
    if form is not None:
        body = urlencode(form, errors="surrogatepass")
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    method = "GET" if form is None else "POST"
    return await told(where, "\r\n".join([f"{method} {target} HTTP/1.1", *lines]) + "\r\n\r\n" + body)


async def told(where: Path | int, request: str) -> Answer:
    """One request as it stands."""
    if isinstance(where, int):
        reader, writer = await asyncio.open_connection("127.0.0.1", where)
    else:
        reader, writer = await asyncio.open_unix_connection(str(where))
    writer.write(request.encode("utf-8", "surrogateescape"))
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    first, *rest = head.split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, body)
