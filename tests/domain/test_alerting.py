"""Alerts: what is told, to whom, how often; by hand and for any course of events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.alert_texts import headline, lines, plain
from archsyncd.domain.alerting import AlertRules, Cause, Message, MessageKind, Observation, decide

LOOK_MS = 5_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
START_MS = 1_767_225_600_000
RULES = AlertRules(group_seconds=30, digest_seconds=900)
UNKNOWN = Observation(
    "data",
    "sku_not_found",
    "",
    1,
    1,
    "1 open sku_not_found",
    "Create the product.",
    "archsyncctl exceptions list --kind sku_not_found",
    "operations",
    8 * 3600.0,
    newest=1,
    examples=("A1",),
    overdue=0,
)
STALE = Observation(
    "operations",
    "feed_stale",
    "main",
    2,
    1,
    "feed main: silent",
    "Check.",
    "archsyncctl status",
    "chief",
    3600.0,
)
UNREACHED = replace(STALE, code="commercetools_unreachable", subject="", level=1)
LATE = replace(STALE, code="decrease_waits", subject="", level=1)


class Course:
    """A course of looks, five seconds apart, with all that was told. `causes` is what a store would keep."""

    def __init__(self, rules: AlertRules = RULES) -> None:
        self.now_ms = START_MS
        self.rules = rules
        self.causes: dict[tuple[str, str], Cause] = {}
        self.told: list[Message] = []
        self.unjudged: set[tuple[str, str]] = set()

    def look(self, *seen: Observation) -> list[Message]:
        decided = decide(self.causes, seen, self.now_ms, self.rules, self.unjudged)
        self.causes |= {cause.key: cause for cause in decided.kept}
        for key in decided.forgotten:
            del self.causes[key]
        self.told += decided.messages
        self.now_ms += LOOK_MS
        return list(decided.messages)

    def last(self, *seen: Observation, minutes: float) -> list[Message]:
        """Look for so long at the same; what was told."""
        before = len(self.told)
        for _ in range(int(minutes * MINUTE_MS / LOOK_MS)):
            self.look(*seen)
        return self.told[before:]


def kinds(messages: Iterable[Message]) -> list[MessageKind]:
    return [message.kind for message in messages]


def test_a_cause_is_told_once_when_it_has_lasted_for_the_window() -> None:
    """Not at first sight, and not again while nothing changes."""
    course = Course()
    assert course.last(STALE, minutes=0.5) == []
    assert kinds(course.last(STALE, minutes=59)) == [MessageKind.BEGAN]


def test_what_passes_within_the_window_is_told_to_nobody() -> None:
    """Neither that it came nor that it went; nothing is remembered of it."""
    course = Course()
    course.last(STALE, minutes=0.4)
    assert course.last(minutes=10) == []
    assert course.causes == {}


def test_ten_thousand_unknown_skus_are_one_message_and_one_digest() -> None:
    """They come within minutes of a bad full; the owner gets two messages within the hour."""
    course = Course()
    for count in range(1, 10_001, 80):
        course.look(replace(UNKNOWN, count=count, newest=count, examples=tuple(f"S{n}" for n in range(9))))
    course.last(replace(UNKNOWN, count=10_000, newest=1_001), minutes=45)
    told = course.told
    assert kinds(told) == [MessageKind.BEGAN, MessageKind.DIGEST]
    assert told[1].count == 10_000
    assert len(told[0].examples) == 5


def test_in_quiet_hours_only_what_is_critical_is_told() -> None:
    """What is not waits for their end, and is told then if it is there still; that it was over by then, nobody is told."""
    course = Course(replace(RULES, holds=True))
    passing = replace(LATE, code="saturated")
    assert kinds(course.last(STALE, LATE, passing, minutes=60)) == [MessageKind.BEGAN]
    assert course.told[0].code == STALE.code
    assert {each.code for each in course.last(STALE, LATE, minutes=60)} == {STALE.code}
    course.rules = RULES
    told = course.last(STALE, LATE, minutes=1)
    assert (told[0].kind, told[0].code) == (MessageKind.BEGAN, LATE.code)


def test_what_was_told_and_ends_in_quiet_hours_is_told_as_over_after_them() -> None:
    """Unless it was critical: that is over at any hour. What becomes critical is told at once."""
    course = Course()
    course.last(STALE, LATE, minutes=60)
    course.rules = replace(RULES, holds=True)
    assert [(each.kind, each.code) for each in course.last(minutes=60)] == [(MessageKind.OVER, STALE.code)]
    course.rules = RULES
    assert [(each.kind, each.code) for each in course.last(minutes=60)] == [(MessageKind.OVER, LATE.code)]
    course.last(LATE, minutes=60)
    course.rules = replace(RULES, holds=True)
    assert kinds(course.last(replace(LATE, level=2), minutes=1))[0] is MessageKind.WORSE


def test_its_end_is_told_once_when_it_has_been_gone_for_the_window() -> None:
    """A moment without it is not its end."""
    course = Course()
    course.last(STALE, minutes=1)
    assert course.last(minutes=0.3) == []
    assert course.last(STALE, minutes=1) == []
    assert kinds(course.last(minutes=70)) == [MessageKind.OVER]
    assert course.causes == {}


def test_a_cause_that_comes_and_goes_is_told_three_times_an_hour_at_most() -> None:
    """A feed that flaps every two minutes does not flood anybody; what holds in the end is told in the end."""
    course = Course()
    for _ in range(15):
        course.last(STALE, minutes=2)
        course.last(minutes=2)
    first_hour = [message for message in course.told if message.at_ms < START_MS + HOUR_MS]
    assert len(first_hour) == 3
    course.last(minutes=61)
    assert course.told[-1].kind is MessageKind.OVER


def test_that_it_became_critical_is_told_though_flaps_have_used_up_the_hour() -> None:
    """Late, back, late, and then stale for good: nobody waits an hour to hear that. Once, and no fifth time."""
    course, late = Course(), replace(STALE, code="feed_late", level=1)
    course.last(late, minutes=1)
    course.last(minutes=1)
    course.last(late, minutes=1)
    (message,) = course.last(STALE, minutes=2)
    assert (message.kind, message.level) == (MessageKind.WORSE, 2)
    for _ in range(10):
        course.last(minutes=1)
        course.last(late, minutes=1)
        course.last(STALE, minutes=1)
    assert len(course.told) == 4


def test_what_nobody_can_know_yet_is_neither_there_nor_over() -> None:
    """After a restart; what is seen all the same is told, and the case that repeats a silent feed waits with it."""
    course, case = Course(), replace(UNKNOWN, code="stale_feed")
    course.last(STALE, case, minutes=2)
    course.unjudged = {STALE.key}
    assert course.last(case, minutes=4) == []
    assert kinds(course.last(replace(STALE, code="feed_late", level=1), case, minutes=4)) == []
    course.unjudged = set()
    assert [message.code for message in course.last(STALE, case, minutes=4)] == []
    assert kinds(course.last(minutes=4)) == [MessageKind.OVER]
    course.unjudged = {STALE.key}
    assert kinds(course.last(STALE, minutes=4)) == [MessageKind.BEGAN]


def test_worse_is_told_at_once() -> None:
    """Late became stale: the same feed, the same cause, more severe."""
    course = Course()
    course.last(replace(STALE, code="feed_late", level=1), minutes=1)
    (message,) = course.look(STALE)
    assert (message.kind, message.level, message.code) == (MessageKind.WORSE, 2, "feed_stale")


def test_it_is_escalated_once_when_its_owners_limit_has_passed() -> None:
    """To whoever it is escalated to, and never again while it stands."""
    course = Course()
    told = course.last(STALE, minutes=300)
    assert kinds(told) == [MessageKind.BEGAN, MessageKind.ESCALATED]
    assert (told[0].owner, told[1].owner) == ("operations", "chief")
    assert "the limit of operations" in " ".join(lines(told[1]))


def test_cases_are_escalated_once_and_those_that_become_overdue_later_once_more() -> None:
    """How many are overdue and not escalated yet is counted from the time that the cause keeps."""
    course = Course()
    course.last(UNKNOWN, minutes=1)
    late = replace(UNKNOWN, overdue=3)
    assert kinds(course.look(late)) == [MessageKind.ESCALATED]
    kept = course.causes[UNKNOWN.key]
    assert kept.escalated_ms == course.now_ms - LOOK_MS - 8 * HOUR_MS
    assert course.last(UNKNOWN, minutes=90) == []
    assert kinds(course.look(replace(UNKNOWN, overdue=1))) == [MessageKind.ESCALATED]


def test_what_follows_from_a_root_cause_is_not_told_beside_it() -> None:
    """Nor that it is over while the root cause hides it."""
    course = Course()
    assert kinds(course.last(UNREACHED, LATE, minutes=5)) == [MessageKind.BEGAN]
    assert course.told[0].code == "commercetools_unreachable"
    course = Course()
    course.last(LATE, minutes=5)
    course.last(LATE, UNREACHED, minutes=5)
    assert [(one.code, one.kind) for one in course.told] == [
        ("decrease_waits", MessageKind.BEGAN),
        ("commercetools_unreachable", MessageKind.BEGAN),
    ]


def test_a_muted_root_cause_hides_nothing() -> None:
    """Who muted an announced outage did not mean the decreases that it holds up."""
    course = Course()
    told = course.last(replace(UNREACHED, muted=True), LATE, minutes=5)
    assert [message.code for message in told] == ["decrease_waits"]


def test_what_is_muted_is_not_told_neither_its_end_and_what_outlasts_its_mute_is_told_at_once() -> None:
    """A mute is no end of the cause."""
    course = Course()
    course.last(STALE, minutes=1)
    muted = replace(STALE, muted=True)
    assert course.last(muted, minutes=200) == []
    (message,) = course.look(replace(STALE, remark="the mute by anna has ended: it is more severe"))
    assert message.kind is MessageKind.BEGAN
    assert "the mute by anna has ended: it is more severe" in lines(message)
    course.last(muted, minutes=1)
    assert course.last(minutes=100) == []


def test_what_usually_passes_by_itself_is_told_later() -> None:
    """A feed waits for a snapshot for minutes at every start."""
    course = Course()
    due = replace(STALE, code="snapshot_due", level=1)
    assert course.last(due, minutes=4.9) == []
    assert kinds(course.last(due, minutes=1)) == [MessageKind.BEGAN]


def test_a_restart_in_between_tells_nothing_twice_and_forgets_nothing() -> None:
    """All that counts is what was kept: the next process goes on from it."""
    course, other = Course(), Course()
    course.last(STALE, minutes=1)
    other.causes, other.now_ms = dict(course.causes), course.now_ms + 10 * MINUTE_MS
    assert other.last(STALE, minutes=20) == []
    assert kinds(other.last(minutes=1)) == [MessageKind.OVER]


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    """Messages that lie ahead of the clock do not count against the hour's."""
    course = Course()
    for _ in range(3):
        course.last(STALE, minutes=1)
        course.last(minutes=1)
    course.now_ms -= 24 * HOUR_MS
    assert kinds(course.last(minutes=2)) == [MessageKind.OVER]


observations = st.lists(
    st.builds(
        lambda base, level, count, muted, overdue: replace(
            base, level=level, count=count, newest=count, muted=muted, overdue=overdue
        ),
        st.sampled_from([UNKNOWN, STALE, UNREACHED, LATE]),
        st.sampled_from([1, 2]),
        st.integers(1, 50),
        st.booleans(),
        st.sampled_from([None, 0, 2]),
    ),
    max_size=4,
    unique_by=lambda each: each.key,
)


@given(st.lists(st.tuples(observations, st.integers(1, 400)), max_size=12))
def test_whatever_happens_nobody_gets_more_than_three_messages_an_hour_of_a_cause_and_a_critical_one(
    course_of: list[tuple[list[Observation], int]],
) -> None:
    """And what is there for an hour and a window at the end is told; what is gone for as long is told as over or was not told."""
    course = Course()
    for seen, looks in course_of:
        for _ in range(looks):
            course.look(*seen)
    course.last(STALE, minutes=61)
    assert course.causes[STALE.key].told_level == 2
    course.last(minutes=122)
    assert course.causes == {}
    of: dict[tuple[str, str, str], list[Message]] = defaultdict(list)
    for message in course.told:
        name = "feed" if message.code.startswith("feed") else message.code
        of[message.owner, name, message.subject].append(message)
    for told in of.values():
        times = [message.at_ms for message in told]
        assert all(later - first >= HOUR_MS for first, later in zip(times, times[4:], strict=False))
        fourths = [
            late for early, late in zip(told, told[3:], strict=False) if late.at_ms - early.at_ms < HOUR_MS
        ]
        assert all(late.level == 2 for late in fourths)
    last = {(one.code, one.subject): one for one in course.told}
    assert last["feed_stale", "main"].kind is MessageKind.OVER


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_message_is_printable_and_short_whatever_its_cause_holds(says: str, subject: str) -> None:
    """SKUs and orders come from outside."""
    told = replace(UNKNOWN, says=says, examples=(subject,) * 9, subject=subject)
    course = Course()
    (message,) = course.last(told, minutes=1)
    for line in [headline(message), *lines(message)]:
        assert line.isprintable()
        assert len(line) <= 500
    assert plain(message)["code"] == "sku_not_found"


@pytest.mark.parametrize("kind", [MessageKind.BEGAN, MessageKind.DIGEST, MessageKind.ESCALATED])
def test_a_message_names_owner_number_examples_next_step_command_and_manual(kind: MessageKind) -> None:
    """Whoever gets it at night needs nothing else."""
    course = Course()
    (began,) = course.last(replace(UNKNOWN, count=12), minutes=1)
    text = "\n".join([headline(replace(began, kind=kind)), *lines(replace(began, kind=kind))])
    for part in ("data", "12", "A1", "Create the product.", UNKNOWN.command, "man archsyncd.exceptions"):
        assert part in text
