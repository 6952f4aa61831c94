"""Query strings and paths of the operations on rules. Pure; the only exception that leaves is `Refusal`."""

from bridge.api.iotda.device_parse import SHORT_ID, checked
from bridge.api.iotda.errors import bad_parameter
from bridge.api.iotda.paging import parse_paging
from bridge.api.iotda.query import check_encoding, parameters, parse_flag
from bridge.api.iotda.rule_parse import NAME
from bridge.model.errors import UnknownAction, UnknownRule
from bridge.model.rule import ActionSearch, AppType, Page, RuleSearch

MAX_WORD = 50
"""Characters in the name of a resource, an event or a channel."""


def parse_rule_search(query: bytes) -> RuleSearch:
    """What ListRoutingRules asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    return RuleSearch(
        Page(*parse_paging(given)),
        resource=_word("resource", given.get("resource")),
        event=_word("event", given.get("event")),
        app_type=_app_type(given.get("app_type")),
        app_id=checked("app_id", given.get("app_id"), SHORT_ID),
        name=checked("rule_name", given.get("rule_name"), NAME),
        active=parse_flag("active", given.get("active")),
    )


def parse_action_search(query: bytes) -> ActionSearch:
    """What ListRuleActions asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    return ActionSearch(
        Page(*parse_paging(given)),
        rule_id=checked("rule_id", given.get("rule_id"), SHORT_ID),
        channel=_word("channel", given.get("channel")),
        app_type=_app_type(given.get("app_type")),
        app_id=checked("app_id", given.get("app_id"), SHORT_ID),
    )


def check_rule_id(rule_id: str) -> None:
    """Errors: UnknownRule for an id no rule can have, Refusal for percent-encoding that is none."""
    if not SHORT_ID.pattern.fullmatch(rule_id):
        check_encoding("rule_id", rule_id)
        raise UnknownRule(rule_id)


def check_action_id(action_id: str) -> None:
    """Errors: UnknownAction for an id no action can have, Refusal for percent-encoding that is none."""
    if not SHORT_ID.pattern.fullmatch(action_id):
        check_encoding("action_id", action_id)
        raise UnknownAction(action_id)


def _word(field: str, text: str | None) -> str | None:
    """The vendor has more of them than there are here: those are found nowhere, which is no error."""
    if text is not None and not (1 <= len(text) <= MAX_WORD and text.isascii() and text.isprintable()):
        raise bad_parameter(field, f"1 to {MAX_WORD} letters, digits, dots and _")
    return text


def _app_type(text: str | None) -> str | None:
    if text not in {None, *AppType}:
        raise bad_parameter("app_type", " or ".join(AppType))
    return text
