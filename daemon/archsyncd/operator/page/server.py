"""The status page over HTTP: routes, and what is answered to whom. Shows what the verbs answer, and knows no socket."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from aiohttp import web
from markupsafe import Markup

from archsyncd.engine.ports import Clock
from archsyncd.operator.commands import Commands
from archsyncd.operator.gauges import Kept
from archsyncd.operator.metrics import PATH, MetricsPage
from archsyncd.operator.page.acts import Acts
from archsyncd.operator.page.door import BODY_LIMIT_BYTES
from archsyncd.operator.page.guard import HEADERS, Guard, TooMany, seated
from archsyncd.operator.page.live import Live, Pieces
from archsyncd.operator.page.screens import HOURS, LIVE, Query, Screens, http_status, missing
from archsyncd.operator.page.views import ASSET_SECONDS, Asset, Look, views
from archsyncd.operator.protocol import Refusal
from archsyncd.operator.screens import status_lines

CHARTS_KEEP_SECONDS = 15.0
CRITICAL = "critical"
OPEN_PATHS = ("/login", "/style.css", "/live.js")
NEAR_PATHS = {"/sku": "/sku", "/order": "/order"}
_LOG = logging.getLogger("archsyncd.operator")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Screen: TypeAlias = Callable[[Query], Awaitable[Look]]


class StatusPage:
    """The answers of one process."""

    def __init__(
        self,
        commands: Commands,
        metrics: MetricsPage,
        guard: Guard,
        clock: Clock,
        *,
        acts: Callable[[], bool],
    ) -> None:
        """`acts`: whether people may act on the page at all."""
        self._metrics = metrics
        self._guard = guard
        self._may_act = acts
        self._views = views()
        self._screens = Screens(commands)
        self._acts = Acts(commands, guard, self.may_act)
        render: dict[str, Callable[[], Awaitable[Pieces]]] = {
            "head": self._head,
            "backlog": partial(self._pieces, self._screens.backlog, {}),
            "snapshots": partial(self._pieces, self._screens.snapshots, {}),
        }
        for hours in HOURS:
            render[f"overview-{hours}"] = partial(self._pieces, self._screens.overview, {"hours": str(hours)})
        self._live = Live(clock, render)
        # Drawing costs more than all the rest of the screen, and a sample comes once a minute.
        self._charted = {
            hours: Kept(clock, partial(self._charts, hours), CHARTS_KEEP_SECONDS, cost_share=0)
            for hours in HOURS
        }

    def application(self) -> web.Application:
        """As aiohttp serves it."""
        made = web.Application(middlewares=[self._guarded], client_max_size=BODY_LIMIT_BYTES)
        made.on_response_prepare.append(_head)
        made.on_shutdown.append(self._live.close)
        look = made.router.add_get
        look("/", self._front)
        look("/status.txt", self._text)
        look("/status.json", self._json)
        look("/healthz", self._health)
        look(PATH, self._metrics.answer)
        look("/live", self._live.answer)
        for name, screen in self._named().items():
            look(name, partial(self._shown, screen))
        look("/find", self._find)
        look("/exceptions/{id}", self._case)
        look("/snapshots/{id}", self._snapshot)
        for name, asset in self._views.assets.items():
            look(f"/{name}", partial(_asset, asset))
        look("/login", self._login)
        made.router.add_post("/login", self._enter)
        made.router.add_post("/logout", self._acts.leave)
        for path, act in self._acts.routes().items():
            made.router.add_post(path, act)
        return made

    def _named(self) -> Mapping[str, Screen]:
        screens = self._screens
        return {
            "/exceptions": screens.cases,
            "/sku": screens.sku,
            "/order": screens.order,
            "/orders": screens.orders,
            "/snapshots": screens.snapshots,
            "/backlog": screens.backlog,
        }

    def may_act(self, request: web.Request) -> bool:
        """Whether this browser may act: where the page may at all, over TCP within a session."""
        return self._may_act() and (not self._guard.asks or self._guard.in_session(self._guard.seat(request)))

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = await self._let_in(request) or await handler(request)
        except web.HTTPException as refusal:
            answer = await self._refused(request, refusal)
        except Refusal as refusal:
            answer = await self._not_told(request, refusal)
        except (ConnectionResetError, TimeoutError):
            raise
        except Exception:  # noqa: BLE001 - one request's fault must not show its inside
            _LOG.exception("the status page failed")
            answer = web.Response(status=500, text="The daemon failed at this; the journal says more.\n")
        if wants_html(request) and not answer.prepared:
            # The door cuts connections after a while: a browser's next request gets one of its own.
            answer.force_close()
        return answer

    async def _let_in(self, request: web.Request) -> web.Response | None:
        """None for who may read; else what is answered instead."""
        if not self._guard.knows_host(request.headers.get("Host", "")):
            told = (
                "This is not a name of this host; status.names lists those besides localhost and addresses.\n"
            )
            return web.Response(status=421, text=told)
        if (
            not self._guard.asks
            or request.path in OPEN_PATHS
            or self._guard.in_session(self._guard.seat(request))
        ):
            return None
        told = request.headers.get("Authorization", "")
        if told.startswith("Bearer "):
            try:
                if await self._guard.admits(told.removeprefix("Bearer ")):
                    return None
            except TooMany:
                return web.Response(status=429, text="too many tries\n", headers={"Retry-After": "5"})
        elif wants_html(request):
            raise web.HTTPSeeOther("/login")
        return web.Response(status=401, text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"})

    async def _refused(self, request: web.Request, refusal: web.HTTPException) -> web.Response:
        if 300 <= refusal.status < 400:  # noqa: PLR2004 - a redirect is made by raising it
            return web.Response(status=refusal.status, headers={"Location": refusal.headers["Location"]})
        allow = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else {}
        if wants_html(request) and (
            not self._guard.asks or self._guard.in_session(self._guard.seat(request))
        ):
            says = (
                refusal.text
                if refusal.text and refusal.text[:3] != str(refusal.status)
                else f"{refusal.reason}."
            )
            shows = {"asked": request.path, "says": [says], "near": []}
            return await self._page(request, Look("missing.html", refusal.reason, shows, refusal.status))
        told = f"{refusal.reason}; see / /status.json /healthz {PATH}\n"
        return web.Response(status=refusal.status, text=told, headers=allow)

    async def _not_told(self, request: web.Request, refusal: Refusal) -> web.Response:
        status = http_status(refusal)
        if not wants_html(request):
            return web.Response(status=status, text=f"{refusal.sentence}\n")
        asked = request.query.get("of") or request.match_info.get("id", request.path)
        shows = missing(asked, [(refusal, NEAR_PATHS.get(request.path, ""))])
        title = "Not found" if status == 404 else "This cannot be shown"  # noqa: PLR2004 - the status is its name
        return await self._page(request, Look("missing.html", title, shows, status))

    async def _front(self, request: web.Request) -> web.Response:
        if not wants_html(request):
            return await self._text(request)
        return await self._shown(self._screens.overview, request)

    async def _case(self, request: web.Request) -> web.Response:
        return await self._page(request, await self._screens.case(request.match_info["id"]))

    async def _snapshot(self, request: web.Request) -> web.Response:
        return await self._page(request, await self._screens.snapshot(request.match_info["id"]))

    async def _shown(self, screen: Screen, request: web.Request) -> web.Response:
        return await self._page(request, await screen(request.query))

    async def _find(self, request: web.Request) -> web.Response:
        text = request.query.get("q", "").strip()[:256]
        if not text:
            raise web.HTTPSeeOther("/")
        found = await self._screens.find(text)
        if isinstance(found, str):
            raise web.HTTPSeeOther(found)
        return await self._page(request, found)

    async def _page(self, request: web.Request, look: Look) -> web.Response:
        guard, status = self._guard, await self._screens.status()
        seat = guard.seat(request)
        topic = look.live or "head"
        shell = {
            "title": look.title,
            "status": status,
            "topic": f"{topic}-{look.shows['hours']}" if "hours" in look.shows and look.live else topic,
            "here": request.path,
            # Two slashes would lead to another host.
            "address": "/" + request.path_qs.lstrip("/\\"),
            "refreshes": bool(look.live) and not look.shows.get("asked"),
            "said": guard.take_word(seat),
            "seal": guard.seal(seat),
            "acts": self.may_act(request),
            "acting": self._may_act(),
            "in_session": guard.asks and guard.in_session(seat),
            "query": request.query.get("q", ""),
        }
        text = self._views.text(look.template, **(shell | await self._whole(look)))
        answer = web.Response(status=look.status, text=text, content_type="text/html")
        seated(answer, seat)
        return answer

    async def _head(self) -> Pieces:
        status = await self._screens.status()
        return {name: self._views.text(f"_{name}.html", status=status) for name in ("badge", "tally")}

    async def _pieces(self, screen: Screen, query: Query) -> Pieces:
        look = await screen(query)
        shows = await self._whole(look)
        shows.setdefault("status", await self._screens.status())
        names = LIVE[look.live] if "feeds" in shows["status"] else LIVE[look.live][:1]
        pieces = {name: self._views.text(f"_{name}.html", **shows) for name in names}
        charted = {"charts": shows["charted"]} if "charted" in shows else {}
        return {**await self._head(), **pieces, **charted}

    async def _whole(self, look: Look) -> dict[str, Any]:
        """What a screen shows, the overview with its charts, which nobody draws while the store is broken."""
        if look.live != "overview" or "feeds" not in look.shows["status"]:
            return dict(look.shows)
        return look.shows | {"charted": await self._charted[look.shows["hours"]].get()}

    async def _charts(self, hours: int) -> Markup:
        return self._views.text("_charts.html", **await self._screens.charts(hours))

    async def _text(self, _: web.Request) -> web.Response:
        return web.Response(text="\n".join(status_lines(await self._screens.status())) + "\n")

    async def _json(self, _: web.Request) -> web.Response:
        return web.json_response(await self._screens.status())

    async def _health(self, _: web.Request) -> web.Response:
        """503 while the data is not to be trusted: a probe need not read the sentence."""
        status = await self._screens.status()
        return web.Response(
            text=f"{status['sentence']}\n", status=503 if status["verdict"] == CRITICAL else 200
        )

    async def _login(self, _: web.Request) -> web.Response:
        if not self._guard.asks:
            raise web.HTTPSeeOther("/")
        return self._login_form("")

    def _login_form(self, wrong: str, status: int = 200) -> web.Response:
        text = self._views.text("login.html", wrong=wrong)
        return web.Response(status=status, text=text, content_type="text/html")

    async def _enter(self, request: web.Request) -> web.Response:
        try:
            seat = await self._acts.enter(request)
        except TooMany:
            return self._login_form("Too many people try at once. Try again in some seconds.", 429)
        if seat is None:
            return self._login_form(
                "This is not the token: the credential status-token of the daemon's host.", 403
            )
        answer = web.Response(status=303, headers={"Location": "/"})
        seated(answer, seat)
        return answer


async def _asset(asset: Asset, request: web.Request) -> web.Response:
    headers = {"Cache-Control": f"private, max-age={ASSET_SECONDS}, immutable", "Vary": "Accept-Encoding"}
    body = asset.body
    # Screens are not packed: how well something packs would tell of the seals in it.
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = asset.zipped
    answer = web.Response(body=body, content_type=asset.kind, charset="utf-8", headers=headers)
    answer.force_close()
    return answer


async def _head(_: web.Request, answer: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)


def wants_html(request: web.Request) -> bool:
    """Whether a browser asks: programs say nothing of HTML."""
    return "text/html" in request.headers.get("Accept", "")
