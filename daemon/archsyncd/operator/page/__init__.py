"""The status page: what people see and do in a browser, and what probes read. A client of the verbs; reads nothing else."""

from archsyncd.operator.page.door import CONNECTION_SECONDS, CONNECTIONS, Doorman
from archsyncd.operator.page.listening import showing

__all__ = ["CONNECTIONS", "CONNECTION_SECONDS", "Doorman", "showing"]
