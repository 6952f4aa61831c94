"""SCRAM-SHA-256 as a plug-in, with a library that knows it, and the client's side of it."""

from dataclasses import dataclass, field
from typing import Any

from amqtt.broker import BrokerContext
from amqtt.plugins.base import BasePlugin
from amqtt.session import Session
from scramp import ScramClient, ScramException, ScramMechanism

from bridge.broker.authentication import Continue, Failure, Success
from bridge.mqtt import Auth, Properties, ReasonCode

METHOD = "SCRAM-SHA-256"
PATH = f"{__name__}.ScramPlugin"


class ScramPlugin(BasePlugin[BrokerContext]):
    authentication_method = METHOD

    @dataclass
    class Config:
        users: dict[str, str] = field(default_factory=dict)
        """Passwords by user name; salted and hashed when the plug-in is loaded."""

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        self._mechanism = ScramMechanism(METHOD)
        users = self.config.users
        self._verifiers = {user: self._mechanism.make_auth_info(users[user]) for user in users}

    def start(self, session: Session) -> "ScramExchange":
        return ScramExchange(self._mechanism, self._verifiers)


class ScramExchange:
    """Client first, server first; client final, server final."""

    def __init__(self, mechanism: ScramMechanism, verifiers: dict[str, Any]) -> None:
        self._server = mechanism.make_server(self._verifier)
        self._verifiers = verifiers
        self._user = ""
        self._challenged = False

    def _verifier(self, user: str) -> Any:
        self._user = user
        return self._verifiers.get(user)

    async def step(self, data: bytes | None) -> Continue | Success | Failure:
        try:
            message = (data or b"").decode()
            if not self._challenged:
                self._server.set_client_first(message)
                self._challenged = True
                return Continue(self._server.get_server_first().encode())
            self._server.set_client_final(message)
            return Success(self._user, self._server.get_server_final().encode())
        except (ScramException, UnicodeDecodeError) as error:
            return Failure(f"SCRAM: {error}")


class ScramUser:
    """The client's side: what goes into CONNECT and AUTH, and whether the server knew the password, too."""

    def __init__(self, user: str, password: str) -> None:
        self._client = ScramClient([METHOD], user, password)

    def first(self) -> Properties:
        return proof(self._client.get_client_first().encode())

    def answer(self, challenge: Auth) -> Auth:
        assert challenge.reason_code == ReasonCode.CONTINUE_AUTHENTICATION  # [MQTT-4.12.0-2]
        assert challenge.properties["authentication_method"] == METHOD
        self._client.set_server_first(challenge.properties["authentication_data"].decode())
        return Auth(ReasonCode.CONTINUE_AUTHENTICATION, proof(self._client.get_client_final().encode()))

    def check(self, properties: Properties) -> None:
        """Of the packet that ends the exchange. Raises ScramException when the server did not know the password."""
        assert properties["authentication_method"] == METHOD  # [MQTT-4.12.0-5]
        self._client.set_server_final(properties["authentication_data"].decode())


def proof(data: bytes | None, method: str = METHOD) -> Properties:
    properties = Properties(authentication_method=method)
    if data is not None:
        properties["authentication_data"] = data
    return properties
