"""An authentication method for tests: the server says `who?`, the client its pin, the server `welcome`."""

from typing import Any

from amqtt.broker import BrokerContext
from amqtt.plugins.base import BasePlugin

from bridge.broker.authentication import Continue, Failure, Success

METHOD = "PIN"
PIN = b"1234"


class Pin(BasePlugin[BrokerContext]):
    authentication_method = METHOD

    def start(self, session: Any) -> "PinExchange":
        return PinExchange()


class PinExchange:
    async def step(self, data: bytes | None) -> Continue | Success | Failure:
        if not data:
            return Continue(b"who?")
        if data == PIN:
            return Success("anna", b"welcome")
        return Failure()
