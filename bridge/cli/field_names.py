"""Errors of the HTTP API in the words of the command line: it names a field of the request, the user gave an option."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from bridge.cli.errors import Failed

_NAMED = re.compile(r"(?<=^Invalid input data\. )(?:properties\.)?([a-z_]+)")


@contextmanager
def as_options(context: click.Context, further: Mapping[str, str] | None = None) -> Iterator[None]:
    """Name the options of the command of `context` in errors that leave the block. A field has the name of the
    parameter that the option is given in; `further`: field → option, for those that have not."""
    try:
        yield
    except Failed as error:
        raise Failed(_renamed(error.message, {**_options(context), **(further or {})})) from None


def _options(context: click.Context) -> dict[str, str]:
    names = {}
    for parameter in context.command.params:
        if parameter.name is not None:
            is_option = isinstance(parameter, click.Option)
            names[parameter.name] = parameter.opts[-1] if is_option else parameter.name.upper()
    return names


def _renamed(sentence: str, names: Mapping[str, str]) -> str:
    """The field at the beginning, and those further on that cannot be taken for ordinary words."""
    sentence = _NAMED.sub(lambda found: names.get(found[1], found[0]), sentence)
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda found: names.get(found[0], found[0]), sentence)
