"""One record, one line."""

import io
import logging
import warnings
from collections.abc import Iterator

import pytest

from bridge import logs
from bridge.logs import LogSettings

log = logging.getLogger("bridge.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in logs.NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET)


def line(stream: io.StringIO) -> str:
    """The only line, without its time."""
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    return text.split(" ", 1)[1].rstrip("\n")


def test_a_plain_record(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    log.info("ready", extra={"http": "127.0.0.1:80", "device": "a-1"})
    assert stream.getvalue().startswith("time=20")
    assert line(stream) == "level=info logger=bridge.test msg=ready http=127.0.0.1:80 device=a-1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ('say "x"', r'"say \"x\""'),
        ("a=b", '"a=b"'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines\r\tand\x00more\x1b[31m", r'"two\nlines\r\tand\u0000more\u001b[31m"'),
        ("next\x85line\u2028", r'"next\u0085line\u2028"'),
        ("\ud800", r'"\ud800"'),
        ("grün", '"grün"'),
        (None, "null"),
        (True, "true"),
        (3.5, "3.5"),
        ([1, 2], '"[1, 2]"'),
    ],
)
def test_values_stay_in_their_place(stream: io.StringIO, value: object, text: str) -> None:
    logs.configure(LogSettings(), stream)
    log.info("x", extra={"key": value})
    assert line(stream) == f"level=info logger=bridge.test msg=x key={text}"


@pytest.mark.parametrize("form", ["logfmt", "text"])
def test_a_long_value_is_cut(stream: io.StringIO, form: str) -> None:
    logs.configure(LogSettings(format=form), stream)
    log.info("refused", extra={"client": "c" * 65_535, "error": ValueError("e" * 65_535)})
    text = line(stream)
    assert "c" * 4096 + "…" in text
    assert len(text) < 9000


def test_a_key_cannot_forge_another(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    log.info("x", extra={"a b=c\n": 1})
    assert line(stream).endswith(" a_b_c_=1")


def test_a_traceback_is_one_field(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("it failed", stack_info=True)
    text = line(stream)
    assert 'msg="it failed" exc="Traceback (most recent call last):\\n' in text
    assert "ValueError: first\\nsecond" in text
    assert "Stack (most recent call last)" in text


def test_text_for_people(stream: io.StringIO) -> None:
    logs.configure(LogSettings(format="text"), stream)
    log.warning("two\nlines", extra={"device": "a b"})
    assert line(stream) == r'warning  bridge.test: two\nlines  device="a b"'


def test_text_indents_a_traceback(stream: io.StringIO) -> None:
    logs.configure(LogSettings(format="text"), stream)
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("it failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("bridge.test: it failed")
    assert rest
    assert all(part.startswith("    ") for part in rest)


@pytest.mark.parametrize("name", ["amqtt.broker", "uvicorn.error", "transitions.core"])
def test_libraries_only_warn(stream: io.StringIO, name: str) -> None:
    logs.configure(LogSettings(level="debug"), stream)
    logging.getLogger(name).info("chatter")
    assert not stream.getvalue()
    logging.getLogger(name).warning("trouble")
    assert f"level=warning logger={name} msg=trouble" in line(stream)


def test_the_level_holds_for_everybody(stream: io.StringIO) -> None:
    logs.configure(LogSettings(level="error"), stream)
    log.warning("x")
    logging.getLogger("amqtt").warning("x")
    assert not stream.getvalue()


def test_warnings_are_records(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nand grey", DeprecationWarning, stacklevel=1)
    assert "logger=py.warnings" in line(stream)


def test_configuring_again_replaces(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), io.StringIO())
    logs.configure(LogSettings(), stream)
    log.info("once")
    assert line(stream).endswith("msg=once")


def test_the_level_of_one_logger_or_of_all_is_changed(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    logger = logging.getLogger("bridge.tests.logs")
    noisy = logging.getLogger(logs.NOISY[0])
    logs.set_level("bridge.tests.logs", "DEBUG")
    logger.debug("one")
    logging.getLogger("bridge.tests").debug("two")
    logs.set_level("*", "debug")
    logging.getLogger("bridge.tests").debug("three")
    assert noisy.level == logging.WARNING
    logger.setLevel(logging.NOTSET)
    logs.set_level("*", "error")
    assert noisy.level == logging.ERROR
    logger.warning("four")
    assert [line.partition("msg=")[2] for line in stream.getvalue().splitlines()] == ["one", "three"]


@pytest.mark.parametrize(
    ("category", "level", "error"), [("no.such", "info", LookupError), ("*", "loud", ValueError), ("*", "", ValueError)]
)
def test_a_level_that_cannot_be_set(stream: io.StringIO, category: str, level: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        logs.set_level(category, level)
    assert "no.such" not in logging.root.manager.loggerDict
