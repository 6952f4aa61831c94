"""The outbound engine: accept, send, acknowledge, expire, cancel. The only code that moves a message's state."""

from bridge.delivery.delivery import Delivery
from bridge.delivery.replies import Replies
from bridge.delivery.settings import DeliverySettings

__all__ = ["Delivery", "DeliverySettings", "Replies"]
