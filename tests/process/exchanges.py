"""Holds exchanges with commercetools against the vendor's description: every distinct shape once in a process.

Two exchanges have one shape when they differ in values only that no description tells apart: ids, names, figures, and how
many aliases or rows there are. The description itself is `tests.vendor_api`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from archsyncd.simulators.commercetools.exchange import Delivery, Reply, Request
from tests.vendor_api import VARIABLE, VendorApi, VendorMismatchError, load

TOKEN_PATH = "/oauth/token"
HTTP_OK = 200
# Members whose value says which description holds for what stands beside it.
TELLING = frozenset(
    {"action", "type", "typeId", "code", "error", "orderState", "inventoryMode", "token_type", "name"}
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_WORD = re.compile(r"[A-Za-z_]+")
_LIMIT = 400
_checked: set[Hashable] = set()


def folder(environment: Mapping[str, str]) -> str | None:
    """The folder with the vendor's description, read already; None when none was named."""
    found = environment.get(VARIABLE)
    if not found or not (Path(found) / "openapi.yaml").exists():
        return None
    load(found).ready()
    return found


def mismatches(place: str, request: Request, reply: Reply) -> list[str]:
    """Where a request or its answer does not fit, empty when this shape was checked before."""
    shape = _shape(request, reply)
    if shape in _checked:
        return []
    _checked.add(shape)
    try:
        _check(load(place), request, reply)
    except VendorMismatchError as mismatch:
        return [str(mismatch)[:_LIMIT]]
    return []


def _answer(request: Request, reply: Reply) -> Any:
    """What was answered as JSON; None where there is nothing to be held against a description."""
    whole = reply.genuine and reply.delivery is Delivery.WHOLE and request.method != "HEAD"
    return json.loads(reply.body) if whole and reply.body else None


def _shape(request: Request, reply: Reply) -> Hashable:
    path = _ID.sub("*", request.path)
    names = frozenset(parse_qs(request.query))
    body: Hashable = None
    if request.path != TOKEN_PATH and request.body:
        tree = json.loads(request.body)
        body = _form(tree)
        if path.endswith("/graphql"):
            body = (frozenset(_WORD.findall(tree["query"])), _form(tree.get("variables")))
    sent = (request.method, path, names, body)
    return (sent, reply.status, _form(_answer(request, reply)))


def _form(value: Any, name: str = "") -> Hashable:
    if isinstance(value, dict):
        return frozenset((re.sub(r"\d+", "0", key), _form(each, key)) for key, each in value.items())
    if isinstance(value, list):
        return ("list", frozenset(_form(each, name) for each in value))
    if isinstance(value, str) and name in TELLING:
        return value
    return type(value).__name__


def _check(api: VendorApi, request: Request, reply: Reply) -> None:
    answer = _answer(request, reply)
    if request.path == TOKEN_PATH:
        headers = request.headers
        sent = (headers.get("Content-Type", ""), headers.get("Authorization", ""), request.body.decode())
        if answer is not None:
            api.check_token(*sent, reply.status, answer)
        return
    body = json.loads(request.body) if request.body else None
    query = {name: values[0] for name, values in parse_qs(request.query).items()}
    api.check_request(request.method, request.path, body, query)
    if answer is not None:
        api.check_response(request.method, request.path, reply.status, answer)
    if request.path.endswith("/graphql"):
        assert isinstance(body, dict)
        api.check_graphql(body["query"], body.get("variables"))
        if answer is not None and reply.status == HTTP_OK:
            api.check_graphql_answer(body["query"], answer)
