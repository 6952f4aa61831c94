"""What we use and override of amqtt is still there. A failure here means: read its new version before anything else."""

import asyncio
import dataclasses
import inspect
import logging
from importlib.metadata import version
from typing import Any

import amqtt.broker
import pytest
from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import BrokerError, PluginError, PluginLoadError
from amqtt.events import BrokerEvents
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin, BaseTopicPlugin
from amqtt.plugins.manager import PluginManager
from amqtt.plugins.sys.broker import BrokerSysPlugin
from amqtt.session import Session
from amqtt.utils import import_string

from bridge.broker.hub import Hub
from bridge.broker.listeners import configured
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.broker.settings import ListenerSettings
from bridge.broker.shell import Shell
from bridge.store import Store
from tests.broker.site import Site, mqtt

OVERRIDDEN = {
    "_create_server_instance": ["self", "listener_name", "listener_type", "address", "port", "ssl_context"],
    "_session_monitor": ["self"],
    "internal_message_broadcast": ["self", "topic", "data", "qos"],
    "retain_message": ["self", "source_session", "topic_name", "data", "qos"],
}
SHOWN = {"sessions", "subscriptions"}
"""Properties through which plug-ins see the broker's state."""


def test_version() -> None:
    assert version("amqtt").startswith("0.12.")


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_overridden_methods(name: str) -> None:
    theirs, ours = getattr(amqtt.broker.Broker, name), vars(Shell)[name]
    assert list(inspect.signature(theirs).parameters) == OVERRIDDEN[name]
    assert list(inspect.signature(ours).parameters) == OVERRIDDEN[name]
    assert inspect.iscoroutinefunction(theirs)
    assert inspect.iscoroutinefunction(ours)


def test_nothing_else_is_overridden() -> None:
    """Every override is listed here, and none hides a name that a new version brought."""
    shared = {name for name in vars(Shell) if hasattr(amqtt.broker.Broker, name) and not name.startswith("__")}
    assert shared == {*OVERRIDDEN, *SHOWN}
    assert all(isinstance(vars(amqtt.broker.Broker)[name], property) for name in SHOWN)
    for name in ("hub", "traffic", "_connection", "_configured", "addresses", "close_listeners"):
        assert not hasattr(amqtt.broker.Broker, name)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (amqtt.broker.Broker, "__init__", ["self", "config", "loop", "plugin_namespace"]),
        (amqtt.broker.Broker, "start", ["self"]),
        (amqtt.broker.Broker, "shutdown", ["self"]),
        (amqtt.broker.Broker, "_start_listeners", ["self"]),
        (amqtt.broker.Server, "close_instance", ["self"]),
        (amqtt.broker.BrokerContext, "broadcast_message", ["self", "topic", "data", "qos"]),
        (amqtt.broker.BrokerContext, "retain_message", ["self", "topic_name", "data", "qos"]),
        (PluginManager, "map_plugin_auth", ["self", "session"]),
        (PluginManager, "fire_event", ["self", "event_name", "wait", "method_kwargs"]),
        (BaseAuthPlugin, "authenticate", ["self", "session"]),
        (BaseTopicPlugin, "topic_filtering", ["self", "session", "topic", "action"]),
        (BrokerSysPlugin, "on_broker_post_start", ["self"]),
        (BrokerSysPlugin, "on_broker_client_connected", ["self", "client_id", "client_session"]),
        (BrokerSysPlugin, "on_broker_client_disconnected", ["self", "client_id", "client_session"]),
    ],
)
def test_used_methods(owner: type, name: str, parameters: list[str]) -> None:
    method = getattr(owner, name)
    assert list(inspect.signature(method).parameters) == parameters
    assert name == "__init__" or inspect.iscoroutinefunction(method)


def test_used_functions() -> None:
    for name, parameters in (
        ("broadcast_dollar_sys_topics", ["self"]),
        ("schedule_broadcast_sys_topic", ["self", "topic_basename", "data"]),
    ):
        assert list(inspect.signature(getattr(BrokerSysPlugin, name)).parameters) == parameters
    assert list(inspect.signature(import_string).parameters) == ["dotted_path"]


def test_used_names() -> None:
    assert set(Action) == {Action.PUBLISH, Action.SUBSCRIBE, Action.RECEIVE}
    assert Action("publish") is Action.PUBLISH
    assert {BrokerEvents.CLIENT_CONNECTED, BrokerEvents.CLIENT_DISCONNECTED} <= set(BrokerEvents)
    assert {ListenerType.TCP, ListenerType.WS} <= set(ListenerType)
    assert issubclass(BaseTopicPlugin, BasePlugin)
    assert all(issubclass(error, Exception) for error in (BrokerError, PluginError, PluginLoadError))
    assert BrokerConfig.from_dict({"plugins": {}}).plugins == {}
    names = {"type", "bind", "max_connections", "ssl", "certfile", "keyfile"}
    assert names <= {field.name for field in dataclasses.fields(ListenerConfig)}


async def test_what_the_configuration_says_of_one_listener_is_not_for_another(site: Site, store: Store) -> None:
    """amqtt takes what has its default value from the listener called default."""
    plugins = Plugins()
    bind = "0.0.0.0:1883"
    settings = mqtt(listeners={"other": ListenerSettings(bind=bind)})
    shell = Shell(settings, Hub(settings, store, lambda: 0, plugins), plugins, configured(settings))
    assert [listener.bind for listener in shell.config.listeners.values()] == [settings.bind, bind]
    assert shell.listeners_config is shell.config.listeners
    await shell.plugins_manager.close()


async def test_used_attributes(site: Site) -> None:
    shell = site.broker._shell
    (server,) = shell._servers.values()
    assert isinstance(server, amqtt.broker.Server)
    assert isinstance(server.instance, asyncio.Server)
    assert isinstance(shell.plugins_manager, PluginManager)
    assert shell.plugins_manager.plugins == []
    assert shell.plugins_manager._auth_plugins == []
    assert shell.plugins_manager._topic_plugins == []
    assert not shell.plugins_manager._event_plugin_callbacks
    assert isinstance(shell.logger, logging.Logger)
    assert shell._session_monitor_task is not None
    await shell._session_monitor_task


def test_what_plug_ins_read_of_a_client() -> None:
    """The names exist in amqtt's session too, and what its own plug-ins read is there."""
    ours = PluginSession("c", "u", "p")
    theirs = vars(Session())
    for name in vars(ours).keys() - {"session"}:
        assert name in theirs or hasattr(Session, name)
    assert isinstance(ours, Session)


async def test_a_listener_on_every_address(store: Store) -> None:
    plugins = Plugins()
    shell = Shell(mqtt(), Hub(mqtt(), store, lambda: 0, plugins), plugins, configured(mqtt()))
    server: Any = await shell._create_server_instance("mqtt", ListenerType.TCP, None, 0, None)
    assert {sock.getsockname()[0] for sock in server.sockets} & {"0.0.0.0", "::"}  # noqa: S104
    server.close()
    await server.wait_closed()


@pytest.fixture
async def store(site: Site) -> Store:
    return site.store
