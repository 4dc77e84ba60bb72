"""A simulated Google Pub/Sub: what the emulator cannot do, such as losing acknowledgements, is switched on here."""

from archsyncd.simulators.pubsub.broker import Broker, Switches
from archsyncd.simulators.pubsub.server import serve

__all__ = ["Broker", "Switches", "serve"]
