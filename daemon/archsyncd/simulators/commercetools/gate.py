"""Carries requests through limits, faults and authorisation to an endpoint and words the answer; knows no sockets."""

from collections.abc import Callable

import orjson

from archsyncd.simulators.commercetools.clock import http_date
from archsyncd.simulators.commercetools.config import SimulatorConfig
from archsyncd.simulators.commercetools.errors import ApiError, not_found
from archsyncd.simulators.commercetools.exchange import Call, Delivery, Reply, Request
from archsyncd.simulators.commercetools.faults import APPLIED, LATE, STATUS, Fault, FaultKind, Faults
from archsyncd.simulators.commercetools.journal import Journal
from archsyncd.simulators.commercetools.limits import Bucket, retry_after
from archsyncd.simulators.commercetools.records import Actor, Surroundings
from archsyncd.simulators.commercetools.routes import Route, Table, split
from archsyncd.simulators.commercetools.tokens import Tokens, missing_scope

JSON = "application/json; charset=utf-8"
MAXIMUM_TARGET_BYTES = 8192
TOKEN_ROUTE = "oauth.token"  # noqa: S105 - a route's name
UNKNOWN_ROUTE = "unknown"
PAGE = b"<html><head><title>Service Unavailable</title></head><body>upstream</body></html>"
DELIVERIES = {
    FaultKind.DROP: Delivery.DROPPED,
    FaultKind.LOST_ANSWER: Delivery.DROPPED,
    FaultKind.LOST_ANSWER_APPLIED_LATE: Delivery.DROPPED,
    FaultKind.STALL: Delivery.STALLED,
    FaultKind.TRUNCATED: Delivery.TRUNCATED,
    FaultKind.ENDLESS: Delivery.ENDLESS,
}
WRONG = frozenset(
    {
        FaultKind.UNAVAILABLE_TEXT,
        FaultKind.NOT_JSON,
        FaultKind.REDIRECT,
        FaultKind.HUGE,
        FaultKind.GARBAGE_TOKEN,
    }
)
Late = Callable[[], object]


class Gate:
    """Everything between a request and the state engine."""

    def __init__(
        self,
        config: SimulatorConfig,
        around: Surroundings,
        table: Table,
        tokens: Tokens,
        faults: Faults,
        journal: Journal,
    ) -> None:
        self.config = config
        self._around = around
        self._table = table
        self._tokens = tokens
        self._faults = faults
        self._journal = journal
        self._late: list[tuple[float, Late]] = []
        self.in_flight = 0
        self.limit(config.requests_per_second, config.burst)

    def limit(self, per_second: float | None, burst: int) -> None:
        """Put a request rate in force; None lifts it."""
        self._bucket = None if per_second is None else Bucket(self._around.clock, per_second, burst)

    def settle(self, *, everything: bool = False) -> None:
        """Apply the requests whose late moment has come, oldest first."""
        if not self._late:
            return
        now = self._around.clock.now()
        due = [thunk for moment, thunk in self._late if everything or moment <= now]
        self._late = [] if everything else [pair for pair in self._late if pair[0] > now]
        for thunk in due:
            thunk()

    def exchange(self, request: Request) -> Reply:
        """Answer a request, its faults included, as values."""
        self.settle()
        route, arguments = self._find(request)
        name = TOKEN_ROUTE if request.path == "/oauth/token" else route.name if route else UNKNOWN_ROUTE
        self._journal.requests[name] += 1
        try:
            reply = self._refused_by_limits()
            if reply is None:
                reply = self._faulty(self._meets(name, request), request, route, arguments)
        except ApiError as error:
            reply = Reply(error.status, error.body())
        self._journal.answers[f"{name} {reply.status}"] += 1
        self._head(reply, request)
        return reply

    def _find(self, request: Request) -> tuple[Route | None, tuple[str, ...]]:
        project_key, pattern, arguments = split(request.path)
        if project_key != self.config.project_key:
            return None, ()
        return self._table.get((request.method, pattern)), arguments

    def _meets(self, name: str, request: Request) -> Fault | None:
        if not self._faults.rules:
            return None
        target = f"{request.path}?{request.query}" if request.query else request.path
        return self._faults.take(name, request.method, target, request.body)

    def _refused_by_limits(self) -> Reply | None:
        config = self.config
        if config.max_in_flight is not None and self.in_flight > config.max_in_flight:
            return Reply(503, ApiError(503, "OverCapacity", "The service is over capacity.").body())
        if self._bucket is not None and not self._bucket.take():
            headers = retry_after(config.retry_after, config.retry_after_seconds, self._around.clock.now())
            return Reply(429, ApiError(429, "TooManyRequests", "Too many requests.").body(), headers)
        return None

    def _plain(self, request: Request, route: Route | None, arguments: tuple[str, ...]) -> Reply:
        if len(request.path) + len(request.query) + 1 > MAXIMUM_TARGET_BYTES:
            return Reply(414, ApiError(414, "InvalidInput", "The request target is too long.").body())
        headers = request.headers
        authorization = headers.get("Authorization")
        if request.path == "/oauth/token" and request.method == "POST":
            document = self._tokens.grant(authorization, headers.get("Content-Type", ""), request.body)
            return Reply(200, orjson.dumps(document))
        token = self._tokens.check(authorization)
        if route is None:
            raise not_found(request.path)
        if route.scopes and not any(token.allows(scope) for scope in route.scopes):
            raise missing_scope(route.scopes, self.config.project_key)
        actor = Actor(token.client_id, headers.get("X-External-User-ID"))
        status, document = route.run(Call(arguments, request.query, request.body, actor, token))
        return Reply(status, orjson.dumps(document))

    def _faulty(
        self, fault: Fault | None, request: Request, route: Route | None, arguments: tuple[str, ...]
    ) -> Reply:
        if fault is None:
            return self._plain(request, route, arguments)
        kind = fault.kind
        if kind in LATE:
            moment = self._around.clock.now() + fault.seconds
            self._late.append((moment, lambda: self._quietly(request, route, arguments)))
        reply = self._quietly(request, route, arguments) if kind in APPLIED else Reply(200, b"")
        if kind in STATUS:
            reply = self._error(fault)
        elif kind in (FaultKind.UNAVAILABLE_TEXT, FaultKind.NOT_JSON):
            status = 503 if kind is FaultKind.UNAVAILABLE_TEXT else 200
            reply = Reply(status, PAGE, {"Content-Type": "text/html"} | self._retry_after(fault))
        elif kind is FaultKind.REDIRECT:
            reply = Reply(fault.status, b"", {"Location": fault.location})
        elif kind is FaultKind.HUGE:
            reply = Reply(200, b'{"results":"' + b"x" * fault.size_bytes + b'"}')
        elif kind is FaultKind.GARBAGE_TOKEN:
            reply = Reply(200, b'{"access_token":42,"expires_in":"soon"}')
        reply.genuine = kind not in WRONG
        reply.delivery = DELIVERIES.get(kind, Delivery.WHOLE)
        if kind is FaultKind.SLOW:
            reply.delay_seconds = fault.seconds
        return reply

    def _quietly(self, request: Request, route: Route | None, arguments: tuple[str, ...]) -> Reply:
        try:
            return self._plain(request, route, arguments)
        except ApiError as error:
            return Reply(error.status, error.body())

    def _error(self, fault: Fault) -> Reply:
        status, code = STATUS[fault.kind]
        body = ApiError(status, code, f"Scripted fault: {fault.kind}.").body()
        return Reply(status, body, self._retry_after(fault))

    def _retry_after(self, fault: Fault) -> dict[str, str]:
        return retry_after(fault.retry_after, int(fault.seconds), self._around.clock.now())

    def _head(self, reply: Reply, request: Request) -> None:
        headers = reply.headers
        headers.setdefault("Content-Type", JSON)
        headers["Date"] = http_date(int(self._around.clock.now()))
        headers["X-Correlation-ID"] = request.headers.get("X-Correlation-ID") or self._around.new_id()
