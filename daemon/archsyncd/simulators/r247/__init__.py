"""Archean R247, simulated after the r247/1 contract: a warehouse, its feed, its order desk, its faults and a judge."""

from archsyncd.simulators.r247.admin import Admin
from archsyncd.simulators.r247.config import Auth, Clock, Movements, R247Config, Reflection
from archsyncd.simulators.r247.exchange import Answer, Asked
from archsyncd.simulators.r247.faults import POISONS, Fault, FaultKind, Script
from archsyncd.simulators.r247.held import AskedLine, AskedOrder, OrderStatus
from archsyncd.simulators.r247.judge import Commitment, Judge, PoolVerdict, Verdict
from archsyncd.simulators.r247.server import application, serve
from archsyncd.simulators.r247.simulator import R247Simulator
from archsyncd.simulators.r247.stockroom import Refused
from archsyncd.simulators.r247.warehouse import Warehouse

__all__ = [
    "POISONS",
    "Admin",
    "Answer",
    "Asked",
    "AskedLine",
    "AskedOrder",
    "Auth",
    "Clock",
    "Commitment",
    "Fault",
    "FaultKind",
    "Judge",
    "Movements",
    "OrderStatus",
    "PoolVerdict",
    "R247Config",
    "R247Simulator",
    "Reflection",
    "Refused",
    "Script",
    "Verdict",
    "Warehouse",
    "application",
    "serve",
]
