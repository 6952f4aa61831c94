"""Checking the credentials of a CONNECT."""

import hmac

from bridge.broker.base import Directory
from bridge.broker.identity import Identity
from bridge.broker.plugins import Plugins
from bridge.broker.settings import MqttSettings
from bridge.model.device import DEFAULT_PROJECT, PROJECT, Device
from bridge.mqtt import Connect, ReasonCode


class Refused(Exception):
    """The CONNECT is not accepted; `reason_code` goes into the CONNACK."""

    def __init__(self, reason_code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code


class Login:
    """In this order: a registered device with its secret; an access token as password with its project as user name;
    the plug-ins, for clients that are neither; anonymous clients if the configuration allows them."""

    def __init__(self, directory: Directory, settings: MqttSettings, plugins: Plugins) -> None:
        self._directory = directory
        self._settings = settings
        self._plugins = plugins

    @property
    def waits(self) -> bool:
        """Whether `with_plugins` is needed after `known` found nobody."""
        return self._plugins.judge

    def known(self, connect: Connect) -> Identity | None:
        """Who this is, as far as the directory and the settings tell. None: nobody. Raises Refused."""
        devices = self._directory.devices_called(connect.username) if connect.username else []
        identity = self._device(devices, connect) or self._token(connect)
        if identity is None and devices:
            raise Refused(ReasonCode.BAD_USER_NAME_OR_PASSWORD, "wrong password")
        if (
            identity is None
            and self._settings.allow_anonymous
            and connect.username is None
            and connect.password is None
        ):
            return Identity(DEFAULT_PROJECT)
        return identity

    async def with_plugins(self, connect: Connect, address: str) -> Identity | None:
        return Identity(DEFAULT_PROJECT) if await self._plugins.vote(connect, address) else None

    def check_client_id(self, identity: Identity, client_id: str) -> None:
        """A device's id as client identifier belongs to that device: others could take over its connection.
        Raises Refused."""
        if identity.device is not None and identity.device.device_id == client_id:
            return
        if any(device.project == identity.project for device in self._directory.devices_called(client_id)):
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "the client identifier is another device's id")

    def _device(self, devices: list[Device], connect: Connect) -> Identity | None:
        password = connect.password or b""
        for device in devices:
            if hmac.compare_digest(device.secret.encode(), password):
                if device.frozen:
                    raise Refused(ReasonCode.BANNED, "the device is frozen")
                return Identity(device.project, device)
        return None

    def _token(self, connect: Connect) -> Identity | None:
        if not connect.username or not connect.password or not PROJECT.fullmatch(connect.username):
            return None
        try:
            principal = self._directory.principal(connect.password.decode("ascii"))
        except UnicodeDecodeError:
            return None
        if principal is None:
            return None
        if not (principal.may("admin") and principal.may_enter(connect.username)):
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the token does not open MQTT in this project")
        return Identity(connect.username, unrestricted=True)
