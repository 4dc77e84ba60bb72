"""An API client for the simulator's own tests: in-process, and every exchange checked against the vendor's API."""

import base64
import os
import random
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import orjson

from archsyncd.simulators.commercetools import (
    ApiClient,
    CommercetoolsSimulator,
    HandClock,
    OrderLine,
    SimulatorConfig,
)
from tests import vendor_api

Json = Any
MARKER_TYPE = {
    "key": "archsyncd",
    "name": {"en": "archsyncd"},
    "resourceTypeIds": ["inventory-entry"],
    "fieldDefinitions": [
        {"name": name, "label": {"en": name}, "required": False, "type": {"name": kind}}
        for name, kind in (
            ("archOp", "String"),
            ("archX", "Number"),
            ("archSeq", "String"),
            ("archFence", "Number"),
        )
    ],
}


def basic(client: ApiClient) -> str:
    """Return a Basic authorization header."""
    return "Basic " + base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()


class Caller:
    """One client of one simulator under a clock moved by hand."""

    def __init__(self, seed: int = 0, **config: Any) -> None:
        self.clock = HandClock()
        self.simulator = CommercetoolsSimulator(SimulatorConfig(**config), self.clock, random.Random(seed))
        self.headers: dict[str, str] = {}
        folder = os.environ.get(vendor_api.VARIABLE)
        self.vendor = vendor_api.load(folder) if folder else None

    async def token(self, client: ApiClient | None = None) -> None:
        """Fetch a token and use it from now on."""
        headers = {
            "Authorization": basic(client or self.simulator.config.clients[0]),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = b"grant_type=client_credentials"
        status, _, body = await self.simulator.handle("POST", "/oauth/token", "", headers, form)
        assert status == 200, body
        self.headers["Authorization"] = "Bearer " + orjson.loads(body)["access_token"]

    async def call(
        self, method: str, path: str, body: Json = None, query: Any = "", **headers: str
    ) -> tuple[int, Json]:
        """Send a request below the project; the answer must be one the vendor's API can give."""
        if "Authorization" not in self.headers:
            await self.token()
        encoded = query if isinstance(query, str) else urlencode(query, doseq=True, quote_via=quote)
        content = b"" if body is None else orjson.dumps(body)
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, answer = await self.simulator.handle(method, f"/demo{path}", encoded, sent, content)
        tree = orjson.loads(answer)
        if self.vendor is not None and status != 404:
            self.vendor.check_response(method, f"/demo{path}", status, tree)
            if status < 300:
                self.vendor.check_request(method, f"/demo{path}", body, parse_qs(encoded))
        return status, tree

    async def get(self, path: str, **query: Any) -> Json:
        """GET something that exists."""
        status, answer = await self.call("GET", path, query=query)
        assert status == 200, answer
        return answer

    async def post(self, path: str, body: Json) -> Json:
        """POST something that is accepted."""
        status, answer = await self.call("POST", path, body)
        assert status in (200, 201), answer
        return answer

    async def refused(self, method: str, path: str, body: Json = None, query: Any = "") -> tuple[int, str]:
        """Send something that is refused; returns status and code."""
        status, answer = await self.call(method, path, body, query)
        assert status >= 400, answer
        assert answer["statusCode"] == status
        return status, str(answer["errors"][0]["code"])

    async def update(self, entry: Json, *actions: Json) -> Json:
        """Update an entry at the version of its document."""
        request = {"version": entry["version"], "actions": list(actions)}
        return await self.post(f"/inventory/{entry['id']}", request)

    async def graphql(self, query: str, variables: Json = None) -> tuple[int, Json]:
        """Send a GraphQL document; one that is run must be one the vendor's schema takes."""
        status, answer = await self.call("POST", "/graphql", {"query": query, "variables": variables or {}})
        if self.vendor is not None and status == 200:
            self.vendor.check_graphql(query, variables)
        return status, answer

    def order(self, *lines: tuple[Any, ...], **details: Any) -> str:
        """Order lines of (sku, quantity, channel)."""
        return self.simulator.place_order([OrderLine(*line) for line in lines], **details)
