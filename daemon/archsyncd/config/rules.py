"""The keys of the trade's rules: going live, guards, orders, fulfilment, health. Reads nothing, decides nothing.

Rules: r247/1 (feeds), section 7; orders; stock-ledger, "When is a line reflected?".
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from archsyncd.config.addresses import Moment, Reflection, ReflectionKind
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, Flag, ListOf, Table, Whole, Word
from archsyncd.config.sources import ANY_SUBSCRIPTION, FEED_NAME

_PERCENT: Final = Whole(0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """Going live in steps that are recorded and can be taken back."""

    stage: str = field(
        default="all",
        metadata=key(
            Choice(("plan", "allow-list", "all")),
            """`plan` writes nothing and shows what would be written. `allow-list` writes the SKUs of `skus_file` only.
            `all` writes everything.""",
        ),
    )
    skus_file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            "The SKUs that stage `allow-list` writes: one a line, UTF-8, lines that begin with # are left out.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """Beyond these limits a full batch is held until a person approves it; smaller changes go on meanwhile."""

    minimum_records_percent: int = field(
        default=80,
        metadata=key(
            _PERCENT, "A batch with fewer records than this share of the last accepted one is held."
        ),
    )
    maximum_to_zero_percent: int = field(
        default=30,
        metadata=key(
            _PERCENT, "A batch that would take more than this share of the SKUs in stock to zero is held."
        ),
    )
    maximum_changed_percent: int = field(
        default=50,
        metadata=key(
            _PERCENT, "A batch that would change more than this share of the published figures is held."
        ),
    )
    maximum_unmapped_percent: int = field(
        default=5,
        metadata=key(
            _PERCENT, "A batch with more than this share of records from unmapped locations is held."
        ),
    )
    absent: str = field(
        default="report",
        metadata=key(
            Choice(("report", "zero", "keep")),
            """What a SKU means that a complete batch does not mention. `report` keeps its figure and lists it, `keep`
            keeps it silently, `zero` takes it to zero (within the limits above).""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibleSettings:
    """Which orders may be handed over; all of them count in the ledger from the moment they are learnt."""

    order_state: tuple[str, ...] = field(
        default=("Open", "Confirmed"),
        metadata=key(
            ListOf(Choice(("Open", "Confirmed", "Complete")), least=1),
            "The order states in which an order may be handed over.",
        ),
    )
    payment_state: tuple[str, ...] = field(
        default=("Paid", "absent"),
        metadata=key(
            ListOf(Choice(("BalanceDue", "Failed", "Pending", "CreditOwed", "Paid", "absent")), least=1),
            "The payment states in which an order may be handed over; `absent` is an order without one.",
        ),
    )
    store: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Word("a store's key, or absent", r"[A-Za-z0-9_-]{2,256}")),
            "The stores whose orders may be handed over; `absent` is an order without one. Empty: every store's.",
        ),
    )
    custom_field: str = field(
        default="",
        metadata=key(
            Word("the name of a custom field", r"[A-Za-z0-9_-]{2,36}", empty=True),
            """A custom field of the order that says whether it may be handed over (a fraud check's result, say); "" asks for
            none.""",
        ),
    )
    custom_values: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Word("a value, or absent")),
            """The values of `custom_field` with which an order may be handed over, as text (`true`, `7`); `absent` is an order
            without the field.""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSettings:
    """How commercetools' orders are learnt and proven."""

    mode: str = field(
        default="observe",
        metadata=key(
            Choice(("observe", "hand-over", "off")),
            """`hand-over`: archsyncd gives orders to Archean, and tells commercetools of their dispatch. `observe`: another
            system does both; archsyncd reads the orders and counts them, which the ledger needs. `off` learns none, so that
            Archean's figures are published as they are; orders learnt before count until they are proven. Accepted in
            untracked mode only.""",
            restart=True,
        ),
    )
    reflection: Reflection = field(
        default=Reflection(),
        metadata=key(
            ReflectionKind(),
            """When Archean's figure counts as excluding an order. `proof`: when Archean shows it. `accepted+SECONDS`:
            so long after the acceptance, for sites that can show nothing; this assumes that no level captured later
            still contains the order.""",
        ),
    )
    unproven_minutes: int = field(
        default=60,
        metadata=key(
            Whole(1, 43_200),
            "An order line without proof for so long becomes an exception: until then it only undersells.",
        ),
    )
    history_days: int = field(
        default=90,
        metadata=key(
            Whole(1, 3650),
            """How far the first start reads orders back, which later changes do not move. Orders that are still open are
            read whatever their age. Done ones (Complete, Cancelled, shipped) that are older count as excluded from
            Archean's figures; younger ones are held back until that is proven, or covered by `reflected_before`.""",
        ),
    )
    reflected_before: datetime | None = field(
        default=None,
        metadata=key(
            Moment(),
            """The site's own statement for going live: orders created before this moment are already excluded from
            Archean's figures. "" states nothing. A wrong statement oversells.""",
        ),
    )
    poll_seconds: int = field(
        default=2,
        metadata=key(Whole(1, 3600), "How often commercetools is asked for new order messages."),
    )
    settle_seconds: int = field(
        default=60,
        metadata=key(
            Whole(10, 3600),
            "How far behind the platform's clock the complete reading of messages stays, as late ones may appear.",
        ),
    )
    eligible: EligibleSettings = field(
        default_factory=EligibleSettings,
        metadata=key(Table(EligibleSettings), "Which orders may be handed over."),
    )
    hand_over_to: str = field(
        default="main",
        metadata=key(
            FEED_NAME,
            """The feed whose source takes orders and is asked for them as a proof. Not stated, and no feed called main:
            the only feed, if there is just one.""",
            restart=True,
        ),
    )
    sync_channel: str = field(
        default="",
        metadata=key(
            Word("a channel's key (role OrderExport)", r"[A-Za-z0-9_-]{2,256}", empty=True),
            """The channel under which Archean's order number is noted on the order; "" notes nothing, and the journal
            says so at the start.""",
        ),
    )
    default_location: str = field(
        default="",
        metadata=key(
            Word("the name of a location of this file", empty=True, most_characters=128),
            """The location that fulfils order lines without a supply channel; "" makes such a line an exception.""",
        ),
    )
    duplicate_protection: str = field(
        default="key",
        metadata=key(
            Choice(("key", "lookup", "none")),
            """How the source keeps an order from being made twice: by our `key`, by a `lookup` before a repeat, or not
            at all; with `none` an order in doubt waits for a person.""",
            restart=True,
        ),
    )
    not_goods: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Word("a SKU, with * and ? for what differs", most_characters=256)),
            """SKUs that no warehouse ships (downloads, gift cards), with `*` and `?` as in file names: such lines are neither
            counted nor handed over, and an order is shipped without them. In mode `hand-over` only; custom line items never
            are goods.""",
            restart=True,
        ),
    )
    stalled_minutes: int = field(
        default=30,
        metadata=key(
            Whole(1, 43_200),
            """An order that could go and is not with Archean so long after it was placed becomes an exception, and so does a
            dispatch that is not booked and acknowledged; an order that waits by `eligible` after a day.""",
        ),
    )
    notifications: str = field(
        default="",
        metadata=key(
            ANY_SUBSCRIPTION,
            """A Google Pub/Sub subscription to which a commercetools Subscription delivers order messages: orders are then
            learnt at once and not at the next poll, which goes on beside it. Nothing that a notification says is believed
            but which order to read. The credential orders-notifications is a service account's key file; without one the
            account of the machine is used. "" uses none.""",
            restart=True,
        ),
    )
    notifications_emulator: str = field(
        default="",
        metadata=key(
            Word("HOST:PORT", r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}", empty=True),
            "The address of a Pub/Sub emulator on this machine for `notifications`, which wants no credential; for tests.",
            restart=True,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilmentSettings:
    """What warehouse work does to orders."""

    short: str = field(
        default="hold",
        metadata=key(
            Choice(("hold", "close")),
            "A line that the warehouse picked short stays open for a person (`hold`) or is closed short (`close`).",
        ),
    )
    ready_state: bool = field(
        default=False,
        metadata=key(
            Flag(),
            "Whether picked or packed goods set the shipment state Ready. Shipped always needs a confirmed dispatch.",
        ),
    )
    unknown_minutes: int = field(
        default=30,
        metadata=key(
            Whole(1, 43_200),
            "A dispatch or return whose order is not known by then becomes an exception; it is booked when the order appears.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """When silence becomes dangerous."""

    fail_closed_minutes: int = field(
        default=0,
        metadata=key(
            Whole(0, 10_080),
            """A location whose feed is critical for so long is withheld from the offer, as store sales would go
            unnoticed; 0 never withholds.""",
        ),
    )
    quiet_minutes: int = field(
        default=1440,
        metadata=key(
            Whole(0, 43_200),
            """A location that was told no level for so long, though its feed gives signs of life, makes the status degraded:
            what reads its changes may stand still. Never before five intervals of its feed; 0 never does.""",
        ),
    )
    decrease_late_seconds: int = field(
        default=60,
        metadata=key(
            Whole(1, 86_400),
            "A decrease, or a write of unknown outcome, that waits longer makes the status degraded.",
        ),
    )
    decrease_critical_seconds: int = field(
        default=300,
        metadata=key(
            Whole(1, 86_400),
            "A decrease, or a write of unknown outcome, that waits longer makes the status critical.",
        ),
    )
    orders_late_seconds: int = field(
        default=120,
        metadata=key(
            Whole(1, 86_400),
            """Archean takes no order, cancellation or word of a booking for so long, or commercetools no dispatch, though some
            wait: the status is degraded.""",
        ),
    )
    orders_critical_seconds: int = field(
        default=600,
        metadata=key(Whole(1, 86_400), "The same for longer than this makes the status critical."),
    )
    oversell_seconds: int = field(
        default=300,
        metadata=key(
            Whole(0, 86_400),
            """A key of which more pieces are ordered than Archean says are there becomes the exception suspected_oversell after
            so long; sooner, an order may only be on its way into Archean's figures.""",
        ),
    )
    unknown_skus_percent: int = field(
        default=5,
        metadata=key(
            Whole(0, 100),
            "When more than this share of all keys has no product in commercetools the status is critical; 0 never.",
        ),
    )
    drift_percent: int = field(
        default=1,
        metadata=key(
            Whole(0, 100),
            "When more than this share of all keys was changed by others the status is critical; 0 never.",
        ),
    )
    saturated_percent: int = field(
        default=90,
        metadata=key(
            Whole(0, 100),
            """When requests to commercetools were scarce for this share of the last five minutes the status is degraded;
            0 never.""",
        ),
    )
    free_mebibytes: int = field(
        default=512,
        metadata=key(
            Whole(0, 1_048_576),
            """With less room for the database the status is degraded. Below 64 MiB nothing more is read from Archean, and it is
            critical.""",
        ),
    )
