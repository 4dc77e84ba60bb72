"""The rules that a source with names of its own can be held against, and what its dialect can never promise. Asks nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from archsyncd.conformance.findings import Notebook, Rule, Weight
from archsyncd.conformance.rules import DROP_RULES, PUBSUB_RULES, PULL_RULES, RECORD_RULES
from archsyncd.wire.foreign.section import CURSOR, OVERLAP, PAGE, Requests
from archsyncd.wire.profile.profile import Profile

PAGE_NAME: Final = "profiles.md"
WAYS: Final = "Three ways, and what each cannot promise"
ASKING: Final = "Asking a source over HTTP"
SAYS: Final = "What a profile says"
MESSAGES: Final = "Messages: a queue, or calls"
_MUST, _SHOULD = Weight.MUST, Weight.SHOULD


def _rule(name: str, section: str, weight: Weight, says: str, costs: str) -> Rule:
    return Rule(name, section, weight, says, costs, PAGE_NAME)


_TIMES: Final = frozenset({"asOf", "occurredAt", "at"})
# What is asked of every source over HTTP, whatever it speaks.
_MANNERS: Final = frozenset(
    {"answers", "credential_taken", "auth_required", "not_throttled", "prompt", "clock_skew"}
)

ASKED_RULES: Final = (
    _rule(
        "lists_readable",
        ASKING,
        _MUST,
        "each list is answered as the profile says, its records where it says",
        "nothing of such an answer can be used, and the feed stands still",
    ),
    _rule(
        "pages_whole",
        ASKING,
        _MUST,
        "a list that is cut into pages is read to its end: each page differs, and none is taken for the last that is not",
        "what stands on the pages that are never asked for is missing, without a word",
    ),
    _rule(
        "goes_on",
        ASKING,
        _MUST,
        "an answer of changes says how to go on, and that leads behind what it told",
        "the same page is read for ever, and what comes after it never arrives",
    ),
    _rule(
        "list_repeatable",
        ASKING,
        _MUST,
        "what a cursor told once it tells again",
        "a page that was read before the daemon died is read again, and reads otherwise: changes are missed",
    ),
    _rule(
        "cursor_expires",
        ASKING,
        _SHOULD,
        "a cursor that leads nowhere any more is refused with a status of request.expired",
        "what was dropped is missed without a word, until the whole stock is read",
    ),
    _rule(
        "since_finds",
        ASKING,
        _MUST,
        "the newest row is found again when what changed since its time is asked for",
        "the time is written in another form or zone than the source reads: changes are missed",
    ),
    _rule(
        "since_honoured",
        ASKING,
        _SHOULD,
        "asked for what changed since tomorrow the source lists nothing",
        "each round reads everything there is",
    ),
    _rule(
        "times_fit",
        ASKING,
        _MUST,
        "no time of a record is ahead of the source's own clock",
        "the zone (tz) of its times is another one than the profile says: changes of hours are missed",
    ),
    _rule(
        "stock_readable",
        WAYS,
        _MUST,
        "the whole stock can be read, by this feed or another one",
        "at the start, after a lost place and after a reset the stock cannot be found",
    ),
    _rule(
        "stock_covers",
        WAYS,
        _MUST,
        "every SKU and location that changes tell of is in the whole stock, unless it was removed",
        "a key that is missing keeps an old figure, and many of them hold the full for a person",
    ),
    _rule(
        "stock_agrees",
        WAYS,
        _MUST,
        "the whole stock shows what the changes told last",
        "the shop swings between two figures, and sells what is not there",
    ),
    _rule(
        "single_agrees",
        ASKING,
        _MUST,
        "a single SKU shows what the whole stock shows, or something newer",
        "a SKU that is repaired alone gets a wrong figure",
    ),
)

# What holds or cannot hold by the dialect alone.
PROMISES: Final = (
    _rule(
        "deletions_told",
        WAYS,
        _SHOULD,
        "it is told when a SKU is no longer kept at a place",
        "it is offered until the whole stock is read again",
    ),
    _rule(
        "every_change_told",
        WAYS,
        _SHOULD,
        "each change is told, however late it shows",
        "what shows later than the overlap, or changed between two readings, is found when the whole stock is read",
    ),
    _rule(
        "order_told",
        WAYS,
        _SHOULD,
        "changes come in the order in which they happened, or say it",
        "movements without the balance after them cannot be used",
    ),
    _rule(
        "read_again",
        WAYS,
        _SHOULD,
        "records can be read again from an earlier place (archsyncctl replay)",
        "after a mistake the whole stock is read instead",
    ),
    _rule(
        "reset_noticed",
        WAYS,
        _SHOULD,
        "a source that was reset or restored says so",
        "its old figures pass for new ones, or its new numbers for old ones, until the whole stock is read",
    ),
    _rule(
        "silence_noticed",
        WAYS,
        _SHOULD,
        "a source without news gives a sign of life",
        "a source that stands still looks like a quiet one; only interval_seconds tells, on a busy day",
    ),
    _rule(
        "single_readable",
        WAYS,
        _SHOULD,
        "a single SKU can be read alone",
        "a SKU of which a record was spoilt waits for its next figure, and no such reading proves an order",
    ),
    _rule(
        "news_awaited",
        WAYS,
        _SHOULD,
        "news is waited for, and comes at once",
        "a decrease arrives up to a pause later (request.every), in which the shop can oversell",
    ),
)
_FILES: Final = (
    _rule(
        "missing_file_noticed",
        SAYS,
        _SHOULD,
        "a file that never came is noticed",
        "what it told is missing until a full comes, and nobody is told",
    ),
    _rule(
        "cut_file_noticed",
        SAYS,
        _SHOULD,
        "a file that was cut off between two lines is noticed",
        "of a full the rest counts as absent; the guards hold it where that is much",
    ),
)
# Rules of r247/1 in the words of a profile.
_READ_BY: Final = {
    "file_names": "files are called as the profile's names say (where it says none, as r247/1 does)",
    "content_readable": "a file is whole, and in the form that the profile says",
    "full_locations": "it is said which locations a full file covers (names.locations, or its manifest)",
    "message_readable": "a message's data are what the profile says, its records where it says",
}


def _in_words_of_profile(rule: Rule) -> Rule:
    return replace(rule, says=_READ_BY.get(rule.name, rule.says))


_MESSAGE_PROMISES: Final = ("order_told", "reset_noticed", "silence_noticed", "deletions_told")
_MESSAGE_RULES: Final = (
    _rule(
        "figures_timed",
        MESSAGES,
        _SHOULD,
        "stock says when its figures were taken (asOf, occurredAt), or has numbers (seq)",
        "figures count in the order in which they were sent, which need not be that in which they were taken",
    ),
    _rule(
        "fulls_told",
        MESSAGES,
        _SHOULD,
        "the whole stock comes among the messages",
        "another feed must bring it (snapshot_from)",
    ),
)

PROFILE_DROP_RULES: Final = (
    *RECORD_RULES,
    *(_in_words_of_profile(rule) for rule in DROP_RULES if not rule.name.startswith("manifest_")),
    *_FILES,
)
PROFILE_PUBSUB_RULES: Final = (
    *(_in_words_of_profile(rule) for rule in PUBSUB_RULES if rule.name != "attributes_told"),
    *RECORD_RULES,
    *_MESSAGE_RULES,
    *(rule for rule in PROMISES if rule.name in _MESSAGE_PROMISES),
)
EVERY_OF_DIALECTS: Final = (*ASKED_RULES, *PROMISES, *_FILES, *_MESSAGE_RULES)


# Rules that mean something for some ways of asking alone.
_OF_CURSORS: Final = frozenset({"goes_on", "list_repeatable", "cursor_expires"})
_OF_TIMES: Final = frozenset({"since_finds", "since_honoured"})
_OF_TWO_LISTS: Final = frozenset({"stock_covers", "stock_agrees"})


def asked_rules(profile: Profile, requests: Requests) -> tuple[Rule, ...]:
    """The rules for a source that is asked in this way."""
    left_out: set[str] = set()
    left_out |= set() if requests.mode == CURSOR else _OF_CURSORS
    left_out |= set() if requests.mode == OVERLAP else _OF_TIMES
    left_out |= _OF_TWO_LISTS if requests.snapshot is None else set()
    left_out |= {"single_agrees"} if requests.key is None else set()
    timed = any(_TIMES & fields for _, fields in profile.kinds)
    left_out |= set() if timed else {"times_fit", "clock_skew"}
    manners = (rule for rule in PULL_RULES if rule.name in _MANNERS)
    return tuple(
        rule for rule in (*RECORD_RULES, *manners, *ASKED_RULES, *PROMISES) if rule.name not in left_out
    )


def promised_by_requests(profile: Profile, requests: Requests, notebook: Notebook) -> None:
    """Say what the way of asking can and cannot promise."""
    mode, way = requests.mode, f"by mode {requests.mode}"
    notebook.promise("deletions_told", mode == PAGE or _tells_removals(profile), _deletions(profile, mode))
    lost = {
        OVERLAP: f"{way}: not what shows later than the overlap, nor what changed back between two rounds",
        PAGE: f"{way}: nothing between two readings",
    }
    notebook.promise("every_change_told", mode == CURSOR, lost.get(mode, "the list has every change"))
    ordered = {OVERLAP: f"{way}: times do not tell it", PAGE: f"{way}: only the newest figures are seen"}
    notebook.promise("order_told", mode == CURSOR, ordered.get(mode, "the list is in their order"))
    own = requests.positions == "source"
    notebook.promise("read_again", own, "positions are the source's" if own else "numbered by arrival here")
    notebook.promise("reset_noticed", False, "no foreign source names an epoch")
    _silence(profile, notebook)
    alone = requests.key is not None
    says = "by request.key" if alone else "the profile does not say how one is asked for (request.key)"
    notebook.promise("single_readable", alone, says)
    notebook.promise("news_awaited", False, f"it is asked every {requests.every_ms / 1000:g} s")


def _tells_removals(profile: Profile) -> bool:
    return any(kind in {None, "stock.removed"} for kind, _ in profile.kinds)


def _deletions(profile: Profile, mode: str) -> str:
    if mode == PAGE:
        return "each reading is the whole stock; what is missing follows guards.absent"
    return "as stock.removed" if _tells_removals(profile) else "the profile reads no stock.removed"


def _silence(profile: Profile, notebook: Notebook) -> None:
    beats = any(kind in {None, "feed.heartbeat"} for kind, _ in profile.kinds)
    says = "a record is a feed.heartbeat" if beats else "the profile reads no feed.heartbeat"
    notebook.promise("silence_noticed", beats, says)


def promised_by_files(profile: Profile, notebook: Notebook) -> None:
    """Say what names and form of files can and cannot promise."""
    timed = [rule.pattern.text for rule in profile.names if not rule.pattern.number]
    says = f"{', '.join(timed)} is ordered by time alone" if timed else "files have numbers"
    notebook.promise("missing_file_noticed", not timed, says)
    if not profile.names:
        notebook.promise("cut_file_noticed", True, "names and manifests are r247/1's own")
    else:
        says = (
            f"{profile.form} has an end" if profile.has_end else f"{profile.form} has no last line (csv.last)"
        )
        notebook.promise("cut_file_noticed", profile.has_end, says)


def promised_by_messages(profile: Profile, notebook: Notebook) -> None:
    """Say what messages of this dialect can and cannot promise."""
    stock = [fields for kind, fields in profile.kinds if kind is None or kind.startswith("stock.")]
    timed = all((_TIMES | {"seq"}) & fields for fields in stock)
    says = "each kind of stock does" if timed else "not each kind of stock does"
    notebook.promise("figures_timed", timed, says)
    notebook.promise("fulls_told", False, "a profile reads no parts of a snapshot")
    says = (
        "they come in any order, and numbers tell it"
        if profile.numbers
        else "times do not tell it for certain"
    )
    notebook.promise("order_told", profile.numbers, says)
    notebook.promise("reset_noticed", False, "no foreign source names an epoch")
    _silence(profile, notebook)
    notebook.promise("deletions_told", _tells_removals(profile), _deletions(profile, ""))
