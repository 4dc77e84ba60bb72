"""What the codes in receipts, in error files and beside exceptions mean: why a record or a file was not used.

One line a code: what it means, and what to do first. All else is the same for every record, and for every file.
"""

from __future__ import annotations

from archsyncd.domain.explained.shape import Explained, Severity

_CORRECT = "Correct it in Archean or in its export, and have the record sent again: of files in one with a later number."
_PROFILE = (
    "Correct the mapping profile, restart, and have the data written again into a file with a later number."
)
_FRACTION = (
    "Correct the record in Archean. Fractions are read in units with a factor only: in a profile give the quantity unit and "
    "factors; in r247/1 tell uom and name its factor in [units]."
)
_UNIT = (
    "Add the unit: to factors in the profile, then restart; or to [units], then reload. Then have the data come again, in a file "
    "of a later number: what was set aside is not read again, and retry cannot."
)
_WRITE = "Have the file written again as r247.md says, with the same number where the feed waits for it."

_FULL = "Nothing where the source answers single-key reads; else have a level of the SKU sent, or a full."
_RECORDS = {
    "above_maximum": (
        "The level is above the maximum of its channel.",
        "Check the figure in Archean: `archsyncctl exceptions retry ID` applies it as it is.",
    ),
    "absent": (
        "A full does not name a SKU that it covers.",
        "Look in Archean whether the SKU is still kept; send a level of it.",
    ),
    "ambiguous_time": (
        "A time without an offset stands twice, in the hour that is repeated in autumn.",
        _CORRECT,
    ),
    "bare_movement": (
        "A movement comes by a way that promises no order, without the balance after it.",
        _CORRECT,
    ),
    "contradiction": (
        "A value says something else than the name of its file, or than another value.",
        _CORRECT,
    ),
    "control_character": ("A text has a control character in it.", _CORRECT),
    "duplicate_key": ("A JSON object states the same name twice.", _CORRECT),
    "empty": ("A value that is needed is empty.", _CORRECT),
    "figure_not_stated": (
        "The record does not state the figure that its location sells by, or leaves its range.",
        _CORRECT,
    ),
    "level_of_a_kit": (
        "A level is told of a SKU that [kits] makes of others.",
        "Leave it: kits are computed from their components. Or take the kit out of [kits] and reload.",
    ),
    "line_too_long": ("A line is longer than any record may be.", _CORRECT),
    "missing": ("A value that is needed is not stated.", _CORRECT),
    "no_baseline": ("A movement came of a SKU whose level is not known in this epoch.", _FULL),
    "no_epoch": ("Nothing says of which epoch the message is.", _CORRECT),
    "no_quantity": ("A level states neither onHand nor available.", _CORRECT),
    "not_base64": ("What should be base64 is none.", _CORRECT),
    "not_a_flag": ("The value must be true or false.", _CORRECT),
    "not_a_list": ("The value must be a list.", _CORRECT),
    "not_a_sequence": ("A seq must be a decimal text.", _CORRECT),
    "not_a_sum": ("A sum must be a decimal text.", _CORRECT),
    "not_a_text": ("The value must be a text.", _CORRECT),
    "not_a_time": (
        "The value is no time as it was agreed: RFC 3339, or the form that the profile tells.",
        _CORRECT,
    ),
    "not_a_value": ("The place holds no single value, such as an object where a text is needed.", _CORRECT),
    "not_an_integer": (
        "A quantity is no whole number, or no number in the profile's notation.",
        _FRACTION,
    ),
    "not_an_object": ("A record must be an object.", _CORRECT),
    "not_gzip": ("What should be compressed is no gzip.", _CORRECT),
    "not_json": ("The record is no JSON.", _CORRECT),
    "other_feed": (
        "Another feed told of the SKU last, and the record does not say when its figures were taken.",
        "Have both feeds state asOf with each level.",
    ),
    "out_of_range": ("A number is outside of what is allowed.", _CORRECT),
    "reader_failed": ("The mapping profile met something that it cannot read.", _PROFILE),
    "skipped_time": ("A time without an offset never was, in the hour that is left out in spring.", _CORRECT),
    "too_deep": ("Values lie deeper in each other than is allowed.", _CORRECT),
    "too_large": ("The message is larger than is allowed.", _CORRECT),
    "too_long": ("A text or a list is longer than is allowed.", _CORRECT),
    "too_many": ("There are more entries than is allowed.", _CORRECT),
    "retired_epoch": (
        "The source goes on in an epoch that it had left.",
        "Have a restored source begin an epoch of a new name.",
    ),
    "time_ahead": (
        "Figures were taken at times that are still to come.",
        "Look at the clock of the source and of this host, and at the zone in which the profile reads times.",
    ),
    "unfinished_full": ("Parts of a full did not all come in time.", "Have the full sent again."),
    "unit_not_stated": ("A SKU that was told in a unit with a factor before comes without one.", _CORRECT),
    "unknown_encoding": ("The message is compressed in a way that was not agreed.", _CORRECT),
    "unknown_schema": ("The message says that it is of another contract than r247/1.", _CORRECT),
    "unknown_type": ("The type of the record is none of r247/1.", _CORRECT),
    "unordered": ("A movement came by a way that promises no order, without the balance after it.", _FULL),
    "unknown_unit": (
        "Nobody has said how many pieces of the SKU one of this unit is.",
        _UNIT,
    ),
    "unknown_value": ("The value is none of those that were agreed.", _CORRECT),
    "wrong_columns": ("A row has more or fewer fields than the header has columns.", _CORRECT),
}
_FILES = {
    "bad_content": (
        "The file cannot be read, or is not what its manifest says: nothing of it is used.",
        _WRITE,
    ),
    "bad_manifest": ("The manifest of the file cannot be read, or contradicts its name.", _WRITE),
    "changed_content": (
        "A part of the file was applied before, and it has other content now.",
        "Put the file into in/ as it was at first, or a full of the feed.",
    ),
    "hard_link": ("The file has a second name, so its writer may still change it.", _WRITE),
    "missing_file": (
        "Files are read by their numbers, and one of them never came.",
        "Put it into in/, or a full of this feed; look whether it lies in error/ or never left its writer.",
    ),
    "broken_full": ("The full is cut off, or its own counts contradict it: nothing of it is used.", _WRITE),
    "not_a_digest": ("The sha256 of a manifest must be 64 hexadecimal digits.", _WRITE),
    "not_a_plain_file": ("What lies under a file's name is a link, a folder or a device.", _WRITE),
    "rejected": ("None of the file's records could be used.", "Look at the errors in its receipt."),
    "snapshot_held": (
        "The full would change more than [guards] allow, and waits for a person.",
        "Look at `archsyncctl snapshot list`, then approve or reject it; the receipt is renewed then.",
    ),
    "snapshot_rejected": (
        "The full was broken, or a person rejected it, or a newer one took its place.",
        _WRITE,
    ),
    "stale_file": (
        "The file came after later ones were read, or after one of the same name.",
        "Have what it says written again, with a later number or time in its name. A name that was read is not read again.",
    ),
    "wrong_size": ("The file has another size than its manifest says.", _WRITE),
}

RECORD_CODES = tuple(
    Explained(
        code=code,
        severity=Severity.WARNING,
        owner="data",
        meaning=meaning,
        impact="The published quantity stays as it was, and may be wrong by what the record would have said.",
        by_itself="Sets the record aside as an exception, and goes on with the others.",
        look=("archsyncctl exceptions list --kind invalid_record",),
        next_step=next_step,
        closes="Over when a newer record of the same SKU and location is applied.",
    )
    for code, (meaning, next_step) in _RECORDS.items()
)
FILE_CODES = tuple(
    Explained(
        code=code,
        severity=Severity.WARNING,
        owner="data",
        meaning=meaning,
        impact="Published quantities stay as they were, and may be wrong by what the file would have said.",
        by_itself="Tells it in the file's receipt and, where it was refused, beside it in error/ and as an exception.",
        look=(
            "archsyncctl exceptions list --kind refused_file",
            "archsyncctl exceptions list --kind awaited_file",
        ),
        next_step=next_step,
        closes="Over when the corrected file, or a later one of its kind, is applied.",
    )
    for code, (meaning, next_step) in _FILES.items()
)
