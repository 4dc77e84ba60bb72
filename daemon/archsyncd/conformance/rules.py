"""The rules of `r247/1` that a source can be held against, by section of packaging/r247.md. Asks nobody."""

from __future__ import annotations

from typing import Final

from archsyncd.conformance.findings import Rule, Weight

RECORDS: Final = "Records"
PULL: Final = "Transport `pull`: HTTPS"
PUBSUB: Final = "Transport `pubsub`: Google Pub/Sub"
DEADLINE_LEAST_SECONDS: Final = 30
DROP: Final = "Transport `drop`: a directory"
ORDERS: Final = "Orders: the other direction"
_MUST, _SHOULD = Weight.MUST, Weight.SHOULD

# What every transport's records are held against.
RECORD_RULES: Final = (
    Rule(
        "records_readable",
        RECORDS,
        _MUST,
        "every record has its fields in the form that they must have",
        "each record that cannot be read is set aside as an exception, and its stock stays what it was",
    ),
    Rule(
        "known_types",
        RECORDS,
        _SHOULD,
        "every record is of a type of r247/1",
        "records of other types are set aside, and somebody has to dismiss them",
    ),
    Rule(
        "known_fields",
        RECORDS,
        _SHOULD,
        "no record carries fields that r247/1 does not know",
        "what such a field tells is ignored; a field that is only misspelt is as good as missing",
    ),
    Rule(
        "id_unique",
        RECORDS,
        _MUST,
        "no two records have the same id",
        "a record whose id was seen before can be taken for a repeat and passed over",
    ),
    Rule(
        "orders_included",
        RECORDS,
        _SHOULD,
        "levels say which orders they exclude (ordersIncluded or ordersThrough), or order.accepted records do",
        "a sold unit stays hidden from sale until an order look-up or a single-key read proves that Archean knows the order",
    ),
    Rule(
        "movement_balance",
        RECORDS,
        _SHOULD,
        "movements state the balance after them",
        "one missed movement makes a SKU wrong until it is read anew",
    ),
    Rule(
        "times_told",
        RECORDS,
        _SHOULD,
        "records say when they occurred",
        "how far the shop lags behind the warehouse cannot be shown",
    ),
)

PULL_RULES: Final = (
    Rule(
        "answers",
        PULL,
        _MUST,
        "every request is answered, whole, without an error of the server",
        "news waits until a request succeeds; a source that breaks often is behind for as long",
    ),
    Rule(
        "credential_taken",
        PULL,
        _MUST,
        "the credential is taken",
        "the feed is blind: nothing arrives until a person puts another credential in place",
    ),
    Rule(
        "auth_required",
        PULL,
        _SHOULD,
        "a request without the credential is refused",
        "anybody who reaches the address reads the stock, and what orders wait",
    ),
    Rule(
        "not_throttled",
        PULL,
        _MUST,
        "a reader that asks no faster than archsyncd is not turned away (429)",
        "each refusal delays decreases, which is the window in which the shop oversells",
    ),
    Rule(
        "prompt",
        PULL,
        _SHOULD,
        "an answer comes within 5 seconds, a long poll's wait aside",
        "each page delays those behind it, and a full reading takes hours",
    ),
    Rule(
        "page_readable",
        PULL,
        _MUST,
        "a page is an r247/1 page: schema, feed, epoch and items",
        "nothing of such a page can be used, and the feed stands still",
    ),
    Rule(
        "next_always",
        PULL,
        _MUST,
        "every page has `next`, an empty one as well",
        "without it a reader cannot go on, and the feed stands still",
    ),
    Rule(
        "next_followed",
        PULL,
        _MUST,
        "`next` is taken as the next request's cursor",
        "the feed stands still, or begins anew with a snapshot each time",
    ),
    Rule(
        "next_moves",
        PULL,
        _MUST,
        "`next` moves behind the records of its page",
        "the same page is read for ever, and what comes after it never arrives",
    ),
    Rule(
        "cursor_now",
        PULL,
        _MUST,
        "`cursor=now` gives no records and a `next` at the head",
        "a snapshot cannot be joined to the feed without reading all of it",
    ),
    Rule(
        "bad_cursor",
        PULL,
        _MUST,
        "a cursor that is none is refused with 400 `bad_cursor`",
        "a reader whose place is lost cannot tell; it may read from a wrong place",
    ),
    Rule(
        "expired_cursor",
        PULL,
        _SHOULD,
        "a cursor older than what is kept is refused with 410",
        "what was dropped is missed without a word, until a nightly comparison finds it",
    ),
    Rule(
        "retention",
        PULL,
        _MUST,
        "what was just handed out is kept: its cursor is not expired",
        "each pause of the reader costs a whole snapshot",
    ),
    Rule(
        "week_kept",
        PULL,
        _SHOULD,
        "seven days of records are kept",
        "a reader that was away for longer than what is kept needs a whole snapshot",
    ),
    Rule(
        "epoch_constant",
        PULL,
        _MUST,
        "feed and epoch stay what they are while the source is not reset",
        "each change of epoch costs a whole snapshot, and movements wait for it",
    ),
    Rule(
        "ascending_seq",
        PULL,
        _MUST,
        "records come in ascending `seq`",
        "a record behind a later one of its SKU is stale and is not applied",
    ),
    Rule(
        "seq_unique",
        PULL,
        _MUST,
        "no two records of an epoch have the same `seq`",
        "the second record of a `seq` is passed over, whatever it says",
    ),
    Rule(
        "repeatable_reads",
        PULL,
        _MUST,
        "what was told once is told again: pages of another size hold the same records",
        "records are missed without a word, until a nightly comparison finds them",
    ),
    Rule(
        "tail_stable",
        PULL,
        _MUST,
        "no `seq` is shown before every smaller one is committed or abandoned",
        "a record that appears behind the cursor is never read: its SKU stays wrong",
    ),
    Rule(
        "marks_told",
        PULL,
        _SHOULD,
        "a page tells `head` and `oldest`, and no record lies beyond `head`",
        "how far the reader is behind cannot be told to anybody",
    ),
    Rule(
        "more_told",
        PULL,
        _SHOULD,
        "`more` is true exactly while records wait",
        "a reader that is behind pauses between pages, or asks in vain without a pause",
    ),
    Rule(
        "long_poll",
        PULL,
        _SHOULD,
        "`wait` is honoured: the answer is held until there is news or the time is over",
        "decreases arrive later by up to a pause, or the source is asked more often than it need be",
    ),
    Rule(
        "stream_lines",
        PULL,
        _SHOULD,
        "asked for NDJSON it sends a record a line and ends with a cursor line, or answers with a page",
        "`stream = true` cannot be used: only a cursor line moves the checkpoint",
    ),
    Rule(
        "heartbeat",
        PULL,
        _SHOULD,
        "while nothing happens a heartbeat is told within each interval",
        "a feed that stands still looks like a quiet one: stock grows stale and nobody is told",
    ),
    Rule(
        "clock_skew",
        PULL,
        _SHOULD,
        "the source's clock is right to a minute",
        "ages and lags are shown wrongly, and proofs by time (ordersThrough) come late",
    ),
    Rule(
        "errors_told",
        PULL,
        _SHOULD,
        "an error is told as RFC 9457 says: application/problem+json with a code",
        "people see a status and not what is wrong",
    ),
    Rule(
        "locations_told",
        PULL,
        _SHOULD,
        "GET /v1/locations names every location that records speak of",
        "`check-config --online` cannot find a location that is missing from the mapping",
    ),
    Rule(
        "snapshot_offered",
        PULL,
        _MUST,
        "the whole stock can be read: POST /v1/snapshots or GET /v1/stock",
        "after a lost place or a reset the stock cannot be found again",
    ),
    Rule(
        "snapshot_readable",
        PULL,
        _MUST,
        "a page of a snapshot has epoch, seqAt and items that can be read",
        "the snapshot is rejected as a whole",
    ),
    Rule(
        "snapshot_complete",
        PULL,
        _MUST,
        'the last page says "complete":true, and no other does',
        "a snapshot that breaks off cannot be told from a whole one, and is rejected",
    ),
    Rule(
        "snapshot_one_moment",
        PULL,
        _MUST,
        "all pages are of one epoch and one seqAt",
        "figures of different moments are mixed: increases that never were, decreases that are missed",
    ),
    Rule(
        "snapshot_count",
        PULL,
        _MUST,
        "the trailer's `check.records` is the number of records",
        "the snapshot is rejected as a whole",
    ),
    Rule(
        "snapshot_sum",
        PULL,
        _MUST,
        "the trailer's `check.sumOnHand` is their sum, where it is told",
        "the snapshot is rejected as a whole",
    ),
    Rule(
        "snapshot_covers",
        PULL,
        _MUST,
        "every SKU and location that the feed tells of is in the snapshot",
        "a key that is missing keeps an old figure, and many of them hold the snapshot for a person",
    ),
    Rule(
        "snapshot_agrees",
        PULL,
        _MUST,
        "the snapshot shows what the feed told up to its seqAt",
        "the shop swings between two figures, and sells what is not there",
    ),
    Rule(
        "snapshot_cursor",
        PULL,
        _MUST,
        "reading on from the snapshot's cursor misses nothing after its seqAt",
        "what changed while the snapshot was taken is missed",
    ),
    Rule(
        "single_key",
        PULL,
        _MUST,
        "GET /v1/stock/{sku} shows what the snapshot shows, or something newer",
        "a SKU that is repaired alone gets a wrong figure",
    ),
    Rule(
        "order_lookup",
        ORDERS,
        _SHOULD,
        "GET /v1/orders/{id} of an unknown order is 404 with the code `unknown_order`",
        "a lost answer cannot be settled: the order is held for a person after one send",
    ),
)

DROP_RULES: Final = (
    Rule("folders", DROP, _MUST, "the directory has in/", "no file is found"),
    Rule(
        "file_names",
        DROP,
        _MUST,
        "files are called <feed>-<kind>-<file seq>-<time>.<ndjson|csv|json>[.gz]",
        "a file with another name is never read",
    ),
    Rule(
        "plain_files",
        DROP,
        _MUST,
        "files are plain ones of one name: no links",
        "a link is refused",
    ),
    Rule(
        "manifest_there",
        DROP,
        _MUST,
        "each file has its manifest <name>.done",
        "a file without one waits for it, and everything behind it as well",
    ),
    Rule(
        "manifest_readable",
        DROP,
        _MUST,
        "a manifest says what its file's name says, and which epoch it is of",
        "the file is refused",
    ),
    Rule(
        "manifest_agrees",
        DROP,
        _MUST,
        "the manifest's bytes, records and sha256 are the file's",
        "the file is refused as half-written or changed",
    ),
    Rule(
        "manifest_complete",
        DROP,
        _MUST,
        'no manifest says "complete":false',
        "the file is refused",
    ),
    Rule(
        "file_sequence",
        DROP,
        _MUST,
        "file numbers follow one another, each used once",
        "files behind a gap are held until the missing one or a full one comes",
    ),
    Rule(
        "content_readable",
        DROP,
        _MUST,
        "a file is whole: UTF-8, JSON or RFC 4180, gzip to its end, a header that names what is needed",
        "the file is refused as a whole",
    ),
    Rule(
        "content_once",
        DROP,
        _SHOULD,
        "no two files have the same content",
        "the second one is answered as a duplicate, without being read",
    ),
    Rule(
        "full_there",
        DROP,
        _SHOULD,
        "a full file lies there or was read",
        "what no delta speaks of stays unknown, and a gap cannot be closed",
    ),
    Rule(
        "full_locations",
        DROP,
        _SHOULD,
        "a full file's manifest names the locations that it covers",
        "what the file leaves out stays as it is, without a word",
    ),
)

PUBSUB_RULES: Final = (
    Rule(
        "subscription_there",
        PUBSUB,
        _MUST,
        "the subscription exists and belongs to a topic",
        "nothing arrives; archsyncd never makes one",
    ),
    Rule("no_push", PUBSUB, _MUST, "it is one to be pulled", "what is pushed elsewhere cannot be pulled"),
    Rule(
        "pull_allowed", PUBSUB, _MUST, "the account may pull from it", "nothing arrives, and a person is told"
    ),
    Rule(
        "dead_letter",
        PUBSUB,
        _SHOULD,
        "messages that are given back again and again go to a dead-letter topic",
        "a message that can never be stored is delivered for ever",
    ),
    Rule(
        "deadline",
        PUBSUB,
        _SHOULD,
        f"a delivery lasts {DEADLINE_LEAST_SECONDS} s or longer",
        "messages are delivered twice while the store is slow",
    ),
    Rule(
        "message_readable",
        PUBSUB,
        _MUST,
        "a message's data are JSON: a record, items, or a piece of a snapshot",
        "the message is set aside as an exception",
    ),
    Rule(
        "attributes_told",
        PUBSUB,
        _MUST,
        "each message tells schema, feed and epoch as attributes",
        "a message that cannot be read cannot be placed either, and none can be passed over unread",
    ),
)

EVERY: Final = (*RECORD_RULES, *PULL_RULES, *DROP_RULES, *PUBSUB_RULES)
