"""Checking the credentials of a CONNECT."""

import hmac

from bridge.broker.authentication import Success
from bridge.broker.base import Directory
from bridge.broker.identity import Identity
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.broker.refused import Refused
from bridge.broker.session import Line
from bridge.broker.settings import MqttSettings
from bridge.broker.signature import looks_signed, signed_id
from bridge.model.clock import Clock
from bridge.model.device import DEFAULT_PROJECT, PROJECT, Device
from bridge.mqtt import Connect, ReasonCode


class Login:
    """In this order: a registered device with a secret of its own, a password made from one, or a certificate; an
    access token as password with its project as user name; the plug-ins, for clients that are neither; anonymous
    clients if the configuration allows them."""

    def __init__(self, directory: Directory, settings: MqttSettings, plugins: Plugins, clock: Clock) -> None:
        self._directory = directory
        self._settings = settings
        self._plugins = plugins
        self._clock = clock

    @property
    def waits(self) -> bool:
        """Whether `with_plugins` is needed after `known` found nobody."""
        return self._plugins.judge

    def known(self, connect: Connect, line: Line) -> Identity | None:
        """Who this is, as far as the directory and the settings tell. None: nobody. Raises Refused."""
        devices = self._named(connect, line)
        identity = self._device(devices, connect, line) or self._token(connect)
        if identity is None and devices:
            raise Refused(ReasonCode.BAD_USER_NAME_OR_PASSWORD, "wrong password")
        # [MQTT3-7.0.0-2]
        if identity is None and line.listener.allow_anonymous and connect.username is None and connect.password is None:
            return Identity(DEFAULT_PROJECT)
        return identity

    async def with_plugins(self, known: PluginSession) -> Identity | None:
        return Identity(DEFAULT_PROJECT) if await self._plugins.vote(known) else None

    def proved(self, success: Success, line: Line) -> Identity:
        """Who enhanced authentication has shown the client to be. Raises Refused."""
        named = self._directory.devices_called(success.username) if success.username else []
        device = next((device for device in named if device.project == success.project), None)
        if device is not None:
            self._check_admission(device, line)
        return Identity(success.project, device)

    def client_id(self, identity: Identity, given: str) -> str:
        """The identifier under which the session is kept: for a signed one the device's id, because the rest of it
        changes every hour.

        A device's id as client identifier belongs to that device: others could take over its connection. Raises
        Refused.
        """
        signed = signed_id(given)
        names = {given, signed.device_id} if signed else {given}
        if identity.device is not None and identity.device.device_id in names:
            return identity.device.device_id
        for name in names:
            if any(device.project == identity.project for device in self._directory.devices_called(name)):
                raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "the client identifier is another device's id")
        return given

    def _named(self, connect: Connect, line: Line) -> list[Device]:
        """The devices of all projects that this client may be. With a certificate it needs no user name."""
        name = connect.username
        if name is None and line.fingerprint:
            signed = signed_id(connect.client_id)
            name = signed.device_id if signed else connect.client_id
        return self._directory.devices_called(name) if name else []

    def _device(self, devices: list[Device], connect: Connect, line: Line) -> Identity | None:
        """The one among the devices of this name that this client proves to be."""
        found = next((device for device in devices if _shows_secret(device, connect.password)), None)
        if found is None and devices and line.fingerprint:
            found = next((device for device in devices if _shows_certificate(device, line.fingerprint)), None)
        if found is None and devices:
            found = self._signer(devices, connect)
        if found is None:
            return None
        self._check_admission(found, line)
        return Identity(found.project, found)

    def _signer(self, devices: list[Device], connect: Connect) -> Device | None:
        """The device whose secret made the password."""
        if not looks_signed(connect.client_id, devices[0].device_id):
            return None
        signed = signed_id(connect.client_id)
        if signed is None or signed.device_id != devices[0].device_id:
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "malformed client identifier")
        try:
            if signed.timed and signed.hours_off(self._clock()) > 1:
                raise Refused(ReasonCode.BAD_USER_NAME_OR_PASSWORD, "the timestamp is more than an hour off")
        except ValueError:
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "the timestamp is no time") from None
        password = connect.password or b""
        secrets = ((device, secret) for device in devices for secret in (device.secret, device.secondary_secret))
        return next((device for device, secret in secrets if secret and signed.opens(secret, password)), None)

    def _check_admission(self, device: Device, line: Line) -> None:
        """It is who it says; whether it may connect like this is another question."""
        if device.frozen:
            raise Refused(ReasonCode.BANNED, "the device is frozen")
        if device.carrier is not None:
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the device is behind a gateway")
        if device.secure_access and self._settings.encrypts and not line.secure:
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the device has to connect through TLS")

    def _token(self, connect: Connect) -> Identity | None:
        if not connect.username or not connect.password or not PROJECT.fullmatch(connect.username):
            return None
        try:
            token = connect.password.decode("ascii")
        except UnicodeDecodeError:
            return None
        if self._directory.principal(token) is None:
            return None
        identity = Identity(connect.username, unrestricted=True, token=token)
        if not self.still_opens(identity):
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the token does not open MQTT in this project")
        return identity

    def still_opens(self, identity: Identity) -> bool:
        """Whether the token of an admin opens MQTT in its project. Raises StoreUnavailable."""
        principal = self._directory.principal(identity.token)
        return principal is not None and principal.may("admin") and principal.may_enter(identity.project)


def _shows_secret(device: Device, password: bytes | None) -> bool:
    """The primary secret first, then the secondary. No secret is shown by no password."""
    return bool(password) and any(
        secret and hmac.compare_digest(secret.encode(), password or b"")
        for secret in (device.secret, device.secondary_secret)
    )


def _shows_certificate(device: Device, fingerprint: str) -> bool:
    return fingerprint in (device.fingerprint, device.secondary_fingerprint)
