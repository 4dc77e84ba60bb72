"""A subscription held against the contract at a simulated Pub/Sub: what it is, and some messages, given back at once."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from archsyncd.adapters.pubsub import Caller, NoTokens, PubsubOptions, Subscription
from archsyncd.conformance.dialects import PROFILE_PUBSUB_RULES
from archsyncd.conformance.findings import Report, Verdict
from archsyncd.conformance.rules import PUBSUB_RULES, RECORD_RULES
from archsyncd.conformance.subscription import Peek, verify_subscription
from archsyncd.wire.foreign.messages import MessageReader
from tests.adapters.feeds.subscribing import NAME, Stand, attributes, level, stand
from tests.conformance.inside import failing
from tests.dialects.tellers import SITE, counted, reader_of, tally, tally_profile
from tests.support.virtual_time import VirtualClock, virtual

TIMES: dict[str, Any] = {"occurredAt": "2026-11-23T10:15:02Z", "ordersIncluded": []}


async def verified(
    site: Stand, *, messages: bool = True, name: str = NAME, reader: MessageReader | None = None
) -> Report:
    """The report on a subscription of a stand."""
    options = PubsubOptions(name="s", subscription=name, url=site.url, emulated=True, pull_seconds=5.0)
    source = Subscription(options, Caller(), NoTokens())
    try:
        return await verify_subscription(source, name, Peek(messages, reader), VirtualClock())
    finally:
        await source.close()


@virtual
async def test_a_good_subscription_keeps_every_rule_and_its_messages() -> None:
    """Records, batches and pieces of a snapshot; all of them are still there."""
    async with stand(attempts=5, deadline=60.0) as site:
        site.say(level(1, **TIMES), attributes(1))
        site.say({"items": [level(2, **TIMES), level(3, "B", **TIMES)]}, attributes(3))
        site.say(gzip.compress(json.dumps(level(4, **TIMES)).encode()), attributes(4, contentEncoding="gzip"))
        site.say(
            {"type": "snapshot.part", "snapshotId": "s", "part": 1, "items": [level(1, **TIMES)]},
            attributes(4),
        )
        site.say({"type": "snapshot.end", "snapshotId": "s", "parts": 1, "seqAt": "4"}, attributes(4))
        report = await verified(site)
        assert failing(report) == {}
        assert report.exit == 0
        assert [each.rule for each in report.findings] == [*PUBSUB_RULES, *RECORD_RULES]
        again = await verified(site)
    assert {each.rule.name: each.says for each in again.findings}["message_readable"].startswith("5 messages")


@virtual
async def test_without_the_wish_no_message_is_taken() -> None:
    """To have one delivered counts as an attempt."""
    async with stand(attempts=5, deadline=60.0) as site:
        site.say(level(1), attributes(1))
        report = await verified(site, messages=False)
        assert report.requests == 2
        assert failing(report) == {}
        assert "--peek" in {each.rule.name: each.says for each in report.findings}["message_readable"]
        assert report.exit == 2


@pytest.mark.parametrize(
    ("body", "told", "rule"),
    [
        ("<html>", attributes(1), "message_readable"),
        (level(1, **TIMES), {"feed": "main", "epoch": "e1", "seq": "1"}, "attributes_told"),
        (level(1, on_hand="three", **TIMES), attributes(1), "records_readable"),
        (level(1, **TIMES) | {"type": "stock.moved"}, attributes(1), "known_types"),
        (level(1, aisle=3, **TIMES), attributes(1), "known_fields"),
        ({"items": [level(1, **TIMES), level(2, **TIMES) | {"id": "r1"}]}, attributes(2), "id_unique"),
    ],
)
@virtual
async def test_a_message_that_is_wrong_is_found_by_its_rule_and_by_no_other(
    body: Any, told: dict[str, str], rule: str
) -> None:
    """And is given back as the others are."""
    async with stand(attempts=5, deadline=60.0) as site:
        site.say(body, told)
        found = failing(await verified(site))
    assert set(found) == {rule}
    assert found[rule].evidence


@virtual
async def test_a_subscription_that_is_not_as_it_should_be_is_told() -> None:
    """Without a dead-letter policy, with a short deadline, without the right to pull, or not there at all."""
    async with stand(deadline=10.0) as site:
        assert set(failing(await verified(site))) == {"dead_letter", "deadline"}
        site.inside.switches.forbidden.add("pull")
        assert "pull_allowed" in failing(await verified(site, messages=False))
        report = await verified(site, name="projects/site/subscriptions/another")
    assert set(failing(report)) == {"subscription_there"}
    assert report.exit == 2
    assert all(each.verdict is not Verdict.HOLDS for each in report.findings)


@virtual
async def test_messages_of_a_foreign_publisher_are_read_by_their_profile() -> None:
    """What they cannot promise is told beside what they keep; a message and a record that are spoilt are found."""
    reader, now = reader_of(tally_profile()), VirtualClock().wall_ms()
    async with stand(attempts=5, deadline=60.0) as site:
        site.say(tally(counted("A", 5, now), {"kind": "price"}), SITE)
        report = await verified(site, reader=reader)
        assert set(failing(report)) == {"orders_included"}
        assert {each.rule.name for each in report.of(Verdict.CANNOT)} == {
            "fulls_told", "order_told", "reset_noticed", "silence_noticed",
        }  # fmt: skip
        assert [each.rule for each in report.findings] == list(PROFILE_PUBSUB_RULES)
        assert report.exit == 0
        site.say(tally(counted("B", "viele", now)), SITE)
        site.say("<html>", SITE)
        report = await verified(site, reader=reader)
        assert set(failing(report)) == {"orders_included", "records_readable", "message_readable"}
        found = failing(report)
        assert "profiles/site.json:" in found["records_readable"].says
        assert "the document is no JSON" in found["message_readable"].says
        assert site.inside.acknowledged == []
