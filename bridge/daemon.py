"""Builds the parts, starts them in order, stops them in reverse. The only file that knows all of them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

import uvloop

from bridge import __version__
from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.broker import MqttBroker
from bridge.config import Settings
from bridge.data_dir import ADMIN_TOKEN, DataDir
from bridge.delivery import Delivery
from bridge.events import Events
from bridge.model.clock import Clock, system_clock
from bridge.registry import Presence, Registry
from bridge.rules import Rules
from bridge.store import Store
from bridge.systemd import Supervisor
from bridge.webhooks.webhooks import Webhooks

_log = logging.getLogger("bridge")
_SWITCH_INTERVAL = 0.0005
"""Seconds. The store's writer gives the interpreter up around every SQL statement and has to get it back from the busy
event loop; with CPython's default of 5 ms each commit would wait that long several times."""

_GC_THRESHOLDS = (50_000, 20, 100)
"""What a message leaves behind is freed by reference counts. Looking for cycles every 700 allocations, as CPython does
unless told otherwise, took a fifth of a message's time."""


def run(settings: Settings, clock: Clock = system_clock) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError or BridgeError with a sentence when the daemon cannot start."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    uvloop.run(serve(settings, clock))


async def serve(settings: Settings, clock: Clock) -> None:
    stop = _asked_to_stop()
    supervisor = Supervisor(os.environ)
    ready = False

    async with contextlib.AsyncExitStack() as closing:
        data_dir = DataDir(settings.data_dir)
        data_dir.lock()
        closing.callback(data_dir.release)

        store = Store.open(data_dir.database, clock=clock, settings=settings.store)
        closing.push_async_callback(store.close)
        token, first_start = data_dir.admin_token()
        store.put_token("admin", token, None, frozenset(("admin",)))

        events = Events(store, store, settings.channels, clock)
        events.start()
        closing.callback(events.stop)
        broker = MqttBroker(settings.mqtt, store, clock)
        delivery = Delivery(store, broker.hub, settings.delivery, clock, events.message_status)
        broker.listen(delivery)
        store.on_device_change(broker.hub.device_changed)
        store.on_device_change(delivery.device_changed)
        delivery.start()
        presence = Presence(store, clock)
        broker.hub.watch(presence)
        broker.hub.watch(events.connections)
        broker.hub.keep_with(events.uplinks)
        presence.start()
        closing.callback(presence.stop)
        rules = Rules(store)
        rules.start()
        closing.callback(rules.stop)
        webhooks = Webhooks(store, events, rules, settings.webhooks, clock)

        http = HttpServer(
            create_app(
                messages=delivery,
                devices=Registry(store, broker.hub, presence),
                rules=rules,
                access=store,
                channels=events.channels,
                pushes=webhooks,
                ready=lambda: ready,
                settings=settings.http,
                max_ttl=settings.delivery.max_ttl,
                clock=clock,
            ),
            settings.http,
        )
        await broker.start()
        closing.push_async_callback(broker.stop)
        await http.start()
        closing.push_async_callback(http.stop)
        webhooks.start()
        closing.push_async_callback(webhooks.stop)
        closing.callback(delivery.stop)  # first of all: senders that wait get their answer
        closing.callback(events.channels.close)  # and so do polls

        ready = True
        addresses = _published(settings, data_dir, http, broker)
        supervisor.ready()
        closing.callback(supervisor.stopping)
        _log.info("ready", extra={"version": __version__, **addresses})
        if first_start:
            print(_welcome(settings, addresses["http"], addresses["mqtt"]), flush=True)  # noqa: T201 - for who started it

        await stop.wait()
        ready = False
        _log.info("stopping")
    _log.info("stopped")


def _asked_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _published(settings: Settings, data_dir: DataDir, http: HttpServer, broker: MqttBroker) -> dict[str, str]:
    """Where the daemon listens, for who looks into the data folder, and for the log."""
    addresses = {"http": _joined(*http.address), "mqtt": _joined(*broker.address)}
    mqtts = _joined(*broker.tls_address) if settings.mqtt.tls_bind else None
    data_dir.publish(addresses["http"], addresses["mqtt"], mqtts)
    return addresses | ({"mqtts": mqtts} if mqtts else {})


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _welcome(settings: Settings, http: str, mqtt: str) -> str:
    """What somebody who has just started the daemon for the first time wants to do next."""
    folder = settings.data_dir
    return f"""
device-bridge {__version__} is ready.  HTTP http://{http}   MQTT {mqtt}

Add a device (this prints its secret), let it listen, and send it a message:
  device-bridge device add my-device --data-dir {folder}
  device-bridge listen my-device --secret SECRET --mqtt {mqtt}
  curl -sS http://{http}/v5/iot/default/devices/my-device/messages \\
       -H "X-Auth-Token: $(cat {folder}/{ADMIN_TOKEN})" -H 'Content-Type: application/json' -d '{{"message": "hello"}}'
"""
