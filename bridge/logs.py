"""Logging to stderr, one line a record: logfmt for machines, or plain text for people.

    time=2026-01-31T08:15:00.123Z level=warning logger=bridge.broker msg="connection lost" device=pump-7

Whatever is passed as `extra={...}` to a logging call becomes a key of the line. A value never breaks the line or
forges another key: everything that is not plain is quoted and escaped, tracebacks included. A long value is cut.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from bridge.model.setting import setting

NOISY = ("amqtt", "asyncio", "paho", "transitions", "uvicorn", "websockets")
"""Libraries that log every connection or state at info; only their warnings are of interest."""
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_LONGEST = 4096
"""Characters of a value; what is longer is cut. Clients choose names of 65,535 bytes."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_PLAIN = re.compile(r"[\w!#$%&()*+,./:;<>?@\[\]^`{|}~'-]+", re.ASCII)
_KEY = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class LogSettings:
    """Section `[log]` of the configuration."""

    level: str = setting("info", "Least severe records that are logged.", choices=("debug", "info", "warning", "error"))
    format: str = setting("logfmt", "logfmt for machines, text for people.", choices=("logfmt", "text"))


class LogfmtFormatter(logging.Formatter):
    """One record, one line of `key=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = [
            ("time", _timestamp(record)),
            ("level", record.levelname.lower()),
            ("logger", record.name),
            ("msg", record.getMessage()),
            *_extras(record),
        ]
        if trouble := _trouble(self, record):
            pairs.append(("exc", trouble))
        return " ".join(f"{_KEY.sub('_', key)}={value_text(value)}" for key, value in pairs)


class TextFormatter(logging.Formatter):
    """One record, one line that is pleasant to read; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f"  {_KEY.sub('_', key)}={value_text(value)}" for key, value in _extras(record))
        message = _escaped(record.getMessage())
        line = f"{_timestamp(record)} {record.levelname.lower():<8} {record.name}: {message}{extras}"
        trouble = _trouble(self, record)
        return line + "".join(f"\n    {_escaped(part)}" for part in trouble.splitlines())


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send every log record of the process to `stream` (stderr); calling it again replaces what was there."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LogfmtFormatter() if settings.format == "logfmt" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    _quieten(root.level)
    logging.captureWarnings(True)


def set_level(category: str, level: str) -> None:
    """Changes what is logged from now on, until the daemon ends. `category`: the name of a logger, or "*" for all that
    have no level of their own; `level`: one of LEVELS, in any case.

    Errors: LookupError for a category that does not exist, ValueError for another level.
    """
    number = LEVELS.get(level.lower())
    if category != "*" and category not in logging.root.manager.loggerDict:
        raise LookupError(category)
    if number is None:
        raise ValueError(level)
    logging.getLogger(None if category == "*" else category).setLevel(number)
    if category == "*":
        _quieten(number)


def _quieten(level: int) -> None:
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def value_text(value: Any) -> str:
    """A value as logfmt writes it: bare when it is plain, else quoted with everything unprintable escaped."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if _PLAIN.fullmatch(text) else f'"{_escaped(text, quotes=True)}"'


def _escaped(text: str, *, quotes: bool = False) -> str:
    if not quotes and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() and not (quotes and char in '"\\') else json.dumps(char)[1:-1] for char in text
    )


def _extras(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    return ((key, _cut(value)) for key, value in vars(record).items() if key not in _STANDARD)


def _cut(value: Any) -> Any:
    """The value, or as much of its text as a line may have."""
    text = value if isinstance(value, str) else str(value)
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback and the stack of a record, empty without either."""
    parts = []
    if record.exc_info and record.exc_info[0]:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
