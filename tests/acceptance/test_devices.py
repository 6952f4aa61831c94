"""Devices that an application registers, and the ways they log in."""

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from bridge.mqtt import Publish, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login
from tests.acceptance.waiting import eventually
from tests.broker.certificates import HOST, Certificate, client_context
from tests.broker.client import RawClient

DEVICES = "/v5/iot/default/devices"


def register(pump: Account, **fields: Any) -> dict[str, Any]:
    answer = pump.api.call("POST", DEVICES, json.dumps(fields).encode())
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.body
    return made


def show(pump: Account, device_id: str) -> dict[str, Any]:
    found: dict[str, Any] = pump.api.call("GET", f"{DEVICES}/{device_id}").body
    return found


def signed(device_id: str, secret: str, sign_type: int = 1) -> Login:
    stamp = time.strftime("%Y%m%d%H", time.gmtime())
    password = hmac.new(stamp.encode(), secret.encode(), hashlib.sha256).hexdigest()
    return Login(device_id, password, f"{device_id}_0_{sign_type}_{stamp}")


def test_registered_signed_in_and_reached(pump: Account, version: Version) -> None:
    made = register(pump, product_id="lamps", node_id=f"{pump.id}-lamp", device_name="Lamp")
    name = made["device_id"]
    assert (name, made["status"]) == (f"lamps_{pump.id}-lamp", "INACTIVE")
    device = pump.raw(version, signed(name, made["auth_info"]["secret"])).connect()
    pump.api.post(name, "hello", payload_format="raw")
    assert device.next_message().payload == b"hello"
    assert show(pump, name)["status"] == "ONLINE"
    device.close()
    eventually(lambda: show(pump, name)["status"] == "OFFLINE")
    assert "secret" not in show(pump, name)["auth_info"]


def test_behind_a_gateway(pump: Account) -> None:
    name = f"{pump.id}-valve"
    register(pump, device_id=name, node_id=name, gateway_id=pump.id)
    waiting = pump.api.post(name, "one").body
    assert waiting["result"]["status"] == "PENDING"
    device = pump.connect()
    received = device.next()
    assert (received.topic, json.loads(received.payload)["object_device_id"]) == (pump.inbox, name)
    assert pump.api.post(name, "two").body["result"]["status"] == "DELIVERED"
    eventually(lambda: pump.api.show(name, waiting["message_id"]).body["status"] == "DELIVERED")


def test_topics_behind_a_gateway(pump: Account) -> None:
    name = f"{pump.id}-valve"
    register(pump, device_id=name, node_id=name, gateway_id=pump.id)
    device = pump.connect()
    device.subscribe(f"{pump.tree}/user/#")
    news = f"{pump.tree}/user/news/1"
    single = pump.api.post(name, "one", topic="news/1").body
    assert single["result"]["status"] == "DELIVERED"
    assert pump.api.show(name, single["message_id"]).body["topic"] == news
    full = pump.api.post(name, "two", topic_full_name=news).body
    assert full["result"]["status"] == "DELIVERED"
    document = {"message": "three", "topic": "news/1"}
    order = {"task_name": "t", "task_type": "createMessages", "targets": [name], "document": document}
    assert pump.api.call("POST", "/v5/iot/default/batchtasks", json.dumps(order).encode()).status == 201
    received = device.take(3)
    assert [each.topic for each in received] == [news] * 3
    contents = [json.loads(each.payload) for each in received]
    assert [(each["object_device_id"], each["content"]) for each in contents] == [
        (name, text) for text in ("one", "two", "three")
    ]
    for stranger in (f"$oc/devices/{pump.id}0/user/x", f"$oc/devices/{name}"):
        refused = pump.api.post(name, "four", topic_full_name=stranger)
        assert (refused.status, refused.error) == (400, "IOTDA.014150")
    assert pump.post("five", topic_full_name=f"$oc/devices/{name}/user/x").error == "IOTDA.014150"


def test_a_new_secret_and_a_forced_good_bye(pump: Account) -> None:
    device = pump.connect_raw()
    body = json.dumps({"force_disconnect": True}).encode()
    answer = pump.api.call("POST", f"{DEVICES}/{pump.id}/action?action_id=resetSecret", body)
    assert answer.status == 200
    assert device.ended_with() == 0x98
    assert pump.raw().try_connect().reason_code == 0x86
    pump.raw(login=signed(pump.id, answer.body["secret"], 0)).connect()


def test_frozen_over_http(pump: Account) -> None:
    device = pump.connect_raw()
    assert pump.api.call("POST", f"{DEVICES}/{pump.id}/freeze").status == 204
    assert device.ended_with() == 0x98
    assert show(pump, pump.id)["status"] == "FROZEN"
    assert pump.api.call("POST", f"{DEVICES}/{pump.id}/unfreeze").status == 204
    pump.connect_raw()


def test_the_daemon_remembers_when_a_device_was_connected(new_daemon: NewDaemon, closing: Any) -> None:
    """After a clean stop, and after none at all."""
    pump = Account(new_daemon(), closing)
    for end in (pump.daemon.stop, pump.daemon.kill):
        device = pump.connect()
        before = show(pump, pump.id)
        assert before["status"] == "ONLINE"
        eventually(lambda: written_online(pump))
        end()
        device.close()
        pump.daemon.start()
        pump.daemon_restarted()
        after = show(pump, pump.id)
        assert (after["status"], after["active_time"]) == ("OFFLINE", before["active_time"])
        assert after["connection_status_update_time"] > before["connection_status_update_time"]


def written_online(pump: Account) -> bool:
    with pump.daemon.admin() as admin:
        record = admin.record("default", pump.id)
        return record is not None and record.line.online


def test_a_certificate(new_daemon: NewDaemon, closing: Any, tmp_path: Path) -> None:
    authority = Certificate.make(tmp_path, "authority", authority=True)
    server = Certificate.make(tmp_path, "server", authority)
    shown = Certificate.make(tmp_path, "shown", authority)
    settings = {
        "mqtt.tls_bind": "127.0.0.1:0",
        "mqtt.tls_certfile": server.path,
        "mqtt.tls_keyfile": server.key_path,
        "mqtt.tls_cafile": authority.path,
    }
    pump = Account(new_daemon(settings), closing)
    auth_info = {"auth_type": "CERTIFICATES", "fingerprint": shown.fingerprint, "secure_access": True}
    register(pump, device_id="cert", node_id="cert", auth_info=auth_info)
    assert asyncio.run(receive_with_certificate(pump, authority, shown)) == b"hello"
    assert pump.raw(login=Login("cert", "", "cert")).try_connect().reason_code == 0x86


async def receive_with_certificate(pump: Account, authority: Certificate, shown: Certificate) -> bytes:
    address = tls_address(pump.daemon)
    context = client_context(authority, shown)
    _, client = await asyncio.get_running_loop().create_connection(
        RawClient, *address, ssl=context, server_hostname=HOST
    )
    assert (await client.connect("cert", "cert")).reason_code == 0
    posted = asyncio.create_task(asyncio.to_thread(pump.api.post, "cert", "hello", payload_format="raw"))
    publish: Publish = await client.take()
    assert (await posted).body["result"]["status"] == "DELIVERED"
    await client.disconnect()
    return publish.payload


def tls_address(daemon: Daemon) -> tuple[str, int]:
    addresses = json.loads((daemon.data_dir / "addresses.json").read_text(encoding="utf-8"))
    host, _, port = addresses["mqtts"].rpartition(":")
    return host, int(port)
