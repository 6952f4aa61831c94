"""What a Reason String says: the sentence that the maker of a device reads in its log.

No secrets, and nothing from which one could learn who exists.
"""

from collections.abc import Sequence

from bridge.broker.limits import MOST_SLASHES
from bridge.mqtt import Properties, ReasonCode

_LONGEST_FILTER = 100
"""Characters of a topic filter that is named."""

_SAID_INSTEAD = {
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: "wrong user name or password, or a timestamp that is more than an hour off",
    ReasonCode.SERVER_UNAVAILABLE: "the server cannot do that now, try again later",
}
"""Where the log knows more than the peer may."""

_OF_A_MESSAGE = {
    ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR: "the message cannot be stored now, send it again later",
    ReasonCode.NOT_AUTHORIZED: "this client may not publish to this topic",
    ReasonCode.PACKET_IDENTIFIER_IN_USE: "the packet identifier is in use by a message that is not completed",
    ReasonCode.PACKET_IDENTIFIER_NOT_FOUND: "no message with this packet identifier waits to be released",
    ReasonCode.PAYLOAD_FORMAT_INVALID: "the payload is not UTF-8, as its Payload Format Indicator says",
    ReasonCode.QUOTA_EXCEEDED: "too many messages of this client wait, send it again later",
}

_OF_A_FILTER: dict[int, str] = {
    ReasonCode.QUOTA_EXCEEDED: "quota exceeded, as many topic filters as this client may have",
    ReasonCode.TOPIC_FILTER_INVALID: f"topic filter invalid, more than {MOST_SLASHES} slashes",
}


def of_end(reason: ReasonCode, message: str, clause: str) -> Properties:
    """Of a CONNACK or DISCONNECT."""
    if not message:
        return {}
    message = _SAID_INSTEAD.get(reason, message)
    return {"reason_string": f"{message} [{clause}]" if clause else message}


def of_message(reason: ReasonCode) -> Properties:
    """Of a PUBACK, PUBREC or PUBCOMP."""
    message = _OF_A_MESSAGE.get(reason) if reason >= 0x80 else None
    return {"reason_string": message} if message else {}


def of_filters(filters: Sequence[str], codes: Sequence[int]) -> Properties:
    """Of a SUBACK or UNSUBACK: about the first filter that is refused."""
    refused = [(each, code) for each, code in zip(filters, codes, strict=True) if code >= 0x80]
    return {"reason_string": of_refused(refused, named=1)} if refused else {}


def of_refused(refused: Sequence[tuple[str, int]], named: int = 3) -> str:
    """What is said of topic filters with their reason codes: about as many as are `named`, and how many more."""
    said = ", ".join(f"{_name(topic_filter)}: {_words(code)}" for topic_filter, code in refused[:named])
    others = len(refused) - named
    return f"{said}, and {others} more" if others > 0 else said


def _name(topic_filter: str) -> str:
    return topic_filter if len(topic_filter) <= _LONGEST_FILTER else f"{topic_filter[:_LONGEST_FILTER]}…"


def _words(code: int) -> str:
    return _OF_A_FILTER.get(code) or in_words(code)


def in_words(code: int) -> str:
    """The name that the standard gives a reason code."""
    return ReasonCode(code).name.lower().replace("_", " ")
