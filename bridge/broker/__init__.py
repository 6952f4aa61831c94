"""MQTT as the rest sees it: amqtt as the shell, our own connection engine inside."""

from bridge.broker.broker import MqttBroker
from bridge.broker.settings import MqttSettings

__all__ = ["MqttBroker", "MqttSettings"]
