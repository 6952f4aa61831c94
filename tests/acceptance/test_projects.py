"""Projects never meet."""

from contextlib import ExitStack

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import Account
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login


@pytest.fixture
def twin(pump: Account, closing: ExitStack) -> Account:
    """A device of the same id in another project."""
    return Account(pump.daemon, closing, pump.id, secret="another-secret", project="site-b")


def test_devices_of_the_same_id_are_told_apart_by_their_secrets(pump: Account, twin: Account, version: Version) -> None:
    device, twin_device = pump.connect(version), twin.connect(version)
    pump.send("for a", message_id="same", payload_format="raw")
    twin.send("for b", message_id="same", payload_format="raw")
    assert (device.next().payload, twin_device.next().payload) == (b"for a", b"for b")
    assert pump.record("same")["message"] == "for a"
    assert twin.record("same")["message"] == "for b"


def test_clients_of_different_projects_never_hear_each_other(pump: Account, twin: Account, version: Version) -> None:
    listener, speaker = pump.connect_raw(version), twin.connect(version)
    for topic_filter in ("#", f"{pump.tree}/#"):
        assert listener.subscribe(topic_filter, 0) == 0
    speaker.subscribe(f"{twin.tree}/#")
    for topic in ("plant/news", f"{twin.tree}/sys/messages/down", f"{twin.tree}/user/x"):
        speaker.publish(topic, b"secret")
    speaker.take(2)
    assert listener.before_pong() == []


def test_a_session_belongs_to_its_project(pump: Account, twin: Account) -> None:
    first = pump.connect_kept()
    first.subscribe("plant/news")
    first.close()
    assert not twin.connect_kept().session_present
    assert pump.connect_kept().session_present


def test_a_token_opens_its_own_project_only(pump: Account, twin: Account) -> None:
    with pump.daemon.admin() as admin:
        token = admin.add_token(f"b-{pump.id}", "site-b", frozenset({"admin"}))
    with pump.daemon.api(token) as api:
        refused = api.post(pump.id, "hello")
        assert (refused.status, refused.error) == (403, "IOTDA.000021")
    with pump.daemon.api(token, "site-b") as api:
        assert api.post(twin.id, "hello").status == 201
    assert pump.raw(login=Login("site-b", token, f"admin-{pump.id}")).try_connect().reason_code == 0
    assert pump.raw(login=Login("default", token, f"admin-{pump.id}")).try_connect().reason_code == 0x87


def test_freezing_one_leaves_the_other_connected(pump: Account, twin: Account) -> None:
    device, twin_device = pump.connect_raw(), twin.connect_raw()
    with pump.daemon.admin() as admin:
        admin.set_frozen("site-b", twin.id, frozen=True)
    assert twin_device.ended_with() == 0x98
    assert device.before_pong() == []


def test_an_unknown_project_has_no_devices(daemon: Daemon, pump: Account) -> None:
    with daemon.api(project="nowhere") as api:
        assert api.post(pump.id, "hello").status == 404
