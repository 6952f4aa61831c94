"""What a Reason String says: the sentence that the maker of a device reads in its log.

No secrets, and nothing from which one could learn who exists.
"""

from collections.abc import Sequence

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
    if not refused:
        return {}
    topic_filter, code = refused[0]
    named = topic_filter if len(topic_filter) <= _LONGEST_FILTER else f"{topic_filter[:_LONGEST_FILTER]}…"
    others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    return {"reason_string": f"{named}: {_words(code)}{others}"}


def _words(code: int) -> str:
    return ReasonCode(code).name.lower().replace("_", " ")
