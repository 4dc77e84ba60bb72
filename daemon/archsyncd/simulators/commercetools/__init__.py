"""A faithful commercetools project for tests and the demo: state engine, API, faults and a judge's journal."""

from archsyncd.simulators.commercetools.clock import Clock, HandClock, SystemClock
from archsyncd.simulators.commercetools.config import SCOPES, ApiClient, RetryAfter, SimulatorConfig
from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.exchange import LostConnectionError
from archsyncd.simulators.commercetools.faults import Fault, FaultKind, Faults
from archsyncd.simulators.commercetools.http import application, serve
from archsyncd.simulators.commercetools.journal import Admission, OrderEvent, StockLine
from archsyncd.simulators.commercetools.order_documents import OrderLine, Purchase
from archsyncd.simulators.commercetools.simulator import CommercetoolsSimulator

__all__ = [
    "SCOPES",
    "Admission",
    "ApiClient",
    "ApiError",
    "Clock",
    "CommercetoolsSimulator",
    "Fault",
    "FaultKind",
    "Faults",
    "HandClock",
    "LostConnectionError",
    "OrderEvent",
    "OrderLine",
    "Purchase",
    "RetryAfter",
    "SimulatorConfig",
    "StockLine",
    "SystemClock",
    "application",
    "serve",
]
