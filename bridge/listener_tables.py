"""The tables `[mqtt.listeners.NAME]` of the configuration: each checked like a section of its own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bridge import values
from bridge.broker.settings import ListenerSettings, MqttSettings

SPECS = values.specs(ListenerSettings)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAKEN = frozenset(("http", "mqtt", "mqtts", "ws", "wss"))
"""What the listeners that have a setting of their own are called."""


def read(key: str, tables: Mapping[str, Any], origin: str, problems: list[str]) -> dict[str, ListenerSettings]:
    """Those that are right. What is wrong with the others is added to `problems`, a sentence each."""
    listeners = {}
    for name, table in tables.items():
        found = list(_wrong(f"{key}.{name}", name, table, origin))
        if not found:
            listener = ListenerSettings(**{each: values.checked(SPECS[each], value) for each, value in table.items()})
            found = list(_contradictions(f"{key}.{name}", listener))
            listeners[name] = listener
        problems += found
    return listeners


def _wrong(key: str, name: str, table: Any, origin: str) -> Iterator[str]:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        letters = "1 to 64 of A-Z a-z 0-9 _ -"
        yield f"[{key}] ({origin}) is no name for a listener: use {letters}, and not {', '.join(sorted(_TAKEN))}."
    if not isinstance(table, dict):
        yield f"{key} = {values.shown(table)} ({origin}) is not a listener: write [{key}] above its settings."
        return
    for each, value in table.items():
        if each not in SPECS:
            fix = values.nearest(each, SPECS) or f"use some of {', '.join(SPECS)}."
            yield f"{key}.{each} = {values.shown(value)} ({origin}) is not a setting: {fix}"
            continue
        try:
            values.checked(SPECS[each], value)
            if each == "bind":
                values.check_address(value)
        except values.Refused as refused:
            yield f"{key}.{each} = {values.shown(value)} ({origin}) {refused}."


def _contradictions(key: str, listener: ListenerSettings) -> Iterator[str]:
    if not listener.bind:
        yield f"[{key}] has no bind: give it an address and port."
    if listener.path and listener.type != "ws":
        yield f'{key}.path = "{listener.path}" has no effect without type = "ws": set that, or remove it.'
    elif listener.path and not re.fullmatch(r"/[!-~]{0,255}", listener.path):
        yield f"{key}.path = {values.shown(listener.path)} is no path: begin it with /, without spaces."
    for one, other in (
        ("tls_certfile", "tls_keyfile"),
        ("tls_keyfile", "tls_certfile"),
        ("tls_cafile", "tls_certfile"),
    ):
        if getattr(listener, one) and not getattr(listener, other):
            yield f'{key}.{one} = "{getattr(listener, one)}" needs {key}.{other}: name its file.'
    yield from client_certificates(key, listener)


def client_certificates(key: str, settings: ListenerSettings | MqttSettings) -> Iterator[str]:
    """What cannot be meant."""
    if settings.client_certificates == "required" and not settings.tls_cafile:
        yield f'{key}.client_certificates = "required" needs {key}.tls_cafile: name the file of their authorities.'
    if settings.client_certificates == "none" and settings.tls_cafile:
        yield (
            f'{key}.tls_cafile = "{settings.tls_cafile}" has no effect with {key}.client_certificates = "none": remove '
            "one of them."
        )
