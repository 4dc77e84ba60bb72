"""How an order's lines are counted, and how a statement's shares are divided among them (faults 134 to 140, 155)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Figure, LineShare, Position
from archsyncd.domain.inventory import LineMode, StockKey
from archsyncd.domain.ledger import Line
from archsyncd.domain.order import CountedLine, assign, count_lines, implied_proofs, is_final
from archsyncd.domain.stock import StoredLevel
from tests.domain.nouns import BORN_MS, CHANNEL_IDS, channel, key, line, order, place, policies, share

WEB = channel(place("WH1"), place("WH2"))
SHOP = channel(place("SH1", "shop"), name="shop")
BOTH = policies(WEB, SHOP)


def counted(line_id: str, quantity: int, where: str = "web", sku: str = "A") -> CountedLine:
    return CountedLine(StockKey(where, sku), line_id, quantity, tracked=True)


def test_f139_lines_without_pieces_are_not_counted_and_a_line_without_sku_is_told() -> None:
    """A gift of quantity 0 is nothing; a variant without SKU cannot be counted, and somebody must know."""
    lines, troubles = count_lines(
        order(line(0), line(2, None, "n2"), line(1, "B", "n3")), CHANNEL_IDS, BOTH, {}
    )
    assert [one.key for one in lines] == [key("B")]
    assert [trouble.kind for trouble in troubles] == [CaseKind.ORDER_UNMAPPED_LINE]


def test_f138_two_lines_of_one_sku_count_by_their_line_ids() -> None:
    """The ledger sums them; nothing is keyed by SKU alone."""
    lines, _ = count_lines(order(line(1), line(2, line_id="n2", at="id-shop")), CHANNEL_IDS, BOTH, {})
    assert {(one.key.channel, one.line_id, one.quantity) for one in lines} == {
        ("web", "n1", 1),
        ("shop", "n2", 2),
    }


def test_f144_a_line_that_is_not_tracked_is_counted_untracked_and_told() -> None:
    """Mode None in a tracked project: subtracted by us, late, and said."""
    lines, troubles = count_lines(order(line(2, mode=LineMode.NONE)), CHANNEL_IDS, BOTH, {})
    assert [one.tracked for one in lines] == [False]
    assert [trouble.kind for trouble in troubles] == [CaseKind.UNTRACKED_DEMAND]


def test_f144_in_untracked_mode_every_line_counts_untracked() -> None:
    """There commercetools never moves S for us, whatever a line says; a line that claims otherwise is told."""
    untracked = policies(WEB, tracked=False)
    lines, troubles = count_lines(
        order(line(2), line(1, line_id="n2", mode=LineMode.NONE)), CHANNEL_IDS, untracked, {}
    )
    assert [one.tracked for one in lines] == [False, False]
    assert [trouble.kind for trouble in troubles] == [CaseKind.UNTRACKED_DEMAND]


def test_a_line_nobody_can_place_is_told() -> None:
    """No channel of ours and no default location: its stock cannot be counted."""
    for where in (None, "id-foreign", "id-never-seen"):
        lines, troubles = count_lines(order(line(2, at=where)), CHANNEL_IDS, BOTH, {})
        assert lines == ()
        assert [trouble.kind for trouble in troubles] == [CaseKind.ORDER_UNMAPPED_LINE]


def test_a_line_is_tracked_from_the_moment_its_entry_exists() -> None:
    """Created in the same millisecond it may have touched the entry; a millisecond before it never did."""
    for age_ms, tracked in ((1, False), (0, True), (-1, True)):
        lines, _ = count_lines(
            order(line(1), created_ms=BORN_MS - age_ms), CHANNEL_IDS, BOTH, {key(): BORN_MS}
        )
        assert [one.tracked for one in lines] == [tracked]


def test_an_order_is_final_when_commercetools_is_done_with_it() -> None:
    """By its own state or by its shipment."""
    assert is_final(order(line(1), state="Complete"))
    assert is_final(order(line(1), state="Cancelled"))
    assert is_final(order(line(1), shipment="Delivered"))
    assert not is_final(order(line(1), shipment="Partial"))


SHARES = st.lists(
    st.builds(
        LineShare,
        sku=st.sampled_from(["A", "B"]),
        quantity=st.integers(0, 5),
        line_ref=st.sampled_from([None, "n1", "n2", "zz"]),
        location=st.sampled_from([None, "WH1", "WH2", "SH1", "WH9"]),
    ),
    max_size=5,
)
LINES = st.lists(
    st.builds(
        counted,
        st.sampled_from(["n1", "n2", "n3"]),
        st.integers(0, 4),
        st.sampled_from(["web", "shop"]),
        st.sampled_from(["A", "B"]),
    ),
    max_size=3,
    unique_by=lambda one: one.line_id,
)
TAKEN = st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), st.integers(0, 5))


@given(SHARES, LINES, TAKEN)
def test_s12_no_piece_is_spoken_of_twice(
    shares: list[LineShare], lines: list[CountedLine], taken: dict[str, int]
) -> None:
    """All parts together are no more than was told, and none exceeds what its line has left."""
    parts = assign(shares, lines, taken, BOTH)
    assert sum(part.pieces for part in parts) <= sum(told.quantity for told in shares)
    by_line = Counter[str]()
    for part in parts:
        assert part.pieces > 0
        by_line[part.line_id] += part.pieces
    left = {one.line_id: max(one.quantity - taken.get(one.line_id, 0), 0) for one in lines}
    assert all(pieces <= left[line_id] for line_id, pieces in by_line.items())


@given(SHARES, LINES, TAKEN)
def test_a_part_is_where_its_location_sells(
    shares: list[LineShare], lines: list[CountedLine], taken: dict[str, int]
) -> None:
    """A located part belongs to the location's channel, one without location to its line's."""
    own = {one.line_id: one.key.channel for one in lines}
    for part in assign(shares, lines, taken, BOTH):
        if part.location is None:
            assert part.channel == own[part.line_id]
        else:
            assert BOTH.channels_of(part.location) == {part.channel}


def test_f138_a_share_by_sku_fills_the_lines_of_its_own_channel_first() -> None:
    """The same SKU in two channels: what the shop's location ships is the shop's line before anybody else's."""
    lines = [counted("n1", 2), counted("n2", 1, "shop")]
    parts = assign([share(2, "SH1")], lines, {}, BOTH)
    assert {(part.line_id, part.channel, part.pieces) for part in parts} == {
        ("n2", "shop", 1),
        ("n1", "shop", 1),
    }


def test_f155_a_share_that_names_its_line_is_about_no_other() -> None:
    """Short picked lines stay open although another line has the same SKU."""
    lines = [counted("n1", 2), counted("n2", 2)]
    parts = assign([share(3, "WH1", line="n2")], lines, {}, BOTH)
    assert {(part.line_id, part.pieces) for part in parts} == {("n2", 2)}


def test_f126_a_location_nobody_mapped_proves_nothing() -> None:
    """Whatever it fulfils comes from stock that no channel counts."""
    assert assign([share(2, "WH9")], [counted("n1", 2)], {}, BOTH) == ()


def level_at(location: str, seq: int, *, through: int | None = None, as_of: int | None = None) -> StoredLevel:
    return StoredLevel(location, "main", Position(1, seq), 5, 5, as_of, through)


def test_orders_through_speaks_only_of_accepted_orders() -> None:
    """A waiting order is older than the time a level names, and is not in its figure."""
    alone = channel(place("WH1"))
    waiting = Line("o1", "n1", 2, tracked=True, created_ms=100)
    known = Line("o1", "n1", 2, tracked=True, created_ms=100, accepted_ms=150)
    levels = {"WH1": level_at("WH1", 5, through=100)}
    assert implied_proofs(waiting, alone, levels, None, 200, ("WH1",)) == ()
    assert implied_proofs(known, alone, levels, None, 200, ()) == ()
    (proof,) = implied_proofs(known, alone, levels, None, 200, ("WH1",))
    assert (proof.position.seq, proof.figure, proof.quantity) == (5, Figure.AVAILABLE, 2)
    early = {"WH1": level_at("WH1", 5, through=99)}
    assert implied_proofs(known, alone, early, None, 200, ("WH1",)) == ()


def test_the_configured_wait_counts_from_the_acceptance_to_the_capture() -> None:
    """`accepted+90`: a level captured 90 s after the acceptance, at every location the line may come from."""
    known = Line("o1", "n1", 2, tracked=True, created_ms=0, accepted_ms=1_000)
    alone = channel(place("WH1"))
    assert implied_proofs(known, alone, {"WH1": level_at("WH1", 5, as_of=90_999)}, 90, 99_999, ()) == ()
    assert implied_proofs(known, alone, {"WH1": level_at("WH1", 5, as_of=91_000)}, None, 99_999, ()) == ()
    assert implied_proofs(known, alone, {"WH1": level_at("WH1", 5, as_of=91_000)}, 90, 99_999, ())
    one_of_two = {"WH1": level_at("WH1", 5, as_of=91_000), "WH2": level_at("WH2", 4, as_of=90_000)}
    assert implied_proofs(known, WEB, one_of_two, 90, 99_999, ()) == ()
    both = {**one_of_two, "WH2": level_at("WH2", 4, as_of=92_000)}
    (proof,) = implied_proofs(known, WEB, both, 90, 99_999, ())
    assert (proof.location, proof.position.seq) == (None, 4)
