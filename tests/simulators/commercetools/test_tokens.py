"""Who may call the simulated API, and what a token allows."""

import orjson
import pytest

from archsyncd.simulators.commercetools import ApiClient
from tests.simulators.commercetools.caller import Caller, basic

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def _ask(caller: Caller, authorization: str, form: str) -> tuple[int, dict[str, object]]:
    headers = {**FORM, "Authorization": authorization}
    status, _, body = await caller.simulator.handle("POST", "/oauth/token", "", headers, form.encode())
    return status, orjson.loads(body)


async def test_token_answer_lists_granted_scopes_with_the_project_key() -> None:
    """The answer carries token, lifetime, type and scopes."""
    caller = Caller()
    status, answer = await _ask(caller, basic(ApiClient()), "grant_type=client_credentials")
    assert status == 200
    assert answer["expires_in"] == 172_800
    assert "manage_products:demo" in str(answer["scope"]).split()
    assert answer["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("authorization", "form", "expected"),
    [
        (basic(ApiClient(secret="wrong")), "grant_type=client_credentials", (401, "invalid_client")),
        ("Basic !!!", "grant_type=client_credentials", (401, "invalid_client")),
        ("", "grant_type=client_credentials", (401, "invalid_client")),
        (basic(ApiClient()), "grant_type=password", (400, "unsupported_grant_type")),
        (
            basic(ApiClient()),
            "grant_type=client_credentials&scope=manage_project%3Ademo",
            (400, "invalid_scope"),
        ),
        (
            basic(ApiClient()),
            "grant_type=client_credentials&scope=manage_products%3Aother",
            (400, "invalid_scope"),
        ),
    ],
)
async def test_token_request_that_is_not_right_is_refused(
    authorization: str, form: str, expected: tuple[int, str]
) -> None:
    """Wrong credentials, grant or scope get OAuth's error."""
    status, answer = await _ask(Caller(), authorization, form)
    assert (status, answer["error"]) == expected


async def test_f066_token_expires_by_the_injected_clock() -> None:
    """A token that worked is refused with 401 invalid_token once its lifetime is over."""
    caller = Caller()
    await caller.get("/channels")
    caller.clock.advance(172_800)
    assert await caller.refused("GET", "/channels") == (401, "invalid_token")
    await caller.token()
    await caller.get("/channels")


async def test_f067_revoked_client_loses_token_and_grant() -> None:
    """After a client is removed neither its token nor its secret works."""
    caller = Caller()
    await caller.token()
    caller.simulator.tokens.remove_client("archsyncd")
    assert await caller.refused("GET", "/channels") == (401, "invalid_token")
    status, _ = await _ask(caller, basic(ApiClient()), "grant_type=client_credentials")
    assert status == 401


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("manage_products", "GET", "/inventory"),
        ("view_channels", "GET", "/channels"),
        ("manage_orders", "GET", "/orders"),
        ("view_messages", "GET", "/messages"),
        ("manage_types", "GET", "/types"),
        ("manage_key_value_documents", "GET", "/custom-objects"),
        ("view_project_settings", "GET", ""),
    ],
)
async def test_f069_each_endpoint_needs_its_own_scope(scope: str, method: str, path: str) -> None:
    """One scope alone opens its endpoint, all the others do not."""
    only = ApiClient(scopes=(scope,))
    caller = Caller(clients=(only,))
    status, _ = await caller.call(method, path)
    assert status == 200
    others = ApiClient(scopes=tuple(name for name in ApiClient().scopes if name != scope))
    caller = Caller(clients=(others,))
    assert await caller.refused(method, path) == (403, "insufficient_scope")


async def test_view_scope_does_not_allow_writing() -> None:
    """view_products reads inventory and cannot create an entry."""
    caller = Caller(clients=(ApiClient(scopes=("view_products",)),))
    await caller.get("/inventory")
    refusal = await caller.refused("POST", "/inventory", {"sku": "A", "quantityOnStock": 1})
    assert refusal == (403, "insufficient_scope")


async def test_no_secret_in_a_repr() -> None:
    """Neither the client nor the configuration shows the secret."""
    caller = Caller()
    assert "simulator-secret" not in repr(caller.simulator.config)
