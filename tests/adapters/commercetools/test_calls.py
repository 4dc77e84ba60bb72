"""What goes over the wire, and what each answer becomes."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from archsyncd.domain.inventory import (
    Conflict,
    EntryPage,
    EntryWrite,
    Exists,
    Forbidden,
    Marker,
    MarkerType,
    MessageCursor,
    Missing,
    OrderPage,
    Project,
    Refused,
    StockKey,
    TenureRecord,
    Throttled,
    TooLarge,
    Unknown,
    WriteKind,
    Written,
)
from archsyncd.engine.ports import Commercetools
from tests.adapters.commercetools.bench import (
    CHANNEL,
    ENTRY_ID,
    INCREMENT,
    KEY,
    PROJECT,
    Bench,
    Said,
    entry_tree,
    fault,
    open_bench,
    page_of,
)

MARKER = Marker("ledger-1", "op-7", 12, "90", 2)
LEASE = TenureRecord(None, "ledger-1", "host-a", 3, 30.0, 0, 0)


def asked_where(target: str) -> str:
    return parse_qs(urlsplit(target).query)["where"][0]


def lease_tree(version: int) -> dict[str, object]:
    return {
        "id": "co-1",
        "version": version,
        "container": "archsyncd",
        "key": "lease",
        "value": {"ledger": "ledger-1", "holder": "host-a", "fence": 3, "seconds": 30.0},
        "createdAt": "2026-03-02T10:00:00.000Z",
        "lastModifiedAt": "2026-03-02T10:00:00.500Z",
    }


async def test_the_client_is_the_port(bench: Bench) -> None:
    """The client offers what the loops ask for, and a full page of ids fits one URL."""
    port: Commercetools = bench.client
    ids = [f"7c1b4d8e-0000-4000-8000-{n:012d}" for n in range(port.ids_per_request)]
    bench.api.answers += [page_of(), page_of()]
    assert isinstance(await port.entries_by_id(ids), EntryPage)
    assert isinstance(await port.orders_by_id(ids), OrderPage)
    assert 6_000 < len(bench.api.seen[1].target) < 7_000


async def test_a_write_is_one_post_with_its_marker_and_our_name(bench: Bench) -> None:
    """An increment moves the quantity and signs it in one request that names us and its correlation id."""
    assert await bench.client.write(INCREMENT) == Written(ENTRY_ID, 5, 12)
    (seen,) = bench.api.seen
    assert (seen.method, seen.target) == ("POST", f"/{PROJECT}/inventory/{ENTRY_ID}")
    assert seen.json() == {
        "version": 4,
        "actions": [
            {"action": "addQuantity", "quantity": 3},
            {"action": "setCustomField", "name": "archOp", "value": "ledger-1/op-7"},
            {"action": "setCustomField", "name": "archX", "value": 12},
            {"action": "setCustomField", "name": "archSeq", "value": "90"},
            {"action": "setCustomField", "name": "archFence", "value": 2},
        ],
    }
    assert seen.headers["X-External-User-ID"] == "archsyncd@host.example"
    assert seen.headers["X-Correlation-ID"] == bench.correlations[0]
    assert seen.headers["Authorization"] == "Bearer token-1"
    assert bench.api.token_seen[0].headers["X-Correlation-ID"] in bench.correlations


async def test_reads_do_not_sign_as_writers(bench: Bench) -> None:
    """A read carries a correlation id but no user: nothing of it lands in a history."""
    bench.api.answers.append(page_of(entry_tree()))
    await bench.client.entries_by_id([ENTRY_ID])
    assert "X-External-User-ID" not in bench.api.seen[0].headers
    assert bench.api.seen[0].headers["X-Correlation-ID"] in bench.correlations


async def test_entries_are_asked_for_by_sku_and_channel(bench: Bench) -> None:
    """A look-up names the channel's id beside the SKUs, and reads the server's clock from its Date header."""
    bench.api.answers.append(page_of(entry_tree()))
    page = await bench.client.entries_by_key([KEY, StockKey(CHANNEL.key, 'a"b')])
    assert isinstance(page, EntryPage)
    assert [entry.key for entry in page.entries] == [KEY]
    assert page.server_ms > 1_700_000_000_000
    assert page.entries[0].read_at_ms == page.server_ms
    where = asked_where(bench.api.seen[0].target)
    assert where == f'supplyChannel(id="{CHANNEL.id}") and sku in ("ABC-1","a\\"b")'


async def test_an_unknown_channel_is_refused_before_anything_is_sent(bench: Bench) -> None:
    """A key of a channel the project does not have must never be looked up in the channel-less pool."""
    answer = await bench.client.entries_by_key([StockKey("nowhere", "ABC-1")])
    assert isinstance(answer, Refused)
    assert bench.api.seen == []


async def test_products_are_asked_by_graphql_and_not_as_a_write(bench: Bench) -> None:
    """The catalogue look-up is a query although it is a POST."""
    product = {"masterData": {"current": {"masterVariant": {"sku": "ABC-1"}, "variants": [{"sku": None}]}}}
    bench.api.answers.append(Said(tree={"data": {"products": {"results": [product]}}}))
    assert await bench.client.products(["ABC-1", "ABC-2"]) == frozenset({"ABC-1"})
    assert "X-External-User-ID" not in bench.api.seen[0].headers
    assert await bench.client.products([]) == frozenset()
    assert len(bench.api.seen) == 1


async def test_channels_are_walked_by_id(bench: Bench) -> None:
    """The second page is asked for behind the last id."""
    bench.api.answers.append(page_of({"id": CHANNEL.id, "key": CHANNEL.key, "roles": ["InventorySupply"]}))
    assert await bench.client.channels("id-0") == ((CHANNEL,), None)
    assert asked_where(bench.api.seen[0].target) == 'id > "id-0"'


async def test_the_project_tells_whether_messages_are_kept(bench: Bench) -> None:
    """The settings are read below the project itself."""
    tree = {"key": PROJECT, "messages": {"enabled": True}, "createdAt": "2024-01-01T00:00:00.000Z"}
    bench.api.answers.append(Said(tree=tree))
    assert await bench.client.project() == Project(PROJECT, True, "2024-01-01T00:00:00.000Z")
    assert bench.api.seen[0].target == f"/{PROJECT}"


async def test_a_type_is_extended_by_what_it_lacks_only(bench: Bench) -> None:
    """Extending reads first, takes a second place from the budget, and adds only the missing fields."""
    fields = [
        {"name": name, "type": {"name": kind}} for name, kind in (("archOp", "String"), ("size", "Enum"))
    ]
    shop_type = {
        "id": "type-1",
        "version": 3,
        "resourceTypeIds": ["inventory-entry"],
        "fieldDefinitions": fields,
    }
    whole = [
        {"name": name, "type": {"name": kind}}
        for name, kind in (
            ("archOp", "String"),
            ("archX", "Number"),
            ("archSeq", "String"),
            ("archFence", "Number"),
        )
    ]
    bench.api.answers += [
        Said(tree=shop_type),
        Said(tree=shop_type | {"version": 4, "fieldDefinitions": [*fields, *whole[1:]]}),
    ]
    places = len(bench.taken)
    assert await bench.client.extend_type("type-1") == MarkerType("type-1", 4, ())
    sent = bench.api.seen[1].json()
    assert [action["fieldDefinition"]["name"] for action in sent["actions"]] == [
        "archX",
        "archSeq",
        "archFence",
    ]
    assert sent["version"] == 3
    assert len(bench.taken) == places + 2  # the token and the second request


async def test_a_type_that_is_whole_is_left_alone(bench: Bench) -> None:
    """A missing type is told as such, and an unfit one is refused with the field's name."""
    bench.api.answers += [
        fault(404, "ResourceNotFound"),
        Said(
            tree={
                "id": "type-1",
                "version": 3,
                "resourceTypeIds": ["inventory-entry"],
                "fieldDefinitions": [{"name": "archX", "type": {"name": "Boolean"}}],
            }
        ),
    ]
    assert await bench.client.marker_type() == MarkerType(
        None, None, ("archOp", "archX", "archSeq", "archFence")
    )
    unfit = await bench.client.extend_type("type-1")
    assert isinstance(unfit, Refused)
    assert "archX" in unfit.message


async def test_the_lease_is_compared_and_set(bench: Bench) -> None:
    """Without a lease there is None; a renewal names its version; a lost race is a conflict."""
    bench.api.answers += [
        fault(404, "ResourceNotFound"),
        Said(201, lease_tree(1)),
        Said(200, lease_tree(2)),
        fault(409, "ConcurrentModification", currentVersion=9),
    ]
    assert await bench.client.read_tenure() is None
    first = await bench.client.write_tenure(LEASE)
    assert isinstance(first, TenureRecord)
    assert first.version == 1
    assert first.server_ms > 0
    assert first.modified_at_ms == 1_772_445_600_500
    assert isinstance(await bench.client.write_tenure(first), TenureRecord)
    assert await bench.client.write_tenure(first) == Conflict(9)
    assert "version" not in bench.api.seen[1].json()
    assert bench.api.seen[2].json()["version"] == 1


async def test_two_first_leases_at_once_have_one_winner(bench: Bench) -> None:
    """A first lease that comes back with a later version replaced another one: that is a conflict, not a win."""
    bench.api.answers.append(Said(200, lease_tree(2)))
    assert await bench.client.write_tenure(LEASE) == Conflict(2)


async def test_a_lease_written_by_somebody_else_is_not_taken(bench: Bench) -> None:
    """A value under the lease's name that is no lease is refused instead of being overwritten as absent."""
    bench.api.answers.append(Said(tree=lease_tree(1) | {"value": "mine"}))
    assert isinstance(await bench.client.read_tenure(), Refused)


async def test_messages_are_read_by_keyset(bench: Bench) -> None:
    """The query repeats the server's own timestamp and id, oldest first, and bounds the newest."""
    bench.api.answers.append(page_of())
    await bench.client.messages(
        MessageCursor("2026-03-01T10:00:00.123Z", "m-1"), "2026-03-01T11:00:00.000Z", 500
    )
    query = parse_qs(urlsplit(bench.api.seen[0].target).query)
    (where,) = query["where"]
    assert where.startswith(
        '(createdAt > "2026-03-01T10:00:00.123Z" or (createdAt = "2026-03-01T10:00:00.123Z" and id > "m-1"))'
        ' and createdAt <= "2026-03-01T11:00:00.000Z" and type in ("OrderCreated","OrderImported",'
    )
    assert query["sort"] == ["createdAt asc", "id asc"]
    assert query["limit"] == ["500"]


async def test_an_order_that_cannot_be_read_is_refused_for_good(bench: Bench) -> None:
    """Half an order is none: a line with an unknown mode makes the order unreadable, and asking again is no help."""
    line = {"id": "l-1", "variant": {"id": 1}, "quantity": 1, "inventoryMode": "Teleport"}
    order = {
        "id": "o-1",
        "version": 1,
        "createdAt": "2026-03-01T10:00:00.000Z",
        "orderState": "Open",
        "lineItems": [line],
    }
    bench.api.answers.append(Said(tree=order))
    answer = await bench.client.order("o-1")
    assert isinstance(answer, Refused)
    assert answer.code == "OrderUnreadable"


async def test_hostile_ids_stay_inside_their_path_segment(bench: Bench) -> None:
    """An id with slashes and dots cannot lead a call to another resource."""
    await bench.client.order("../../other/orders/1?x=y#z")
    assert bench.api.seen[0].target == f"/{PROJECT}/orders/%2E%2E%2F%2E%2E%2Fother%2Forders%2F1%3Fx%3Dy%23z"


async def test_an_answer_without_a_date_uses_the_clock_told_before(bench: Bench) -> None:
    """The server's clock runs on between answers, by our monotonic time and never by our wall clock."""
    bench.api.answers += [
        Said(tree=lease_tree(1), headers={"Date": "Mon, 02 Mar 2026 10:00:00 GMT"}),
        Said(tree=lease_tree(1), headers={"Date": "garbage"}),
    ]
    first = await bench.client.read_tenure()
    bench.clock.now += 5
    bench.clock.wall += 86_400_000
    second = await bench.client.read_tenure()
    assert isinstance(first, TenureRecord)
    assert isinstance(second, TenureRecord)
    assert second.server_ms - first.server_ms == 5_000


async def test_an_answer_that_never_told_the_time_is_none(bench: Bench) -> None:
    """Without any server clock a lease cannot be judged, so there is no answer."""
    bench.api.otherwise = lambda _seen: Said(tree=lease_tree(1), headers={"Date": "garbage"})
    answer = await bench.client.read_tenure()
    assert isinstance(answer, Unknown)
    assert "Date" in answer.reason


async def test_a_write_many_is_answered_alias_by_alias(bench: Bench) -> None:
    """One alias succeeds, one conflicts, one has no answer at all: each is told apart."""
    done = {"id": ENTRY_ID, "version": 5, "quantityOnStock": 15}
    bench.api.answers.append(
        Said(
            tree={
                "data": {"a0": done, "a1": None, "a2": None},
                "errors": [
                    {
                        "message": "version",
                        "path": ["a1"],
                        "locations": [],
                        "extensions": {"code": "ConcurrentModification", "currentVersion": 8},
                    }
                ],
            }
        )
    )
    answers = await bench.client.write_many([INCREMENT, INCREMENT, INCREMENT])
    assert isinstance(answers, tuple)
    assert answers[:2] == (Written(ENTRY_ID, 5, 15), Conflict(8))
    assert isinstance(answers[2], Unknown)
    failed = [answer.correlation for answer in answers if not isinstance(answer, Written)]
    assert failed == [bench.api.seen[0].headers["X-Correlation-ID"]] * 2
    assert bench.api.seen[0].headers["X-External-User-ID"] == "archsyncd@host.example"
    assert await bench.client.write_many([]) == ()


async def test_f069_a_missing_scope_parks_one_call_and_names_the_scope() -> None:
    """403 insufficient_scope is told with the scope; other calls go on; the scopes are listed from the token."""
    async with open_bench() as bench:
        bench.api.scope = f"manage_products:{PROJECT} manage_customers:{PROJECT}"
        bench.api.answers += [
            fault(
                403,
                "insufficient_scope",
                f"Insufficient scope. One of the following scopes is missing: view_messages:{PROJECT}.",
            ),
            Said(tree=entry_tree()),
        ]
        refused = await bench.client.newest_messages("2026-03-01T10:00:00.000Z", 500)
        assert isinstance(refused, Forbidden)
        assert refused.scope == f"view_messages:{PROJECT}"
        assert isinstance(await bench.client.write(INCREMENT), Written)
        assert f"view_messages:{PROJECT}" in bench.client.missing_scopes
        assert f"manage_products:{PROJECT}" not in bench.client.missing_scopes
        assert bench.client.excess_scopes == {f"manage_customers:{PROJECT}"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (Said(429, text=b"slow down"), Throttled(429, "", None)),
        (Said(429, text=b"", headers={"Retry-After": "7"}), Throttled(429, "", 7.0)),
        (fault(503, "OverCapacity"), Throttled(503, "OverCapacity", None)),
        (fault(400, "InvalidField"), Refused("InvalidField", "as scripted")),
        (fault(400, "DuplicateField", field="sku"), Exists("sku")),
        (fault(404, "ResourceNotFound"), Missing()),
        (fault(413, "ContentTooLarge"), TooLarge("ContentTooLarge", "as scripted")),
        (Said(414, text=b"<html>"), TooLarge("414", "")),
    ],
    ids=["f075", "f076", "over-capacity", "f081", "duplicate", "gone", "f082-413", "f082-414"],
)
async def test_f075_f076_f081_f082_an_answer_becomes_one_failure(
    bench: Bench, said: Said, wanted: object
) -> None:
    """Each answer of the table arrives as its own value, from a real socket."""
    bench.api.answers.append(said)
    assert await bench.client.write(INCREMENT) == wanted


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_f078_a_server_fault_is_no_answer_for_a_write(bench: Bench, status: int) -> None:
    """A front end's 5xx says nothing about whether the write took effect, and the client repeats nothing itself."""
    bench.api.answers.append(Said(status, text=b"<html>oops</html>"))
    answer = await bench.client.write(INCREMENT)
    assert isinstance(answer, Unknown)
    assert answer.status == status
    assert len(bench.api.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_f078_a_server_fault_on_a_read_is_answered_once(bench: Bench, status: int) -> None:
    """A read that meets a 5xx comes back as no answer or as throttled; repeating is the loops' business."""
    bench.api.answers.append(Said(status, text=b"<html>oops</html>"))
    answer = await bench.client.entries_by_id([ENTRY_ID])
    assert isinstance(answer, Unknown | Throttled)
    assert answer.status == status
    assert len(bench.api.seen) == 1


async def test_f082_an_answer_beyond_the_limit_asks_for_less() -> None:
    """A page beyond the cap is cut off and told as too large; the same on a write leaves its outcome unknown."""
    async with open_bench(answer_bytes=10_000) as bench:
        bench.api.otherwise = lambda _seen: Said(tree={"results": ["x" * 20_000]})
        assert isinstance(await bench.client.entries_by_id([ENTRY_ID]), TooLarge)
        assert isinstance(await bench.client.write(INCREMENT), Unknown)


async def test_f082_an_url_beyond_the_limit_is_not_sent(bench: Bench) -> None:
    """A look-up that would make a URL the front end cuts off never leaves."""
    keys = [StockKey(CHANNEL.key, f"SKU-{n:06d}") for n in range(1_000)]
    assert isinstance(await bench.client.entries_by_key(keys), TooLarge)
    assert bench.api.seen == []
    parts = bench.client.split_keys(keys)
    bench.api.otherwise = lambda _seen: page_of()
    for part in parts:
        assert not isinstance(await bench.client.entries_by_key(part), TooLarge)
    assert max(len(seen.target) for seen in bench.api.seen) < 7_000


async def test_a_failed_call_is_logged_with_its_correlation_id(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """What a person must act on is logged with the id that commercetools' support can find."""
    caplog.set_level(logging.DEBUG)
    bench.api.answers.append(fault(400, "InvalidField", "line\nbreak \x1b[31m" + "x" * 1_000))
    answer = await bench.client.write(INCREMENT)
    (record,) = [each for each in caplog.records if each.name == "archsyncd.commercetools"]
    assert record.__dict__["told"] == {"correlation": bench.api.seen[0].headers["X-Correlation-ID"]}
    assert isinstance(answer, Refused)
    assert answer.correlation == bench.api.seen[0].headers["X-Correlation-ID"]
    assert "InvalidField" in record.getMessage()
    assert "\x1b" not in record.getMessage()
    assert len(record.getMessage()) < 500


async def test_wrong_writes_are_told_at_once(bench: Bench) -> None:
    """An update without a version and an increment of nothing are mistakes of ours."""
    with pytest.raises(ValueError, match="version"):
        await bench.client.write(EntryWrite(WriteKind.SET, KEY, 5, None))
    with pytest.raises(ValueError, match="nothing"):
        await bench.client.write(EntryWrite(WriteKind.INCREMENT, KEY, 0, MARKER, ENTRY_ID, 1))
    assert bench.api.seen == []
