"""What people do on the page: each act is one verb, asked for with a form of ours, and ends on a screen of ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from aiohttp import web

from archsyncd.operator.commands import Commands
from archsyncd.operator.page.guard import Guard, from_here, seated
from archsyncd.operator.page.muting import acknowledged, unmuted
from archsyncd.operator.page.screens import whole
from archsyncd.operator.protocol import EXIT_USAGE, Refusal

FORM = "application/x-www-form-urlencoded"
FIELDS_MOST = 8
# Whoever opens the socket or knows the token is not told apart from others who do.
BY_SOCKET = "the page, by its Unix socket"
OVER_TCP = "the page, signed in over TCP"
NOT_OURS = (
    "Nothing was changed: this page did not make the form for this browser, or the daemon was restarted since. Go back, load the "
    "page again, and repeat it."
)
Form: TypeAlias = Mapping[str, str]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Acts:
    """Answers to what is posted. `may_act`: whether this browser may."""

    def __init__(self, commands: Commands, guard: Guard, may_act: Callable[[web.Request], bool]) -> None:
        self._commands = commands
        self._guard = guard
        self._may_act = may_act

    def routes(self) -> Mapping[str, Handler]:
        """What is posted where."""
        return {
            "/ack": self._acknowledge,
            "/unmute": self._unmute,
            "/exceptions/{id}/retry": self._retry,
            "/exceptions/{id}/dismiss": self._dismiss,
            "/snapshots/{id}/approve": self._approve,
            "/snapshots/{id}/reject": self._reject,
        }

    async def _acknowledge(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        return await self._done(request, "ack", acknowledged(request.query, form), "/")

    async def _unmute(self, request: web.Request) -> web.Response:
        await self._form(request)
        return await self._done(request, "unmute", unmuted(request.query), "/")

    async def _retry(self, request: web.Request) -> web.Response:
        await self._form(request)
        number = _number(request)
        return await self._done(request, "exceptions.retry", {"id": number}, f"/exceptions/{number}")

    async def _dismiss(self, request: web.Request) -> web.Response:
        form, number = await self._form(request), _number(request)
        told = {"id": number, "reason": form.get("reason", "").strip()}
        return await self._done(request, "exceptions.dismiss", told, f"/exceptions/{number}")

    async def _approve(self, request: web.Request) -> web.Response:
        form, name = await self._form(request), request.match_info["id"]
        told = {"id": name, "digest": form.get("digest", "")}
        return await self._done(request, "snapshot.approve", told, f"/snapshots/{quote(name, safe='')}")

    async def _reject(self, request: web.Request) -> web.Response:
        form, name = await self._form(request), request.match_info["id"]
        told = {"id": name, "reason": form.get("reason", "").strip()}
        return await self._done(request, "snapshot.reject", told, f"/snapshots/{quote(name, safe='')}")

    async def _done(
        self, request: web.Request, verb: str, told: Mapping[str, Any], back: str
    ) -> web.Response:
        """Do it, leave word for the next screen, and send the browser there: a reload repeats nothing."""
        try:
            answer = await self._commands.answer(verb, told, OVER_TCP if self._guard.asks else BY_SOCKET)
            kind, says = "done" if answer["done"] else "nothing", answer["says"]
        except Refusal as refusal:
            kind, says = "refused", refusal.sentence
            if refusal.code == EXIT_USAGE and told.get("reason") == "":
                says = "Nothing was changed: a reason is needed."
        seat = self._guard.seat(request)
        self._guard.leave_word(seat, kind, says)
        answered = web.Response(status=303, headers={"Location": back})
        seated(answered, seat)
        return answered

    async def _form(self, request: web.Request) -> Form:
        """The form's fields, of who may act and with our seal. Raises HTTPException."""
        form = await _fields(request)
        if not self._may_act(request):
            raise web.HTTPForbidden(text="Nobody may act on this page; archsyncctl can.")
        if not self._guard.sealed(self._guard.seat(request), form.get("seal", "")):
            raise web.HTTPForbidden(text=NOT_OURS)
        return form

    async def enter(self, request: web.Request) -> str | None:
        """A new session's word for who tells the token, None for who does not. Raises TooMany."""
        form = await _fields(request)
        if await self._guard.admits(form.get("token", "").strip()):
            return self._guard.begin_session()
        return None

    async def leave(self, request: web.Request) -> web.Response:
        """End the session."""
        form = await _fields(request)
        seat = self._guard.seat(request)
        if self._guard.sealed(seat, form.get("seal", "")):
            self._guard.end_session(seat)
        raise web.HTTPSeeOther("/login" if self._guard.asks else "/")


async def _fields(request: web.Request) -> Form:
    if not from_here(request):
        raise web.HTTPForbidden(text="Nothing was changed: this was sent by another site's page.")
    if request.content_type != FORM:
        raise web.HTTPUnsupportedMediaType
    found = await request.post()
    if len(found) > FIELDS_MOST:
        raise web.HTTPBadRequest
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _number(request: web.Request) -> int:
    return whole(request.match_info["id"], "the number of a case")
