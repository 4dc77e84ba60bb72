"""Templates, and the two files that come with them. Knows no verb and no request; whatever it writes is escaped."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from archsyncd.operator.page import muting, words

HERE = Path(__file__).parent
ASSETS = {"style.css": "text/css", "live.js": "text/javascript"}
ASSET_SECONDS = 31_536_000


@dataclass(frozen=True, slots=True)
class Look:
    """One screen: its template, title, what it shows, the HTTP status, and the pieces that are kept live in it."""

    template: str
    title: str
    shows: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    live: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file for browsers. `address` changes with its content, so that it may be kept for long."""

    body: bytes
    zipped: bytes
    kind: str
    address: str


class Views:
    """Renders. Templates are compiled once."""

    def __init__(self) -> None:
        self.assets = {name: _asset(name, kind) for name, kind in ASSETS.items()}
        made = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=words.finished,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        made.filters.update(
            t=words.apart,
            n=words.figure,
            signed=words.signed,
            spoken=words.spoken,
            opened=words.opened,
            told=words.told,
            age=words.lasting,
            moment=words.moment,
            clock=words.clock,
            received=words.lines,
            part=words.part,
            percent=words.percent,
            size=words.size,
            quoted=words.quoted,
            cause=muting.address,
            beside=muting.beside,
            by_kind=muting.by_kind,
        )
        made.globals["asset"] = lambda name: self.assets[name].address
        self._made = made

    def prepare(self) -> None:
        """Compile all templates. May run in a thread."""
        for name in self._made.list_templates(extensions=("html",)):
            self._made.get_template(name)

    def text(self, template: str, **shows: Any) -> Markup:
        """A template with what it shows."""
        return Markup(self._made.get_template(template).render(**shows))  # noqa: S704 - templates escape


@cache
def views() -> Views:
    """The ones of this process."""
    return Views()


def _asset(name: str, kind: str) -> Asset:
    body = _lean((HERE / name).read_text(encoding="utf-8")).encode()
    return Asset(body, gzip.compress(body, mtime=0), kind, f"/{name}?{hashlib.sha256(body).hexdigest()[:12]}")


def _lean(text: str) -> str:
    """Without what only readers of the source need: indentation, and lines that are comments."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
