"""Calls over real sockets: what is stored, what is refused, and that nothing is promised before it is durable."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from archsyncd.adapters.webhook.caps import ADDRESSES, Refusals
from archsyncd.domain.feed import Level, Movement
from tests.adapters.feeds.calling import NEXT_SECRET, SECRET, batch, called, level, standard
from tests.support.virtual_time import VirtualClock, virtual


@virtual
async def test_a_signed_call_is_stored_and_then_answered_with_202() -> None:
    """The number of its records comes back, and they carry when their figures stood."""
    async with called() as desk:
        answer = await desk.call("m1", batch(level(1), level(2, "B", -3)))
        assert (answer.status, answer.told) == (202, {"status": "stored", "items": 2})
        (told,) = desk.shelf.batches
        assert [(one.sku, one.on_hand, one.as_of) for one in told.records if isinstance(one, Level)] == [
            ("A", 5, "2026-01-01T00:00:00Z"),
            ("B", -3, "2026-01-01T00:00:00Z"),
        ]
        assert (told.feed, told.epoch, told.ordered) == ("calls", "e1", False)
        assert [one.id for one in told.deliveries] == ["m1"]


@virtual
async def test_f115_no_call_is_answered_before_its_commit() -> None:
    """While the commit is held, the caller waits; after it, it is told."""
    async with called() as desk:
        desk.shelf.held = asyncio.Event()
        calling = asyncio.create_task(desk.call("m1", batch(level(1))))
        await desk.clock.sleep(3)
        assert not calling.done()
        desk.shelf.held.set()
        assert (await calling).status == 202


@virtual
async def test_f115_a_commit_that_takes_too_long_is_no_success_and_a_repeat_is_a_duplicate() -> None:
    """The caller is told to come again; meanwhile it was stored, once."""
    async with called() as desk:
        desk.shelf.held = asyncio.Event()
        answer = await desk.call("m1", batch(level(1)))
        assert (answer.status, answer.word) == (503, "not_stored")
        assert int(answer.headers["Retry-After"]) > 0
        again = asyncio.create_task(desk.call("m1", batch(level(1))))
        await desk.clock.sleep(1)
        desk.shelf.held.set()
        assert ((await again).status, (await again).word) == (200, "duplicate")
        assert len(desk.shelf.batches) == 1


@virtual
async def test_f115_a_repeat_and_parallel_repeats_are_duplicates_and_stored_once() -> None:
    """One is told that it was stored, all others that it was known."""
    async with called() as desk:
        body = batch(level(1))
        answers = await asyncio.gather(*(desk.call("m1", body) for _ in range(20)))
        answers.append(await desk.call("m1", body))
        assert sorted(answer.status for answer in answers) == [200] * 20 + [202]
        assert sum(len(told.records) for told in desk.shelf.batches) == 1


@virtual
async def test_f115_a_replay_with_a_new_time_needs_the_secret() -> None:
    """A recorded call plays for 300 s and is a duplicate; another id or time is not signed."""
    async with called() as desk:
        body = batch(level(1))
        headers = desk.headers("m1", body)
        assert (await desk.post(body, headers)).status == 202
        assert (await desk.post(body, headers)).status == 200
        now = str(desk.clock.wall_ms() // 1000 + 1)
        for change in ({"webhook-id": "m2"}, {"webhook-timestamp": now}):
            assert (await desk.post(body, headers | change)).word == "bad_signature"
        await desk.clock.sleep(301)
        assert (await desk.post(body, headers)).word == "stale_timestamp"


@virtual
async def test_f115_while_the_store_is_full_callers_come_again_and_a_storm_is_stored_once() -> None:
    """Each is told when; once there is room all of it goes in."""
    async with called(rate_per_second=1e6, burst=10_000) as desk:
        desk.shelf.full = True
        first = await desk.call("m0", batch(level(1)))
        assert (first.status, "Retry-After" in first.headers) == (503, True)
        storm = await asyncio.gather(*(desk.call(f"m{n}", batch(level(n + 1))) for n in range(50)))
        assert {answer.status for answer in storm} == {503}
        desk.shelf.full = False
        await desk.clock.sleep(6)
        storm = await asyncio.gather(*(desk.call(f"m{n % 50}", batch(level(n + 1))) for n in range(100)))
        assert sorted({answer.status for answer in storm}) == [200, 202]
        assert sum(len(told.records) for told in desk.shelf.batches) == 50


@virtual
async def test_f115_beyond_its_rate_it_answers_429_before_it_looks_at_anything() -> None:
    """Also calls that are signed well; after a second there is room again."""
    async with called(rate_per_second=10, burst=10) as desk:
        answers = [(await desk.call(f"m{n}", batch(level(n + 1)))).status for n in range(12)]
        assert answers[:10] == [202] * 10
        assert answers[-1] == 429
        await desk.clock.sleep(1)
        assert (await desk.call("later", batch(level(99)))).status == 202


@virtual
async def test_f115_a_full_inbox_answers_503() -> None:
    """What waits is bounded in number and bytes."""
    async with called(waiting_limit=3) as desk:
        desk.shelf.held = asyncio.Event()
        waiting = [asyncio.create_task(desk.call(f"m{n}", batch(level(n + 1)))) for n in range(3)]
        await desk.clock.sleep(1)
        beyond = await desk.call("m9", batch(level(9)))
        assert (beyond.status, beyond.word) == (503, "full")
        desk.shelf.held.set()
        assert {(await one).status for one in waiting} == {202}


@virtual
async def test_while_nobody_stores_callers_are_told_to_come_again() -> None:
    """A daemon that is not the writer, or whose feed is paused, promises nothing."""
    async with called(reads=False) as desk:
        answer = await desk.call("m1", batch(level(1)))
        assert (answer.status, answer.word, "Retry-After" in answer.headers) == (503, "not_reading", True)


@pytest.mark.parametrize("ids", ["with.dot", "", "a b", "x" * 257, "ä"])
@virtual
async def test_f168_an_id_that_reads_two_ways_or_none_is_refused(ids: str) -> None:
    """Parts that are joined by a full stop must not hold one."""
    async with called() as desk:
        body = batch(level(1))
        headers = desk.headers("m1", body) | standard(ids, str(desk.clock.wall_ms() // 1000), body, SECRET)
        answer = await desk.post(body, headers)
        assert (answer.status, answer.told) == (401, {"code": "bad_signature"})
        assert desk.shelf.batches == []


@virtual
async def test_f168_missing_or_bad_signatures_are_refused_without_detail() -> None:
    """Each header missing, another key, another version, garbage, another body."""
    async with called() as desk:
        body = batch(level(1))
        good = desk.headers("m1", body)
        bad = [{name: value for name, value in good.items() if name != gone} for gone in good]
        bad += [
            good | {"webhook-signature": text}
            for text in (
                "",
                "v1,",
                "v1,AAAA",
                good["webhook-signature"][3:],
                "v1a," + good["webhook-signature"][3:],
                "=",
            )
        ]
        bad.append(desk.headers("m1", body, secret=NEXT_SECRET))
        for headers in bad:
            answer = await desk.post(body, headers)
            assert (answer.status, set(answer.told)) == (401, {"code"})
            assert answer.word in {"bad_signature", "stale_timestamp"}
        assert (await desk.post(body + b" ", good)).word == "bad_signature"
        assert (await desk.post(body, good)).status == 202
        assert desk.notes == {}


@pytest.mark.parametrize("seconds", [-301, 301, -(10**9)])
@virtual
async def test_f168_old_and_future_times_are_refused(seconds: int) -> None:
    """300 s either way are allowed, a second more is not."""
    async with called() as desk:
        now = desk.clock.wall_ms() // 1000
        body = batch(level(1))
        answer = await desk.call("m1", body, at=now + seconds)
        assert (answer.status, answer.told) == (401, {"code": "stale_timestamp"})
        assert (await desk.call("m2", body, at=now + max(-299, min(seconds, 299)))).status == 202


@virtual
async def test_f047_a_clock_that_is_wrong_refuses_and_says_what_to_compare() -> None:
    """Rather than take what may be a recording; people are told."""
    clock = VirtualClock()
    async with called(clock=clock) as desk:
        sent_at = clock.wall_ms() // 1000
        clock.jump_wall(-3600)
        assert (await desk.call("m1", batch(level(1)), at=sent_at)).word == "stale_timestamp"
        assert "compare both sides' clocks" in desk.notes["calls calls"]
        clock.jump_wall(3600)
        assert (await desk.call("m1", batch(level(1)), at=sent_at)).status == 202
        assert desk.notes == {}


@virtual
async def test_f168_two_secrets_and_two_signatures_let_a_secret_be_replaced() -> None:
    """Whichever side changes first, no call is refused."""
    now = "1767225600"
    body = batch(level(1))
    for kept, signed in [
        (f"{SECRET}\n{NEXT_SECRET}", (SECRET,)),
        (f"{SECRET}\n{NEXT_SECRET}\n", (NEXT_SECRET,)),
        (NEXT_SECRET, (SECRET, NEXT_SECRET)),
    ]:
        async with called(secret=kept) as desk:
            assert (await desk.post(body, standard("m1", now, body, *signed))).status == 202


@pytest.mark.parametrize(
    "secret", ["", "short", "whsec_AAAA", "whsec_!!", f"{SECRET}\n{SECRET}\n{NEXT_SECRET}"]
)
@virtual
async def test_a_credential_of_no_use_lets_nobody_in(secret: str) -> None:
    """Not even who signs with nothing."""
    async with called(secret=secret, reads=False) as desk:
        desk.feed.inbox.open()
        answer = await desk.call("m1", batch(level(1)))
        assert answer.status == 503
        assert "credential feed-calls" in desk.notes["calls calls"]


@virtual
async def test_f168_a_body_beyond_a_mebibyte_is_refused_announced_or_not() -> None:
    """An announced one before a byte of it is read, another once it is too long."""
    async with called() as desk:
        body = b"x" * (10 * 1024 * 1024)
        answer = await desk.post(io.BytesIO(body), desk.headers("m1", body))
        assert (answer.status, answer.word) == (413, "too_large")

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 65_536

        assert (await desk.post(pieces(), desk.headers("m1", b""))).status == 413
        assert desk.shelf.batches == []


@virtual
async def test_f168_a_body_that_does_not_end_is_cut_off() -> None:
    """Ten seconds for all of it, however slowly it drips."""
    async with called() as desk:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in desk.headers("m1", b"").items())
        writer.write(f"POST /hooks/r247 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{head}\r\n".encode())
        began = desk.clock.monotonic()
        answered = asyncio.create_task(reader.readline())
        while not answered.done():
            writer.write(b"x")
            await desk.clock.sleep(1)
        assert b"408" in answered.result()
        assert desk.clock.monotonic() - began < 13
        writer.close()


@virtual
async def test_f168_a_head_that_does_not_end_is_cut_off() -> None:
    """Who says nothing keeps no place for long."""
    async with called() as desk:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(b"POST /hooks/r247 HTTP/1.1\r\n")
        async with asyncio.timeout(31):
            assert await reader.read() == b""
        writer.close()


@virtual
async def test_f168_a_thousand_connections_keep_no_place_for_long() -> None:
    """So many are let in; the others are sent away, and once those are gone callers get in again."""
    async with called() as desk:
        crowd = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(1_000)]
        await desk.clock.sleep(0.5)
        assert (await desk.call("m1", batch(level(1)))).status == 503
        await desk.clock.sleep(31)
        assert (await desk.call("m1", batch(level(1)))).status == 202
        for _, writer in crowd:
            writer.close()


@virtual
async def test_f168_an_address_that_is_refused_again_and_again_is_left_alone_for_a_minute() -> None:
    """Before anything of it is read; others behind the same proxy get in."""
    async with called(trusted_proxies=(ip_network("127.0.0.0/8"),), refusals_per_minute=5) as desk:
        body = batch(level(1))
        forged = desk.headers("m1", body, secret=NEXT_SECRET)
        bad = {"X-Forwarded-For": "198.51.100.7"}
        answers = [(await desk.post(body, forged | bad)).status for _ in range(6)]
        assert answers == [401] * 5 + [429]
        other = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
        assert (await desk.post(body, desk.headers("m1", body) | other)).status == 202
        for _ in range(500):
            assert (await desk.post(body, forged | bad)).status == 429
        assert (await desk.post(body, desk.headers("m3", body) | other)).status == 202
        await desk.clock.sleep(61)
        assert (await desk.post(body, desk.headers("m2", body) | bad)).status == 202


@virtual
async def test_an_address_that_nobody_vouches_for_shuts_nobody_out() -> None:
    """Without a trusted proxy all callers seem to be this machine: forgers must not shut out the source."""
    async with called(refusals_per_minute=2) as desk:
        body = batch(level(1))
        for _ in range(5):
            forged = desk.headers("m1", body, secret=NEXT_SECRET) | {"X-Forwarded-For": "198.51.100.7"}
            assert (await desk.post(body, forged)).status == 401
        assert (await desk.call("m1", body)).status == 202
        assert desk.notes == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"no json",
        b'{"type":"stock.batch"}',
        b'{"data":{"schema":"r247/1","feed":"main","epoch":"e1"}}',
        b'{"data":{"schema":"r247/2","feed":"main","epoch":"e1","items":[]}}',
        b'{"data":{"schema":"r247/1","feed":"main","items":[]}}',
        b'{"data":{"schema":"r247/1","feed":"main","epoch":"e1","items":[}}',
        b'{"data":{"schema":"r247/1","feed":"main","epoch":"e1","items":[]}}{}',
        b'{"data":{"schema":"r247/1","feed":"main","epoch":"e1","items":[1e400]},"data":{}}',
        batch(level(1))[:-4],
        b"\xff\xfe",
    ],
)
@virtual
async def test_what_is_signed_and_no_message_is_told_so(body: bytes) -> None:
    """400 with the reason: whoever signs may know it. Nothing is stored."""
    async with called() as desk:
        answer = await desk.call("m1", body)
        assert (answer.status, answer.word) == (400, "malformed")
        assert answer.told["detail"] in desk.notes["calls calls"]
        assert "1 call was refused" in desk.notes["calls calls"]
        assert desk.shelf.batches == []


@virtual
async def test_f104_a_poison_record_is_set_aside_and_its_call_is_stored() -> None:
    """The records beside it count."""
    async with called() as desk:
        body = batch(level(1), level(2, "B")).replace(b'"onHand":5', b'"onHand":1e400', 1)
        assert (await desk.call("m1", body)).told == {"status": "stored", "items": 2}
        (told,) = desk.shelf.batches
        assert [one.sku for one in told.records if isinstance(one, Level)] == ["B"]
        assert [(one.sku, one.code) for one in told.rejects] == [("A", "not_an_integer")]


@virtual
async def test_f106_unknown_fields_are_ignored_and_an_unknown_type_is_set_aside() -> None:
    """As on every other way."""
    async with called() as desk:
        body = batch(level(1, colour="red"), level(2) | {"type": "stock.dreamt"}, remark="x")
        assert (await desk.call("m1", body)).status == 202
        (told,) = desk.shelf.batches
        assert (len(told.records), [one.code for one in told.rejects]) == (1, ["unknown_type"])


@virtual
async def test_f095_calls_that_overtake_each_other_are_all_told_with_their_positions() -> None:
    """The store decides by position; nothing here waits for an order."""
    async with called() as desk:
        assert (await desk.call("m2", batch(level(7, on_hand=1)))).status == 202
        assert (await desk.call("m1", batch(level(3, on_hand=9)))).status == 202
        assert [record.seq for told in desk.shelf.batches for record in told.records] == [7, 3]


@virtual
async def test_f105_a_flood_of_calls_is_committed_together() -> None:
    """A hundred that wait take few commits."""
    async with called(rate_per_second=1e6, burst=1_000) as desk:
        desk.shelf.held = asyncio.Event()
        flood = [asyncio.create_task(desk.call(f"m{n}", batch(level(n + 1)))) for n in range(100)]
        await desk.clock.sleep(1)
        desk.shelf.held.set()
        assert {(await one).status for one in flood} == {202}
        assert len(desk.shelf.batches) <= 3


@virtual
async def test_calls_of_two_epochs_are_two_batches() -> None:
    """In the order of their coming."""
    async with called() as desk:
        desk.shelf.held = asyncio.Event()
        calls = [
            asyncio.create_task(desk.call(f"m{n}", batch(level(n + 1), epoch=epoch)))
            for n, epoch in enumerate(["e1", "e1", "e2"])
        ]
        await desk.clock.sleep(1)
        desk.shelf.held.set()
        assert {(await one).status for one in calls} == {202}
        assert {told.epoch for told in desk.shelf.batches} == {"e1", "e2"}


@virtual
async def test_another_feed_s_positions_are_refused() -> None:
    """They cannot be compared with ours."""
    async with called() as desk:
        assert (await desk.call("m1", batch(level(1)))).status == 202
        answer = await desk.call("m2", batch(level(2), feed="other"))
        assert (answer.status, "another feed" in answer.told["detail"]) == (400, True)


@virtual
async def test_f177_addresses_in_a_body_are_nothing_to_us() -> None:
    """Nothing that a caller names is fetched: a call opens no connection."""
    met: list[object] = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer)
        writer.close()

    trap = await asyncio.start_server(meet, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/x"
    async with called() as desk:
        body = batch(level(1, callback=url, next=url), next=url, callback=url, nextPage=url)
        headers = desk.headers("m1", body) | {"X-Callback-Url": url, "Referer": url}
        assert (await desk.post(body, headers)).status == 202
        envelope = {"SubscribeURL": url, "Type": "SubscriptionConfirmation"}
        assert (await desk.call("m2", json.dumps(envelope).encode())).status == 400
        await desk.clock.sleep(5)
    trap.close()
    assert met == []


@virtual
async def test_only_its_own_path_and_post_are_answered() -> None:
    """Anything else is nothing of ours, and takes nothing in."""
    async with called() as desk:
        body = batch(level(1))
        assert (await desk.post(body, desk.headers("m1", body), path="/other")).status == 404
        async with desk.session.get(f"{desk.url}/hooks/r247") as found:
            assert found.status == 405
        assert desk.shelf.batches == []


@virtual
async def test_a_compressed_body_is_refused() -> None:
    """The signature is over the bytes as they came, and nothing is unpacked for a stranger."""
    async with called() as desk:
        body = batch(level(1))
        answer = await desk.post(body, desk.headers("m1", body) | {"Content-Encoding": "gzip"})
        assert answer.status == 415


@virtual
async def test_a_movement_without_a_time_has_that_of_its_message() -> None:
    """What waits for a level of another feed must know from when on one has it."""
    async with called() as desk:
        move = {"id": "x", "type": "stock.movement", "seq": "4", "sku": "A", "location": "WH1", "delta": -1}
        assert (await desk.call("m1", batch(move | {"state": "onHand"}))).status == 202
        (one,) = desk.shelf.batches[0].records
        assert isinstance(one, Movement)
        assert one.occurred_at == "2026-01-01T00:00:00Z"


def test_refusals_are_counted_by_the_minute_and_of_so_many_addresses() -> None:
    """A minute later an address begins anew; the one that was refused longest ago is forgotten first."""
    found = Refusals(2)
    for now in (0.0, 59.0):
        found.note("a", now)
    assert found.beyond("a", 59.5)
    assert not found.beyond("a", 60.0)
    found.note("a", 61.0)
    assert not found.beyond("a", 61.0)
    found.note("a", 62.0)
    assert found.beyond("a", 62.0)
    for number in range(ADDRESSES):
        found.note(f"b{number}", 63.0)
    assert not found.beyond("a", 63.0)
    assert not found.beyond("b1", 63.0)
