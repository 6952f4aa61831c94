"""Which channels there may be, and who may use them: section `[channels.rules]`. Pure.

    [channels.rules.'chat-room-(?P<id>[0-9]+)']
    tokens = ["chat"]              # names of access tokens and keys; left out: any
    claims = { room = "{id}" }     # what a JSON Web Token has to say; left out: any

The first rule whose expression matches a whole channel id holds for that channel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

Claims: TypeAlias = Mapping[str, Any]

_GROUP = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    tokens: frozenset[str] | None = None
    """None: every token."""
    claims: Mapping[str, tuple[str, ...]] | None = None
    """Claim → values of which it has to have one; "{id}" stands for what the group `id` has matched."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What the rule of one channel says."""

    tokens: frozenset[str] | None = None
    claims: Mapping[str, frozenset[str]] | None = None

    def admits_token(self, name: str) -> bool:
        return self.tokens is None or name in self.tokens

    def admits_claims(self, claims: Claims) -> bool:
        """Whether each claim that is asked for is there with a value, or in a list a value, that is asked for."""
        wanted = self.claims or {}
        return all(not values.isdisjoint(_texts(claims.get(name))) for name, values in wanted.items())


class Rules:
    """No rules: every channel, and everybody."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._rules = rules or (Rule(re.compile(".*")),)

    def permission(self, channel: str) -> Permission | None:
        """None: there may be no such channel."""
        for rule in self._rules:
            if match := rule.pattern.fullmatch(channel):
                groups = match.groupdict("")
                claims = {
                    name: frozenset(_GROUP.sub(lambda found: groups[found[1]], value) for value in values)  # noqa: B023
                    for name, values in (rule.claims or {}).items()
                }
                return Permission(rule.tokens, claims)
        return None


def parse_rules(table: Mapping[str, Any]) -> Rules:
    """Error: ValueError, the second half of a sentence."""
    return Rules(tuple(_rule(expression, content) for expression, content in table.items()))


def _rule(expression: str, content: Any) -> Rule:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise ValueError(f'has "{expression}", which is no regular expression: {error}') from None
    if not isinstance(content, dict) or not content.keys() <= {"tokens", "claims"}:
        raise ValueError(f'has "{expression}" with something else than tokens and claims: leave it out')
    tokens = content.get("tokens")
    if tokens is not None and not _is_texts(tokens):
        raise ValueError(f'has "{expression}", whose tokens are no list of names: write tokens = ["name"]')
    claims = _claims(expression, content.get("claims", {}), set(pattern.groupindex))
    return Rule(pattern, None if tokens is None else frozenset(tokens), claims)


def _claims(expression: str, table: Any, groups: set[str]) -> dict[str, tuple[str, ...]]:
    wanted: dict[str, tuple[str, ...]] = {}
    for name, given in table.items() if isinstance(table, dict) else [("", None)]:
        values = [given] if isinstance(given, str) else given
        if not _is_texts(values):
            raise ValueError(f'has "{expression}", whose claims are no texts: write claims = {{ name = "value" }}')
        unknown = {group for value in values for group in _GROUP.findall(value)} - groups
        if unknown:
            problem = f'has "{expression}" without the group "{min(unknown)}", which its claims name: write (?P<'
            raise ValueError(f"{problem}{min(unknown)}>…)")
        wanted[name] = tuple(values)
    return wanted


def _is_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _texts(value: Any) -> list[str]:
    """A claim as texts to compare: numbers and truth values as JSON writes them."""
    return [text for item in (value if isinstance(value, list) else [value]) if (text := _text(item)) is not None]


def _text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
    return None
