"""The keys of commercetools' side: the project, its limits and how writes are paced. Reads nothing, decides nothing."""

from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Final

from archsyncd.config.addresses import Network, NetworkKind, TimeOfDay, Url
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, Flag, ListOf, Whole, Word

REGIONS: Final = (
    "europe-west1.gcp",
    "eu-central-1.aws",
    "us-central1.gcp",
    "us-east-2.aws",
    "australia-southeast1.gcp",
)


IN_FLIGHT_MOST: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CommercetoolsSettings:
    """The commercetools project."""

    project_key: str = field(
        metadata=key(
            Word("a project's key: 2 to 36 letters, digits, '_' or '-'", r"[A-Za-z0-9_-]{2,36}"),
            """The project's key. It is stored at the first start, and another project is refused from then on, so that
            a test configuration never writes into production.""",
            restart=True,
        ),
    )
    client_id: str = field(
        metadata=key(
            Word("the API client's id"),
            """The API client's id. Its secret is the credential commercetools-client-secret. `archsyncd check-config`
            lists scopes that are missing or too wide.""",
            restart=True,
        ),
    )
    region: str = field(
        default=REGIONS[0],
        metadata=key(
            Choice(REGIONS),
            "The region that hosts the project. `api_url` and `auth_url` win over it.",
            restart=True,
        ),
    )
    api_url: str = field(
        default="",
        metadata=key(
            Url(),
            "The API's address where it does not follow from the region: a private link, another cloud or a test.",
            restart=True,
        ),
    )
    auth_url: str = field(
        default="",
        metadata=key(Url(), "The address that gives tokens; stated together with `api_url`.", restart=True),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            "Certificates (PEM) that sign both addresses, behind a private link. Not stated: the system's.",
            restart=True,
        ),
    )
    allow_cidr: tuple[Network, ...] = field(
        default=(),
        metadata=key(
            ListOf(NetworkKind()),
            """Networks in which the addresses of the two hosts may lie besides public ones, for a private link. Empty
            accepts public addresses only, and this machine itself where a URL names it.""",
            restart=True,
        ),
    )
    restores_stock_on: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Choice(("cancel", "delete", "back_in_stock"))),
            """On which events commercetools itself gives an order's stock back. The vendor documents none:
            try it on a sandbox project.""",
            restart=True,
        ),
    )
    marker_type_key: str = field(
        default="archsyncd",
        metadata=key(
            Word("a type's key: 2 to 256 letters, digits, '_' or '-'", r"[A-Za-z0-9_-]{2,256}"),
            """The key of the custom type whose four fields mark every inventory entry that archsyncd writes. It is
            made at the first start when the scopes allow it.""",
            restart=True,
        ),
    )
    batch_token_cost: int = field(
        default=1,
        metadata=key(
            Whole(1, 1000), "How many requests one batch of writes counts as, against the rate limit."
        ),
    )
    inventory_mode: str = field(
        default="tracked",
        metadata=key(
            Choice(("tracked", "untracked")),
            """`tracked`: orders take their stock from the entry, and archsyncd writes increments that cannot erase
            them. `untracked`: every cart has inventory mode None and absolute figures are written; between an order
            and our learning of it there is a window in which the figure is too high, and the status says so. A database
            that has counted tracked orders refuses to start `untracked`, since every figure written would put these
            on sale again: to change over, move the database aside and let a new one read the open orders anew.""",
            restart=True,
        ),
    )
    create_missing_entries: bool = field(
        default=True,
        metadata=key(
            Flag(), "Make an inventory entry for a SKU whose product exists but which has none yet."
        ),
    )
    check_products: bool = field(
        default=True,
        metadata=key(
            Flag(),
            """Look SKUs up in the catalogue. One that no product has is set aside as an exception and released by
            itself when the product appears.""",
        ),
    )
    requests_per_second: int = field(
        default=50,
        metadata=key(
            Whole(1, 10_000),
            "The rate that is not exceeded, token requests and retries included. It falls by itself on 429 and 503.",
        ),
    )
    burst: int = field(
        default=100,
        metadata=key(Whole(1, 10_000), "How many requests may go at once after a quiet time."),
    )
    max_in_flight: int = field(
        default=16,
        metadata=key(
            Whole(1, IN_FLIGHT_MOST), "How many requests may wait for their answer at the same time."
        ),
    )
    write_batch: int = field(
        default=20,
        metadata=key(
            Whole(1, 500),
            "How many entries one request writes while a backlog waits; 1 writes every entry by itself.",
        ),
    )
    connect_timeout_seconds: int = field(
        default=5,
        metadata=key(
            Whole(1, 60),
            "How long a connection, its TLS handshake included, may take to open.",
            restart=True,
        ),
    )
    request_timeout_seconds: int = field(
        default=65,
        metadata=key(
            Whole(1, 300),
            """How long one request may take as a whole. The platform ends requests after 60 seconds itself; a shorter
            time here leaves more outcomes to be settled by reading back.""",
            restart=True,
        ),
    )

    @property
    def api_address(self) -> str:
        """The API's base address without a slash at its end."""
        return self.api_url or f"https://api.{self.region}.commercetools.com"

    @property
    def auth_address(self) -> str:
        """The base address for tokens without a slash at its end."""
        return self.auth_url or f"https://auth.{self.region}.commercetools.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSettings:
    """How wanted figures are written."""

    increase_interval_seconds: int = field(
        default=2,
        metadata=key(
            Whole(0, 3600),
            """Several increases of one entry within this time cost one write. Decreases never wait for it.""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Who may write, where two hosts could."""

    seconds: int = field(
        default=30,
        metadata=key(
            Whole(0, 3600),
            """How long one host's right to write lasts without renewal, kept in a Custom Object of the project. 0: only
            a lock file on this host guards against a second daemon.""",
            restart=True,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """Comparing what is published with what should be."""

    nightly_at: time = field(
        default=time(2, 30),
        metadata=key(
            TimeOfDay(),
            """When every night all inventory entries are compared with what they should show, in the host's time zone. One
            that was missed because the daemon did not run is made up for.""",
        ),
    )
    sample_keys_per_minute: int = field(
        default=60,
        metadata=key(
            Whole(0, 100_000),
            "How many entries are compared each minute all day long, as far as the rate limit has room; 0: none.",
        ),
    )
    settle_seconds: int = field(
        default=15,
        metadata=key(
            Whole(10, 3600),
            """How long a difference is left alone before it counts. The platform shows an order's effect on stock up
            to 10 seconds late, so less would take its lag for drift.""",
        ),
    )
    maximum_raises: int = field(
        default=20,
        metadata=key(
            Whole(0, 1_000_000),
            """How many entries that show too few are raised again within 24 hours without being asked. Beyond this and
            `maximum_raises_permille`, whichever is more, the rest waits for `archsyncctl reconcile --allow-raises`; what
            shows too much is always cut. With 0 in both, every such raise waits. A key that is ordered all the time rests on
            bounds that each read narrows, and is not counted.""",
        ),
    )
    maximum_raises_permille: int = field(
        default=5,
        metadata=key(
            Whole(0, 1000),
            "The same as a share of all keys, in thousandths: 5 of 1,000 keys are 0.5 %.",
        ),
    )
