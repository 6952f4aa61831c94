"""One registered device, from both of its sides: the applications that send to it, and the connections it opens."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

from bridge.model.device import DEFAULT_PROJECT
from bridge.mqtt import Properties, Version
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login
from tests.acceptance.http_api import Answer, Api
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.waiting import eventually

SECRET = "a-good-secret"
_NUMBER = itertools.count(1)
KEPT: dict[str, object] = {"SessionExpiryInterval": 3600}
"""With `clean=False`: a session that outlives its connection."""


NOBODY = Login(None, None, "nobody")


class Account:
    """Everything it opens is closed with `closing`."""

    def __init__(
        self,
        daemon: Daemon,
        closing: ExitStack,
        device_id: str | None = None,
        *,
        secret: str = SECRET,
        project: str = DEFAULT_PROJECT,
    ) -> None:
        """Registers the device."""
        self.daemon = daemon
        self.id = device_id or f"pump-{next(_NUMBER)}"
        self.tree = f"$oc/devices/{self.id}"
        self.inbox = f"{self.tree}/sys/messages/down"
        self.login = Login(self.id, secret, self.id)
        self._project = project
        self._closing = closing
        self._api: Api | None = None
        with daemon.admin() as admin:
            admin.add_device(project, self.id, secret)

    @property
    def api(self) -> Api:
        """Made anew after `daemon_restarted`."""
        if self._api is None:
            self._api = self._closing.enter_context(self.daemon.api(project=self._project))
        return self._api

    def freeze(self, frozen: bool = True) -> None:
        """Returns when the daemon knows: it tells by refusing the next login, or by not doing so any more."""
        with self.daemon.admin() as admin:
            admin.set_frozen(self._project, self.id, frozen=frozen)
        eventually(lambda: self._refused_as_frozen() is frozen)

    def _refused_as_frozen(self) -> bool:
        device = RawDevice(self.daemon.mqtt, self.login)
        code = device.try_connect().reason_code
        device.close()
        assert code in (0, 0x8A), f"{code:#x}"
        return code == 0x8A

    def daemon_restarted(self) -> None:
        self._api = None

    # The device

    def connect(self, version: Version = Version.V5, *, client_id: str | None = None, **options: Any) -> Device:
        """With paho; `options` are those of `Device`."""
        device = self.device(version, client_id=client_id, **options)
        return device.connect()

    def connect_kept(self, version: Version = Version.V5, **options: Any) -> Device:
        """With a session that outlives the connection."""
        if version is Version.V5:
            options["properties"] = {**KEPT, **options.get("properties", {})}
        return self.connect(version, clean=False, **options)

    def device(self, version: Version = Version.V5, *, client_id: str | None = None, **options: Any) -> Device:
        """Not connected yet."""
        login = self.login if client_id is None else Login(self.login.username, self.login.password, client_id)
        device = Device(self.daemon.mqtt, login, version, **options)
        self._closing.callback(device.close)
        return device

    def raw(self, version: Version = Version.V5, login: Login | None = None) -> RawDevice:
        """Packet by packet, and nothing sent yet."""
        device = RawDevice(self.daemon.mqtt, login or self.login, version)
        self._closing.callback(device.close)
        return device

    def connect_raw(self, version: Version = Version.V5, *, clean: bool = True, **properties: Any) -> RawDevice:
        """Packet by packet; `properties` of the CONNECT as `bridge.mqtt` names them."""
        if not clean and version is Version.V5:
            properties.setdefault("session_expiry_interval", 3600)
        return self.raw(version).connect(clean_start=clean, properties=cast("Properties", properties))

    # Its applications

    def post(self, message: object = "hello", **fields: object) -> Answer:
        return self.api.post(self.id, message, **fields)

    def send(self, message: object = "hello", **fields: object) -> str:
        """The id of a message that was accepted."""
        answer = self.post(message, **fields)
        assert answer.status == 201, answer.body
        return str(answer.body["message_id"])

    def record(self, message_id: str) -> dict[str, Any]:
        answer = self.api.show(self.id, message_id)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.body
        return found

    def status(self, message_id: str) -> str:
        return str(self.record(message_id)["status"])

    def final(self, message_id: str) -> dict[str, Any]:
        """The record as soon as the message is not PENDING any more."""
        eventually(lambda: self.status(message_id) != "PENDING")
        return self.record(message_id)

    def cancel(self, message_id: str) -> None:
        answer = self.api.delete(self.id, message_id)
        assert answer.status == 204, answer.body


def failure(record: dict[str, Any]) -> str:
    """The error code of a message that has to be FAILED."""
    assert record["status"] == "FAILED", record
    return str(record["error_info"]["error_code"])


def numbered(count: int, prefix: str = "m") -> Iterator[str]:
    """Message ids."""
    return (f"{prefix}-{number:04d}" for number in range(count))
