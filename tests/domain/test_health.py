"""The verdict: what makes it worse, and which cause stands first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.data_health import HealthLimits, LocationHealth, Wrong, best_of, quiet_limit
from archsyncd.domain.explained import KINDS, REASONS
from archsyncd.domain.health import Facts, FeedHealth, Level, OpenCases, judge
from archsyncd.domain.mutes import Mute, MuteKind
from archsyncd.domain.reasons import CODES
from archsyncd.domain.silence import Silence, Way

FRESH = FeedHealth("main", "fresh", 3.0, 15.0)
UNKNOWN_SKUS = OpenCases("sku_not_found", "warning", "data", 12, 40, 600.0, 28_800.0, "create them")
RESTOCKABLE = OpenCases("restockable_in_days", "critical", "operations", 1, 1, 7_200.0, 3_600.0, "unset it")
PLACE = LocationHealth(
    "WH1", "web", ("main",), "fresh", heard=True, told_seconds=5.0, quiet_limit_seconds=86_400.0
)
UNTAKEN = Silence(Way.ORDERS, "main", 121.0, 30, 101, "the orders endpoint answers 503")
UNHEARD = replace(PLACE, heard=False, told_seconds=None)
REFUSED = "commercetools refuses our credential"
SILENT = "commercetools does not answer"


def test_quiet_facts_are_healthy() -> None:
    """With fresh feeds, nothing waiting and no case the verdict is healthy, on one line."""
    verdict = judge(Facts(feeds=(FRESH,)))
    assert verdict.level is Level.HEALTHY
    assert verdict.reasons == ()
    assert verdict.sentence.startswith("healthy: ")


CAUSES: list[tuple[Facts, Level, str]] = [
    (Facts(store_broken="disk I/O error"), Level.CRITICAL, "store_broken"),
    (Facts(refused=REFUSED, blocked=REFUSED), Level.CRITICAL, "credential_refused"),
    (Facts(blocked=SILENT), Level.DEGRADED, "commercetools_unreachable"),
    (Facts(blocked=SILENT, oldest_decrease_seconds=61), Level.CRITICAL, "commercetools_unreachable"),
    (Facts(blocked=SILENT, oldest_doubt_seconds=61, in_doubt=1), Level.CRITICAL, "commercetools_unreachable"),
    (Facts(marker="the marker's type cannot be used"), Level.CRITICAL, "marker_type"),
    (Facts(feeds=(replace(FRESH, verdict="late"),)), Level.DEGRADED, "feed_late"),
    (Facts(unreported_seconds=36 * 3600.0 + 1), Level.DEGRADED, "report_missed"),
    (Facts(feeds=(replace(FRESH, verdict="stale"),)), Level.CRITICAL, "feed_stale"),
    (Facts(feeds=(replace(FRESH, fault="answers 500"),)), Level.DEGRADED, "feed_fault"),
    (Facts(feeds=(replace(FRESH, snapshot_due="gap"),)), Level.DEGRADED, "snapshot_due"),
    (Facts(feeds=(replace(FRESH, paused=True),)), Level.DEGRADED, "feed_paused"),
    (Facts(paused_channels=("warehouse-1",)), Level.DEGRADED, "channel_paused"),
    (Facts(may_increase=False, tenure="not renewed"), Level.DEGRADED, "lease"),
    (Facts(idle="another host holds the lease"), Level.DEGRADED, "idle"),
    (Facts(copied="the database was made on another host"), Level.CRITICAL, "copied"),
    (Facts(oldest_decrease_seconds=61), Level.DEGRADED, "decrease_waits"),
    (Facts(oldest_decrease_seconds=301), Level.CRITICAL, "decrease_waits"),
    (Facts(orders_behind_seconds=361), Level.DEGRADED, "orders_behind"),
    (Facts(orders_behind_seconds=361, tracked=False), Level.CRITICAL, "orders_behind"),
    (Facts(orders_behind_seconds=None, uptime_seconds=301), Level.DEGRADED, "orders_unknown"),
    (Facts(oldest_doubt_seconds=61, in_doubt=1), Level.DEGRADED, "in_doubt"),
    (Facts(silences=(UNTAKEN,)), Level.DEGRADED, "orders_not_taken"),
    (Facts(silences=(replace(UNTAKEN, seconds=601.0),)), Level.CRITICAL, "orders_not_taken"),
    (Facts(silences=(replace(UNTAKEN, way=Way.CANCELLATIONS),)), Level.DEGRADED, "cancellations_not_taken"),
    (Facts(silences=(replace(UNTAKEN, way=Way.DISPATCHES),)), Level.DEGRADED, "dispatches_not_booked"),
    (Facts(silences=(replace(UNTAKEN, way=Way.BOOKINGS),)), Level.DEGRADED, "bookings_not_taken"),
    (Facts(feeds=(replace(FRESH, stuck_seconds=76.0),)), Level.DEGRADED, "feed_stuck"),
    (Facts(locations=(replace(PLACE, withheld=True),)), Level.CRITICAL, "withheld"),
    (Facts(locations=(UNHEARD,), uptime_seconds=301), Level.DEGRADED, "location_unheard"),
    (Facts(locations=(replace(PLACE, told_seconds=86_401.0),)), Level.DEGRADED, "location_quiet"),
    (Facts(doubt="the log has grown"), Level.DEGRADED, "store_doubt"),
    (Facts(free_bytes=100 << 20, floor_bytes=64 << 20), Level.DEGRADED, "disk_low"),
    (Facts(free_bytes=63 << 20, floor_bytes=64 << 20), Level.CRITICAL, "disk_full"),
    (Facts(saturated=0.9), Level.DEGRADED, "requests_saturated"),
    (Facts(wrong=Wrong(1_000, unknown=51)), Level.CRITICAL, "unknown_skus"),
    (Facts(wrong=Wrong(1_000, drifting=11)), Level.CRITICAL, "drifting"),
    (Facts(cases=(UNKNOWN_SKUS,)), Level.DEGRADED, "sku_not_found"),
    (Facts(cases=(RESTOCKABLE,)), Level.CRITICAL, "restockable_in_days"),
]


@pytest.mark.parametrize(("facts", "level", "code"), CAUSES)
def test_each_cause_has_its_level_and_code(facts: Facts, level: Level, code: str) -> None:
    """Every single cause gives its own level, a stable code, a sentence and a next step."""
    verdict = judge(facts)
    assert verdict.level is level
    assert verdict.reasons[0].code == code
    assert all(reason.says and reason.next_step for reason in verdict.reasons)


@pytest.mark.parametrize(
    "facts",
    [
        Facts(oldest_decrease_seconds=60),
        Facts(silences=(replace(UNTAKEN, seconds=120.0),)),
        Facts(silences=(replace(UNTAKEN, waiting=0, in_doubt=0),)),
        Facts(feeds=(replace(FRESH, stuck_seconds=75.0),)),
        Facts(locations=(UNHEARD,), uptime_seconds=300),
        Facts(locations=(replace(UNHEARD, verdict="late"),), uptime_seconds=1e6),
        Facts(locations=(replace(PLACE, told_seconds=86_400.0),)),
        Facts(free_bytes=512 << 20, floor_bytes=64 << 20),
        Facts(saturated=0.89),
        Facts(saturated=1.0, limits=HealthLimits(saturated_percent=0)),
        Facts(wrong=Wrong(1_000, unknown=50, drifting=10)),
        Facts(wrong=Wrong(19, unknown=19, drifting=19)),
        Facts(wrong=Wrong(100, 100, 100), limits=HealthLimits(unknown_percent=0, drift_percent=0)),
        Facts(orders_behind_seconds=360),
        Facts(orders_behind_seconds=None, uptime_seconds=300),
        Facts(orders_behind_seconds=None, uptime_seconds=1e6, orders_off=True, tracked=False),
    ],
)
def test_what_is_within_its_limit_is_healthy(facts: Facts) -> None:
    """Waiting a little, a first start, and what is only to be known do not spoil the verdict."""
    assert judge(facts).level is Level.HEALTHY


def test_the_root_cause_stands_before_what_follows_from_it() -> None:
    """A refused credential is named first, not the decreases and the orders that wait because of it."""
    verdict = judge(
        Facts(
            refused=REFUSED,
            blocked=REFUSED,
            oldest_decrease_seconds=900,
            orders_behind_seconds=900,
            feeds=(FRESH,),
            cases=(UNKNOWN_SKUS,),
        )
    )
    assert [reason.code for reason in verdict.reasons] == [
        "credential_refused",
        "decrease_waits",
        "orders_behind",
        "sku_not_found",
    ]
    assert verdict.sentence == f"critical: {REFUSED} (and 3 more)"


def test_a_broken_store_is_the_only_cause() -> None:
    """With a broken store nothing else can be known, so nothing else is told."""
    facts = Facts(store_broken="damaged", blocked=SILENT, cases=(RESTOCKABLE,))
    assert [reason.code for reason in judge(facts).reasons] == ["store_broken"]


def test_an_overdue_case_says_so() -> None:
    """A case older than its owner's limit is told as overdue."""
    assert "owner operations, overdue" in judge(Facts(cases=(RESTOCKABLE,))).sentence


ages = st.none() | st.floats(0, 1e7)
verdicts = st.sampled_from(["fresh", "late", "stale"])
places = st.builds(
    LocationHealth,
    st.text(min_size=1, max_size=5),
    st.just("web"),
    st.just(("main",)),
    verdicts,
    heard=st.booleans(),
    told_seconds=ages,
    quiet_limit_seconds=st.floats(60, 1e6),
    withheld=st.booleans(),
)
facts_of_all_kinds = st.builds(
    Facts,
    refused=st.none() | st.just(REFUSED),
    blocked=st.none() | st.just(SILENT),
    feeds=st.lists(
        st.builds(
            FeedHealth,
            st.text(max_size=5),
            st.sampled_from(["fresh", "late", "stale"]),
            ages,
            st.floats(1, 1e4),
            st.none() | st.text(max_size=5),
            st.booleans(),
        ),
        max_size=4,
    ).map(tuple),
    may_increase=st.booleans(),
    oldest_decrease_seconds=ages,
    orders_behind_seconds=ages,
    tracked=st.booleans(),
    uptime_seconds=st.floats(0, 1e7),
    cases=st.lists(st.sampled_from([UNKNOWN_SKUS, RESTOCKABLE]), max_size=3).map(tuple),
    locations=st.lists(places, max_size=5).map(tuple),
    wrong=st.builds(Wrong, *[st.integers(0, 10**6)] * 3),
    saturated=st.none() | st.floats(0, 1),
    free_bytes=st.none() | st.integers(0, 1 << 40),
    floor_bytes=st.just(64 << 20),
    doubt=st.none() | st.just("the log has grown"),
    in_doubt=st.integers(0, 9),
    oldest_doubt_seconds=ages,
    idle=st.none() | st.just("another host holds the lease"),
    copied=st.none() | st.just("copied"),
    paused_channels=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


@given(facts_of_all_kinds)
def test_the_level_is_that_of_the_worst_cause_and_causes_are_sorted(facts: Facts) -> None:
    """For any facts the verdict is its worst cause's level, causes come worst first, and only health has none."""
    verdict = judge(facts)
    levels = [reason.level for reason in verdict.reasons]
    assert levels == sorted(levels, reverse=True)
    assert verdict.level == max(levels, default=Level.HEALTHY)
    assert Level.HEALTHY not in levels
    assert verdict.sentence.split(":")[0] == verdict.level.word


@given(facts_of_all_kinds, st.floats(0, 1e6))
def test_a_longer_wait_never_makes_the_verdict_better(facts: Facts, more: float) -> None:
    """The verdict is monotone in how long the oldest decrease has waited."""
    longer = replace(facts, oldest_decrease_seconds=(facts.oldest_decrease_seconds or 0) + more)
    assert judge(longer).level >= judge(facts).level


def test_a_write_that_nobody_knows_the_outcome_of_is_not_healthy() -> None:
    """Its key waits in no class, and too much may be on sale all the while."""
    assert judge(Facts(in_doubt=3, oldest_doubt_seconds=5.0)).level is Level.HEALTHY
    late = judge(Facts(in_doubt=3, oldest_doubt_seconds=90.0))
    assert (late.level, [reason.code for reason in late.reasons]) == (Level.DEGRADED, ["in_doubt"])
    assert judge(Facts(in_doubt=1, oldest_doubt_seconds=100_000.0)).level is Level.CRITICAL


def test_keys_that_were_not_looked_at_yet_are_not_said_to_be_published() -> None:
    """Nothing is wrong, and nothing is there yet either."""
    assert "looked up" in judge(Facts(unlooked=7)).sentence


def test_orders_that_nobody_takes_are_told_before_what_follows_from_that() -> None:
    """The feed, for how long, how many wait, and the last answer; the stalled orders are its symptom."""
    stalled = OpenCases("stalled_orders", "warning", "ecommerce", 131, 131, 60.0, 1e6, "see")
    verdict = judge(Facts(silences=(UNTAKEN,), cases=(UNKNOWN_SKUS, stalled)))
    assert [reason.code for reason in verdict.reasons] == [
        "orders_not_taken",
        "sku_not_found",
        "stalled_orders",
    ]
    assert verdict.reasons[0].says == (
        "Archean (feed main) has taken no order for 2 min, 131 orders wait, 101 of them in doubt; the last answer was: "
        "the orders endpoint answers 503"
    )


def test_a_dispatch_is_not_called_unbooked_where_commercetools_does_not_answer_at_all() -> None:
    """That is the cause then, and the only one."""
    waiting = replace(UNTAKEN, way=Way.DISPATCHES, feed="")
    verdict = judge(Facts(blocked=SILENT, silences=(waiting, UNTAKEN)))
    assert [reason.code for reason in verdict.reasons] == ["commercetools_unreachable", "orders_not_taken"]


# The table of codes


def test_every_code_of_the_table_can_be_told() -> None:
    """A code that nothing tells any more is no promise to keep."""
    assert {code for _, _, code in CAUSES} - KINDS.keys() == REASONS.keys()


@given(facts_of_all_kinds)
def test_nothing_is_told_that_is_not_in_the_table(facts: Facts) -> None:
    """Every cause has a code with a meaning, a sentence and a next step, whatever the facts."""
    for reason in judge(facts).reasons:
        assert reason.code in REASONS or reason.code in KINDS
        assert reason.says
        assert reason.next_step


# Locations


def test_a_location_is_as_fresh_as_the_freshest_feed_that_tells_of_it() -> None:
    """Heartbeats are told by feed: one that lives would tell of a change."""
    assert best_of(["stale", "fresh", "late"]) == "fresh"
    assert best_of(["stale", "late"]) == "late"
    assert best_of([]) == "late"


def test_a_silent_feed_and_its_case_are_one_cause() -> None:
    """A case of another feed, and one that says something else, is told beside it."""
    stale, case = replace(FRESH, verdict="stale"), replace(RESTOCKABLE, kind="stale_feed")
    facts = Facts(feeds=(stale,), cases=(case,))
    assert "more)" not in judge(facts).sentence
    assert [reason.code for reason in judge(facts).reasons] == ["feed_stale"]
    both = judge(replace(facts, cases=(replace(case, cases=2),))).reasons
    assert [(reason.code, reason.count) for reason in both] == [("feed_stale", 1), ("stale_feed", 1)]
    assert [reason.code for reason in judge(replace(facts, feeds=(FRESH,))).reasons] == ["stale_feed"]
    muted = replace(case, apart=((stale.name, 1, 5.0),))
    assert [reason.code for reason in judge(replace(facts, cases=(muted,))).reasons] == ["feed_stale"]


def test_what_a_stale_feed_explains_is_not_said_of_its_locations_again() -> None:
    """One cause, one sentence."""
    silent = replace(PLACE, verdict="stale", told_seconds=1e6)
    facts = Facts(feeds=(replace(FRESH, verdict="stale"),), locations=(silent, replace(silent, heard=False)))
    assert [reason.code for reason in judge(facts).reasons] == ["feed_stale"]


def test_a_feed_that_may_tell_once_a_day_makes_no_location_quiet_within_five_days() -> None:
    """A nightly file; and who wants none of it sets the limit to nothing."""
    assert quiet_limit(HealthLimits(quiet_seconds=3_600), 86_400) == 5 * 86_400
    assert quiet_limit(HealthLimits(quiet_seconds=3_600), 15) == 3_600
    assert quiet_limit(HealthLimits(quiet_seconds=0), 15) == float("inf")


def test_many_locations_are_named_up_to_three() -> None:
    """The first line stays a line."""
    many = tuple(replace(PLACE, name=f"L{number}", told_seconds=1e6) for number in range(9))
    (reason,) = judge(Facts(locations=many)).reasons
    assert reason.says.startswith("locations L0, L1, L2 and 6 more: no level was told for 12 d")


MUTABLE = [(facts, code) for facts, _, code in CAUSES if code in CODES or code in KINDS]


def test_every_code_but_that_of_a_broken_store_can_be_muted() -> None:
    """Without the database there is no mute."""
    assert REASONS.keys() - {code for _, code in MUTABLE} == {"store_broken"}


@pytest.mark.parametrize(("facts", "code"), MUTABLE)
def test_a_muted_cause_does_not_count_and_is_told_as_muted(facts: Facts, code: str) -> None:
    """Whatever else is wrong counts as before."""
    verdict = judge(replace(facts, mutes=(Mute(code, "", MuteKind.MUTE, 0, 0, 0, 1, "known", "a test"),)))
    assert code not in {reason.code for reason in verdict.reasons}
    assert code in {reason.code for reason, _ in verdict.muted}
