"""The properties of MQTT 5 [MQTT5 2.2.2]."""

from typing import TypedDict


class Properties(TypedDict, total=False):
    """All 27 properties by name. An absent key is an absent property.

    `user_properties` is an ordered list of pairs with repeats kept; `subscription_identifiers` is a list because a
    PUBLISH from a server may carry several.
    """

    payload_format_indicator: int
    message_expiry_interval: int
    content_type: str
    response_topic: str
    correlation_data: bytes
    subscription_identifiers: list[int]
    session_expiry_interval: int
    assigned_client_identifier: str
    server_keep_alive: int
    authentication_method: str
    authentication_data: bytes
    request_problem_information: int
    will_delay_interval: int
    request_response_information: int
    response_information: str
    server_reference: str
    reason_string: str
    receive_maximum: int
    topic_alias_maximum: int
    topic_alias: int
    maximum_qos: int
    retain_available: int
    user_properties: list[tuple[str, str]]
    maximum_packet_size: int
    wildcard_subscription_available: int
    subscription_identifier_available: int
    shared_subscription_available: int
