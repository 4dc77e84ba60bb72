"""What a simulated project is like; knows nothing of how it behaves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

SCOPES = (
    "manage_products",
    "view_channels",
    "manage_orders",
    "view_messages",
    "manage_types",
    "manage_key_value_documents",
    "view_project_settings",
)
INVENTORY_MODES = ("None", "TrackOnly", "ReserveOnOrder", "ReserveOnCart")


class RetryAfter(StrEnum):
    """The forms in which a throttled answer may say when to come back."""

    NONE = "none"
    SECONDS = "seconds"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """An OAuth client of the project; scopes without the project key."""

    client_id: str = "archsyncd"
    secret: str = field(default="simulator-secret", repr=False)
    scopes: tuple[str, ...] = SCOPES


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """One simulated project: who may call it, how late it shows things, what it refuses.

    Lags are upper bounds in seconds; each effect draws its own between zero and the bound.
    """

    project_key: str = "demo"
    clients: tuple[ApiClient, ...] = (ApiClient(),)
    token_lifetime_seconds: int = 172_800
    inventory_mode: str = "ReserveOnOrder"
    restores_stock_on: frozenset[str] = frozenset()
    stock_lag_seconds: float = 10.0
    order_effect_raises_version: bool = True
    order_effect_drops_marker: bool = False
    restockable_sells_without_stock: bool = True
    stale_version_refused_without_change: bool = True
    import_needs_product: bool = False
    largest_version_step: int = 1
    order_list_lag_seconds: float = 0.0
    messages_enabled: bool = True
    inventory_messages: bool = True
    message_lag_seconds: float = 0.0
    message_duplicates: float = 0.0
    message_losses: float = 0.0
    message_retention_days: int = 15
    graphql_enabled: bool = True
    graphql_complexity_limit: int = 20_000
    requests_per_second: float | None = None
    burst: int = 100
    max_in_flight: int | None = None
    retry_after: RetryAfter = RetryAfter.NONE
    retry_after_seconds: int = 1
    latency_seconds: float = 0.0
    journal: bool = True
    locale: str = "en"

    def __post_init__(self) -> None:
        _known({self.inventory_mode}, INVENTORY_MODES, "inventory_mode")
        _known(self.restores_stock_on, ("cancel", "delete", "edit", "back_in_stock"), "restores_stock_on")


def _known(given: Iterable[str], allowed: tuple[str, ...], name: str) -> None:
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise ValueError(f"{name}: unknown {unknown}, known are {list(allowed)}")
