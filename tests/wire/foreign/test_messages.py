"""Messages of foreign sources by their profile: where their records stand, whatever order they come in, and what is set aside."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Movement, OrderAccepted, Record, Removal
from archsyncd.domain.merge import KeptLevel, Verdict, merge
from archsyncd.domain.times import rfc3339, utc_ms
from archsyncd.wire.foreign.messages import BY_NUMBER, BY_TIME, Sent
from tests.dialects.tellers import SITE, counted, reader_of, tally, tally_profile, ticker, ticker_profile

NOON_MS = utc_ms("2026-11-23T12:00:00Z") or 0
SECOND_MS = 1_000


def sent(after_ms: int = 0, name: str = "m1", **more: Any) -> Sent:
    """A message that was published so long after noon."""
    return Sent(name, NOON_MS + after_ms, attributes=SITE | more)


TALLY = reader_of(tally_profile())


def read(*events: dict[str, Any], at: Sent | None = None) -> Sequence[Record]:
    """The records of a tally's message, all of which are understood."""
    found = TALLY.read(tally(*events), at or sent())
    assert found.rejects == ()
    return found.records


def kept_after(records: Sequence[Record]) -> KeptLevel:
    """What is kept of a key when its records come in this order."""
    kept: KeptLevel | None = None
    for record in records:
        assert isinstance(record, Level | Removal)
        verdict, level = merge(kept, record, "queue", 1, None)
        if verdict in {Verdict.APPLIED, Verdict.UNCHANGED}:
            kept = level
    assert kept is not None
    return kept


def test_each_kind_of_event_is_read_and_others_are_passed_over() -> None:
    """Its location stands in an attribute of the message."""
    found = read(
        counted("A", 5, NOON_MS),
        {"kind": "gone", "art": "B", "at": "23.11.2026 13:00:00"},
        {"kind": "diff", "art": "C", "diff": -2, "at": "23.11.2026 13:00:00"},
        {"kind": "taken", "order": "CT-1"},
        {"kind": "price", "art": "A"},
    )
    assert [type(one) for one in found] == [Level, Removal, Movement, OrderAccepted]
    level = found[0]
    assert isinstance(level, Level)
    assert (level.sku, level.location, level.on_hand, level.as_of) == (
        "A",
        "WH1",
        5,
        "2026-11-23T12:00:00Z",
    )
    assert [one.id for one in found] == ["m1#1", "m1#2", "m1#3", "m1#4"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_f095_figures_that_overtake_each_other_end_at_the_newest(order: tuple[int, ...]) -> None:
    """By their own time; of two of one second by when they were sent."""
    told = [
        read(counted("A", 9, NOON_MS), at=sent(SECOND_MS, "m1"))[0],
        read(counted("A", 4, NOON_MS), at=sent(2 * SECOND_MS, "m2"))[0],
        read(counted("A", 7, NOON_MS - SECOND_MS), at=sent(3 * SECOND_MS, "m3"))[0],
    ]
    assert kept_after([told[place] for place in order]).on_hand == 4


def test_f094_a_message_that_comes_again_says_the_same_at_the_same_place() -> None:
    """Another delivery of it is another try, not another message."""
    assert read(counted("A", 9, None)) == read(counted("A", 9, None))


def test_without_a_time_of_its_own_a_figure_stands_where_its_message_was_published() -> None:
    """And says so to other feeds of the same goods."""
    (early,), (late,) = read(counted("A", 9, None)), read(counted("A", 4, None), at=sent(1))
    assert isinstance(early, Level)
    assert early.as_of == rfc3339(NOON_MS)
    assert early.seq < late.seq


def test_a_time_ahead_of_its_message_stands_in_nobody_s_way() -> None:
    """A slip of the keyboard or a wrong clock counts as the moment of sending."""
    (ahead,) = read(counted("A", 9, NOON_MS + 40 * 365 * 86_400_000))
    (after,) = read(counted("A", 4, NOON_MS + 5 * SECOND_MS), at=sent(5 * SECOND_MS))
    assert isinstance(ahead, Level)
    assert ahead.as_of == rfc3339(NOON_MS)
    assert ahead.seq < after.seq


def test_an_acceptance_is_no_older_than_its_message() -> None:
    """A figure that was counted before it was sent need not exclude the order, whatever time the order tells."""
    acceptance = read(
        {"kind": "taken", "order": "CT-1", "at": "23.11.2026 12:30:00"}, at=sent(10 * SECOND_MS)
    )[0]
    before = read(counted("A", 9, NOON_MS + 9 * SECOND_MS), at=sent(11 * SECOND_MS))[0]
    after = read(counted("A", 9, NOON_MS + 11 * SECOND_MS), at=sent(12 * SECOND_MS))[0]
    assert before.seq < acceptance.seq < after.seq


def test_of_one_key_the_last_figure_of_a_message_counts() -> None:
    """Both stand at one place: nothing could tell later which was meant."""
    found = read(counted("A", 9, NOON_MS), counted("B", 1, NOON_MS), counted("A", 4, NOON_MS))
    assert [(one.sku, one.on_hand) for one in found if isinstance(one, Level)] == [("B", 1), ("A", 4)]


def test_numbers_of_the_source_s_own_are_their_places() -> None:
    """In an epoch of their own, as they do not compare with times."""
    profile = ticker_profile(seq="/@nr")
    reader = reader_of(profile)
    body = ticker(("A", 5, NOON_MS)).replace(b"<Stand", b'<Stand nr="0042"')
    (record,) = reader.read(body, Sent("c1", NOON_MS, steady=False)).records
    assert (record.seq, reader.epoch) == (42, BY_NUMBER)
    assert reader_of(ticker_profile()).epoch == BY_TIME


def test_f104_a_record_that_cannot_be_read_names_line_path_and_value_and_the_rest_counts() -> None:
    """It stands where it says: a figure of the key, if only of the same second, that is sent later settles it."""
    found = TALLY.read(tally(counted("A", "viele", NOON_MS), counted("B", 2, NOON_MS)), sent())
    assert [one.id for one in found.records] == ["m1#2"]
    (fault,) = found.rejects
    assert fault.reason.startswith("profiles/site.json:")
    assert "onHand: " in fault.reason
    assert (fault.path, fault.value, fault.sku, fault.record_id) == ("/pieces", '"viele"', "A", "m1#1")
    assert b"viele" in fault.payload
    assert fault.seq is not None
    for corrected in (counted("A", 4, None), counted("A", 4, NOON_MS)):
        (later,) = read(corrected, at=sent(1))
        assert fault.seq < later.seq


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "its data are no base64"),
        (b"<html>", "the document is no JSON"),
        (b'{"rows":[]}', "nothing is stated at /events, where the records should be"),
        (b"\x1f\x8b\x08broken", "is called gzip and is none"),
        (gzip.compress(tally(), mtime=0)[:-4], "its gzip is cut off, or something follows it"),
        (gzip.compress(b" " * 64_000_000, mtime=0), "unpacks to more than"),
        (tally(*[{"kind": "price"}] * 20_001), "more than 20000 records"),
    ],
)
def test_f104_a_message_that_is_none_is_set_aside_as_a_whole(data: bytes | None, says: str) -> None:
    """Under the name by which its transport knows it, with the profile's file and what came."""
    found = TALLY.read(data, sent())
    (fault,) = found.rejects
    assert (found.records, found.epoch, fault.record_id, fault.stock) == ((), BY_TIME, "m1", True)
    assert fault.reason.startswith("profiles/site.json: ")
    assert says in fault.reason
    assert fault.payload == (data or b"")[:4096]


@pytest.mark.parametrize("told", [{}, {"contentEncoding": "gzip"}])
def test_a_compressed_message_is_unpacked_whether_it_says_so_or_not(told: dict[str, str]) -> None:
    """Foreign publishers rarely name the encoding."""
    assert (
        len(
            TALLY.read(
                gzip.compress(tally(counted("A", 5, NOON_MS))), Sent("m1", NOON_MS, attributes=SITE | told)
            ).records
        )
        == 1
    )
    assert TALLY.read(tally(), sent(contentEncoding="br")).rejects[0].code == "unknown_encoding"


TICKER = reader_of(ticker_profile())


def called(pieces: int, own_ms: int, sent_ms: int) -> Level:
    """A level that a call tells, which was made then."""
    (record,) = TICKER.read(ticker(("A", pieces, own_ms)), Sent("c", sent_ms, steady=False)).records
    assert isinstance(record, Level)
    return record


def test_f095_a_call_that_is_sent_again_puts_nothing_old_over_what_is_new() -> None:
    """By their own times; of one time the later call is newer, unless it comes so late that it must be another attempt."""
    first, second = called(9, NOON_MS, NOON_MS + 500), called(4, NOON_MS, NOON_MS + 900)
    assert kept_after([first, second]).on_hand == 4
    again = called(9, NOON_MS, NOON_MS + 3_600_000)
    assert kept_after([second, again]).on_hand == 4
    newer = called(3, NOON_MS + SECOND_MS, NOON_MS + SECOND_MS)
    assert kept_after([newer, again]).on_hand == 3
    # A clock that is ahead puts both ahead, at whatever attempt they come through.
    ahead, behind = called(9, NOON_MS + 3_000, NOON_MS + 30_000), called(4, NOON_MS + 5_000, NOON_MS + 2_000)
    assert kept_after([behind, ahead]).on_hand == 4
    assert behind.as_of == "2026-11-23T12:00:05Z"


def test_a_time_far_ahead_of_its_call_is_set_aside() -> None:
    """Nobody knows when it was: another attempt would tell another moment."""
    body = ticker(("A", 9, NOON_MS + 301_000), ("B", 1, NOON_MS))
    found = TICKER.read(body, Sent("c", NOON_MS, steady=False))
    assert [one.sku for one in found.records if isinstance(one, Level)] == ["B"]
    (fault,) = found.rejects
    assert (fault.code, fault.path, fault.sku) == ("out_of_range", "/@zeit", "A")
    assert "more than 5 minutes after the call" in fault.reason


def test_a_number_without_a_time_says_nothing_of_other_feeds() -> None:
    """When the call was made is not when the figure was taken."""
    reader = reader_of(ticker_profile(asOf=None, seq="/@nr"))
    body = ticker(("A", 5, NOON_MS)).replace(b"<Stand", b'<Stand nr="7"')
    (record,) = reader.read(body, Sent("c1", NOON_MS, steady=False)).records
    assert isinstance(record, Level)
    assert (record.seq, record.as_of) == (7, None)


def test_where_each_attempt_has_a_time_of_its_own_stock_must_tell_its_time() -> None:
    """A call that is sent again would else stand behind one that is newer."""
    reader = reader_of(ticker_profile(asOf={"path": "/@zeit", "unstated": ["-"]}))
    body = ticker(("A", 5, NOON_MS), ("B", 6, NOON_MS)).replace(b"2026-11-23T12:00:00Z", b"-", 1)
    found = reader.read(body, Sent("c1", NOON_MS, steady=False))
    assert [one.id for one in found.records] == ["c1#2"]
    (fault,) = found.rejects
    assert (fault.code, fault.path, fault.sku) == ("missing", "/@zeit", "A")


def test_an_absent_attribute_is_not_stated() -> None:
    """The record lacks its location then, and says by which line it should have had one."""
    found = TALLY.read(tally(counted("A", 5, NOON_MS)), Sent("m1", NOON_MS))
    (fault,) = found.rejects
    assert (fault.code, fault.path) == ("missing", "the message's attribute werk")


def test_a_long_or_strange_name_makes_ids_all_the_same() -> None:
    """Ids are bounded and printable, and differ where names do."""
    names = ["x" * 300, "x" * 299, "ä\n"]
    ids = {read(counted("A", 5, NOON_MS), at=Sent(name, NOON_MS, attributes=SITE))[0].id for name in names}
    assert len(ids) == len(names)
    assert all(len(one) <= 128 and one.isprintable() for one in ids)


LINES = {
    "fields": {"sku": "/sku", "location": "/site", "onHand": "/pieces", "asOf": "/at"},
    "const": {"type": "stock.level"},
}


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ({"format": "csv", "csv": {"delimiter": ";"}},
         "sku;site;pieces;at\nA;WH1;5;2026-11-23T12:00:00Z\nB;WH1;x;2026-11-23T12:00:00Z\n"),
        ({"format": "ndjson"}, '{"sku":"A","site":"WH1","pieces":5,"at":"2026-11-23T12:00:00Z"}\n{"sku":"B","pieces":"x"}\n'),
        ({"format": "json", "records": "/"}, '{"sku":"A","site":"WH1","pieces":5,"at":"2026-11-23T12:00:00Z"}'),
        ({"format": "json", "records": "/*"}, '[{"sku":"A","site":"WH1","pieces":5,"at":"2026-11-23T12:00:00Z"},7]'),
    ],
)  # fmt: skip
def test_a_message_is_whatever_a_profile_can_read(shape: dict[str, Any], data: str) -> None:
    """One record or many, as a table, as lines or as a document; what cannot be read of it stands alone."""
    reader = reader_of({"profile": "lines", **shape, **LINES})
    found = reader.read(data.encode(), Sent("m1", NOON_MS))
    assert [(one.sku, one.on_hand) for one in found.records if isinstance(one, Level)] == [("A", 5)]
    assert len(found.rejects) == (shape.get("records") != "/")


SAID = st.tuples(st.integers(-90_000, 90_000), st.integers(0, 90_000), st.integers(0, 50))


@settings(max_examples=60)
@given(st.lists(SAID, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whatever_comes_in_whatever_order_and_however_often_the_same_is_kept(
    said: list[tuple[int, int, int]], chance: Any
) -> None:
    """Of messages that were sent at different moments: own times behind or ahead, each message once or several times."""
    told = [
        read(counted("A", pieces, NOON_MS + own), at=sent(later * 10 + place, f"m{place}"))[0]
        for place, (own, later, pieces) in enumerate(said)
    ]
    again = told + [chance.choice(told) for _ in range(3)]
    chance.shuffle(again)
    newest = max(told, key=lambda record: record.seq)
    assert isinstance(newest, Level)
    assert kept_after(again).on_hand == newest.on_hand
    assert len({one.seq for one in told}) == len(told)
