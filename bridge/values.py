"""Values of settings: their types, bounds and forms. Every refusal says what is wrong and what to write instead."""

import dataclasses
import difflib
import ipaddress
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""How the environment spells true and false."""
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not bound
SHOWN = 60


class Refused(Exception):
    """What is wrong with one value, and the fix: the second half of a sentence."""


class Spec(NamedTuple):
    """One setting: its type, its default, and what its field's metadata says."""

    kind: Any
    default: Any
    about: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None


class Kind(NamedTuple):
    """How values of one type are recognised in TOML and read from text."""

    name: str
    fits: Callable[[Any], bool]
    read: Callable[[str], Any]


def _read_bool(text: str) -> bool:
    return BOOLEANS[text.strip().lower()]


def _read_list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _read_nothing(text: str) -> Any:
    raise ValueError(text)


KINDS: dict[Any, Kind] = {
    bool: Kind("true or false", lambda value: isinstance(value, bool), _read_bool),
    int: Kind("a whole number", lambda value: type(value) is int, int),
    float: Kind("a number", lambda value: type(value) in (int, float) and math.isfinite(value), float),
    str: Kind("a text", lambda value: isinstance(value, str), str),
    tuple: Kind(
        "a list of texts",
        lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
        _read_list,
    ),
    Mapping: Kind("a table", lambda value: isinstance(value, dict), _read_nothing),
}


def _base(kind: Any) -> Any:
    """`int` of `int | None`, `tuple` of `tuple[str, ...]`, and so on."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _base(next(arm for arm in typing.get_args(kind) if arm is not type(None)))
    return origin or kind


def specs(cls: type[Any]) -> dict[str, Spec]:
    """The settings of a settings class by their names."""
    hints, defaults = typing.get_type_hints(cls), cls()
    return {
        field.name: Spec(hints[field.name], getattr(defaults, field.name), **field.metadata)
        for field in dataclasses.fields(cls)
    }


def from_text(spec: Spec, text: str) -> Any:
    """The value that an environment variable spells."""
    kind = KINDS[_base(spec.kind)]
    try:
        return kind.read(text)
    except (ValueError, KeyError):
        fix = _fix(spec) if kind.read is not _read_nothing else "write it in the configuration file"
        raise Refused(f"is not {kind.name}: {fix}") from None


def checked(spec: Spec, value: Any) -> Any:
    """The value as its settings class holds it; `Refused` when its type, its bounds or the choices forbid it."""
    base = _base(spec.kind)
    if not KINDS[base].fits(value):
        raise Refused(f"is not {KINDS[base].name}: {_fix(spec)}")
    if spec.choices and value not in spec.choices:
        raise Refused(f"is not among the choices: {_fix(spec)}")
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    if base in (int, float) and not low <= value <= high:
        raise Refused(f"is out of bounds: {_fix(spec)}")
    return base(value) if base in (float, tuple) else value


def _fix(spec: Spec) -> str:
    if spec.choices:
        return f"use {limits(spec)}"
    return f"give {KINDS[_base(spec.kind)].name}, {limits(spec)}".removesuffix(", ")


def limits(spec: Spec) -> str:
    """The bounds or choices in a few words; empty when there are none."""
    if spec.choices:
        return ", ".join(spec.choices[:-1]) + f" or {spec.choices[-1]}"
    if spec.minimum is not None and spec.maximum is not None:
        return f"{spec.minimum} to {spec.maximum}"
    if spec.minimum is not None:
        return f"at least {spec.minimum}"
    return f"at most {spec.maximum}" if spec.maximum is not None else ""


def shown(value: Any) -> str:
    """A value as TOML writes it, cut when it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def split_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT` in its two parts; `ValueError` says what is wrong with it."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise ValueError("is not HOST:PORT: end it with a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    if not HOST.fullmatch(host):
        raise ValueError("is not HOST:PORT: start it with a host name or an address, IPv6 in brackets")
    return host, int(port)


def reachable(address: str) -> str:
    """Where a client of the same machine reaches what listens on `HOST:PORT`: all addresses are none to connect to."""
    host, port = split_address(address)
    if host in WILDCARDS:
        return f"127.0.0.1:{port}" if host == "0.0.0.0" else f"[::1]:{port}"  # noqa: S104 - compared, not bound
    return address


def refusing(parse: Callable[[Any], object]) -> Callable[[Any], None]:
    """The check of a value that somebody else parses, with a ValueError that is the second half of a sentence."""

    def check(value: Any) -> None:
        try:
            parse(value)
        except ValueError as error:
            raise Refused(str(error)) from None

    return check


def check_address(value: str) -> None:
    try:
        split_address(value)
    except ipaddress.AddressValueError:
        raise Refused("is not HOST:PORT: the brackets do not hold an IPv6 address") from None
    except ValueError as error:
        raise Refused(str(error)) from None


def check_address_if_any(value: str) -> None:
    if value:
        check_address(value)


def collide(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened on; what is not an address collides with nothing. All addresses of
    IPv6 are none of IPv4."""
    try:
        (host, port), (other_host, other_port) = split_address(one), split_address(other)
    except ValueError:
        return False
    if port != other_port or not port:
        return False
    return host == other_host or (
        bool({host, other_host} & WILDCARDS) and {_family(host), _family(other_host)} != {4, 6}
    )


def _family(host: str) -> int:
    """4, 6, or 0 of a name, which may be both."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str | None:
    """A hint at what was meant: the same name in another section, or else the most similar word after the prefix."""
    words = [key.removeprefix(prefix) for key in known]
    same_name = [key for key in words if "." in word and key.partition(".")[2] == word.partition(".")[2]]
    near = same_name or difflib.get_close_matches(word.removeprefix(prefix), words, n=1)
    return f"did you mean {prefix}{near[0]}?" if near else None


def check_topic_filters(value: tuple[str, ...]) -> None:
    from bridge.mqtt import ProtocolError
    from bridge.mqtt.topics import check_topic_filter

    for topic_filter in value:
        try:
            check_topic_filter(topic_filter)
        except ProtocolError:
            problem = f'has "{topic_filter}", which is no topic filter: # is the last level, + a whole level'
            raise Refused(problem) from None


def check_rules(value: Mapping[str, Any], low: float, high: float) -> None:
    """Regular expressions, each with a number within the bounds."""
    for pattern, number in value.items():
        try:
            re.compile(pattern)
        except re.error as error:
            raise Refused(f'has "{pattern}", which is no regular expression: {error}') from None
        if not KINDS[float].fits(number) or not low <= number <= high:
            raise Refused(f'has {shown(number)} for "{pattern}": give a number, {low} to {high}')
