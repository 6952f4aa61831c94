"""Builds the parts, starts them in order, stops them in reverse. The only file that knows all of them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import uvloop

from bridge import __version__, admin_token, logs, private_files, welcome
from bridge.api.app import Api, create_app
from bridge.api.dsps.dialect import Dsps
from bridge.api.server import HttpServer
from bridge.batch import Batches
from bridge.broker import MqttBroker
from bridge.config import Settings, secret_files
from bridge.data_dir import DataDir
from bridge.delivery import Delivery, Replies
from bridge.descriptors import Descriptors, raise_limit, warn_unless_enough
from bridge.events import Events
from bridge.inbox import Inbox, Reports
from bridge.model.clock import Clock, SystemTime, Timekeeper, TimeSource
from bridge.model.errors import StoreUnavailable
from bridge.model.event import SERVICE_MESSAGE
from bridge.registry import Presence, Registry
from bridge.rules import Rules
from bridge.store import Store, diagnosis, is_damage
from bridge.systemd import Supervisor
from bridge.webhooks.webhooks import Webhooks

_log = logging.getLogger("bridge")
_SWITCH_INTERVAL = 0.0005
"""Seconds. The store's writer gives the interpreter up around every SQL statement and has to get it back from the busy
event loop; with CPython's default of 5 ms each commit would wait that long several times."""

_GC_THRESHOLDS = (50_000, 20, 100)
"""What a message leaves behind is freed by reference counts. Looking for cycles every 700 allocations, as CPython does
unless told otherwise, took a fifth of a message's time."""


def run(settings: Settings, source: TimeSource | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError or BridgeError with a sentence when the daemon cannot start."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        uvloop.run(serve(settings, Timekeeper(source or SystemTime())))
    except StoreUnavailable as error:
        if is_damage(error):
            raise StoreUnavailable(diagnosis(DataDir(settings.data_dir).database)) from None
        raise


async def serve(settings: Settings, clock: Timekeeper) -> None:
    stop = _stop_signal()
    supervisor = Supervisor(os.environ)
    ready = False

    async with contextlib.AsyncExitStack() as closing:
        data_dir = DataDir(settings.data_dir)
        data_dir.lock()
        closing.callback(data_dir.release)
        data_dir.free_reserve()  # a full disk has no room even for opening the database

        store = Store.open(data_dir.database, clock=clock, settings=settings.store)
        closing.push_async_callback(_close, store, data_dir)
        _warn_of_shared(data_dir, settings)
        first_start = admin_token.settle(data_dir.admin_token, store)

        descriptors = Descriptors(raise_limit())
        closing.callback(descriptors.stop)
        core = _core(store, settings, clock, closing)
        core.broker.hub.admit_by(descriptors.admit)
        await core.batches.start()
        closing.push_async_callback(core.batches.stop)
        http = HttpServer(_app(core, store, settings, clock, lambda: ready), settings.http, descriptors.admit)
        await core.broker.start()
        closing.push_async_callback(core.broker.stop)
        await http.start()
        closing.push_async_callback(http.stop)
        core.webhooks.start()
        closing.push_async_callback(core.webhooks.stop)
        closing.callback(core.replies.stop)
        closing.callback(core.delivery.stop)  # first of all: senders that wait get their answer
        closing.callback(core.events.channels.close)  # and so do polls

        ready = True
        if not sys.stdin.isatty():  # with one it says that the terminal is gone
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, core.broker.reload)
        addresses = {name: _joined(*address) for name, address in core.broker.addresses.items()}
        data_dir.publish(_joined(*http.address), **addresses)
        warn_unless_enough(descriptors, settings.mqtt.max_connections)
        supervisor.ready()
        closing.callback(supervisor.stopping)
        data_dir.keep_reserve()
        store.on_outage(partial(_outage_changed, supervisor, data_dir))
        if store.refusal is not None:
            _outage_changed(supervisor, data_dir, store.refusal)
        _log.info("ready", extra=_where(_joined(*http.address), addresses))
        _greet(data_dir, _joined(*http.address), addresses["mqtt"], first_start=first_start)

        await stop.wait()
        ready = False
        _log.info("stopping")
    _log.info("stopped")


def _outage_changed(supervisor: Supervisor, data_dir: DataDir, refusal: str | None) -> None:
    if refusal is None:
        supervisor.status("ready")
        data_dir.keep_reserve()
    else:
        supervisor.status(f"the store refuses writes: {refusal}")


async def _close(store: Store, data_dir: DataDir) -> None:
    """Raises StoreUnavailable when something could not be written."""
    if store.refusal is not None:
        data_dir.free_reserve()
    if unwritten := await store.close():
        raise StoreUnavailable(f"not everything could be written before the end: {unwritten}")


class _Core(NamedTuple):
    """What the daemon does, without its HTTP listener."""

    broker: MqttBroker
    delivery: Delivery
    replies: Replies
    batches: Batches
    events: Events
    inbox: Inbox
    registry: Registry
    rules: Rules
    webhooks: Webhooks


def _core(store: Store, settings: Settings, clock: Clock, closing: contextlib.AsyncExitStack) -> _Core:
    """Its parts, each hearing of what it needs to, and started but for the broker's listeners."""
    events = Events(store, store, settings.channels, clock)
    _start(events, closing)

    broker = MqttBroker(settings.mqtt, store, clock)
    broker.hub.keep_sessions_in(store)
    store.on_device_change(broker.hub.device_changed)
    store.on_token_change(broker.hub.tokens_changed)
    delivery = Delivery(store, broker.hub, settings.delivery, clock, events.message_status)
    broker.listen(delivery)
    store.on_device_change(delivery.device_changed)
    inbox = Inbox(store, settings.inbox, clock, events.register.wanting(SERVICE_MESSAGE))
    inbox.start()  # before the first message can end, and the first device connect
    closing.push_async_callback(inbox.stop)
    events.uplinks.reader = Reports(inbox.rules, inbox.enter)
    replies = Replies(store, delivery, settings.delivery)
    broker.hub.hear(replies)
    store.on_device_change(replies.device_changed)
    delivery.start()
    batches = Batches(store, delivery, settings.batch, clock)

    presence = Presence(store, clock)
    broker.hub.watch(presence)
    broker.hub.keep_with(events.uplinks)
    broker.hub.retain_in(store)
    store.on_device_removed(broker.hub.retained.device_removed)
    _start(presence, closing)

    rules = Rules(store)
    _start(rules, closing)
    webhooks = Webhooks(store, events, rules, settings.webhooks, clock)
    registry = Registry(store, broker.hub, presence)
    return _Core(broker, delivery, replies, batches, events, inbox, registry, rules, webhooks)


def _app(core: _Core, store: Store, settings: Settings, clock: Clock, ready: Callable[[], bool]) -> Api:
    return create_app(
        messages=core.delivery,
        replies=core.replies,
        devices=core.registry,
        inbox=core.inbox,
        pushes=core.webhooks,
        rules=core.rules,
        access=store,
        ready=ready,
        settings=settings.http,
        max_ttl=settings.delivery.max_ttl,
        clock=clock,
        batches=core.batches,
        broadcasts=core.broker.hub,
        dsps=Dsps(core.events.channels, store, logs.set_level, settings.channels),
        refusal=lambda: store.refusal,
    )


def _stop_signal() -> asyncio.Event:
    """Set when the daemon is asked to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _warn_of_shared(data_dir: DataDir, settings: Settings) -> None:
    """Files that we make are closed; these may have been put there by somebody."""
    for file in (*data_dir.secret_files, *secret_files(settings)):
        if mode := private_files.shared_mode(file):
            _log.warning("a file with secrets is open to other users", extra={"file": file, "mode": mode})


def _greet(data_dir: DataDir, http: str, mqtt: str, *, first_start: bool) -> None:
    """In full at the first start; later only a person at a terminal is reminded, as the log has a line of its own."""
    program = welcome.program(sys.argv[0], sys.executable)
    running = welcome.Running(program, data_dir.path, data_dir.admin_token, http, mqtt)
    with contextlib.suppress(OSError):  # it may go to a file on a disk that is full
        if first_start:
            sys.stdout.write(welcome.first_steps(running))
        elif sys.stdout.isatty():
            sys.stdout.write(welcome.reminder(running))
        sys.stdout.flush()


def _where(http: str, addresses: dict[str, str]) -> dict[str, str]:
    """What the log says of a daemon that is ready. Listeners that somebody named share one key."""
    usual = {name: addresses[name] for name in ("mqtt", "mqtts", "ws", "wss") if name in addresses}
    further = ",".join(f"{name}={address}" for name, address in addresses.items() if name not in usual)
    return {"version": __version__, "http": http, **usual, **({"listeners": further} if further else {})}


class _Part(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def _start(part: _Part, closing: contextlib.AsyncExitStack) -> None:
    part.start()
    closing.callback(part.stop)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
