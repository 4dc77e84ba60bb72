"""Names of the faults of a simulated source and what each does, for help and completion. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Final

SLOW_SECONDS: Final = 6.0
LATE_SECONDS: Final = 2.0

FAULTS: Final[Mapping[str, str]] = {
    "duplicate": "every record of a page stands twice",
    "reorder": "the records of a page are shuffled",
    "gap": "a record in the middle of each page is left out",
    "late": f"a record is shown {LATE_SECONDS:.0f} s after one with a larger seq",
    "repeat": "`next` does not move behind the records of its page",
    "foreign-next": "`next` is an address at another host",
    "410": "every cursor has expired",
    "epoch": "the feed says that its epoch has changed",
    "frozen": "nothing newer is shown, though the warehouse goes on",
    "slow": f"each answer waits {SLOW_SECONDS:.0f} s",
    "429": "each request is turned away with Retry-After: 1",
    "503": "each request is answered with 503",
    "half-body": "the connection breaks in the middle of each answer",
    "garbage": "a page is HTML",
    "redirect": "each request is sent to another host",
    "truncated-full": "a snapshot ends in the middle",
    "no-trailer": "a snapshot's last page has no `check`",
    "empty-full": "a snapshot of nothing, complete by its own word",
    "miscount": "a snapshot's `check.records` is wrong",
    "missum": "a snapshot's `check.sumOnHand` is wrong",
    "lacks-keys": "a snapshot lacks a SKU, its check figures fitting",
    "half-file": "the next file is half written, without a manifest",
    "truncated-file": "the next file lacks a third of its bytes",
    "wrong-hash": "the next file's manifest has another sha256",
    "miscount-file": "the next file's manifest counts one record more",
    "no-manifest": "the next file has no manifest",
    "incomplete-file": 'the next file\'s manifest says "complete":false',
    "gap-file": "the next file is withheld, those behind it come",
}
