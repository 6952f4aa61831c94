"""Arbitrary packets that the standard allows, for tests with Hypothesis."""

from typing import cast

from hypothesis import strategies as st

from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
)

DISALLOWED = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0xFDD0, 0xFDF0)))) + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
"""Not in names."""

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
binary = st.binary(max_size=12)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
flag = st.booleans()
bit = st.integers(0, 1)
qos = st.integers(0, 2)
packet_ids = st.integers(1, 0xFFFF)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=DISALLOWED), max_size=12)
levels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=DISALLOWED + "/+#"), max_size=4)
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
pairs = st.lists(st.tuples(text, text), min_size=1, max_size=3)
identifiers = st.integers(1, 268_435_455)


@st.composite
def filters(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.one_of(levels, st.just("+")), max_size=3))
    if draw(flag) or not "/".join(parts):
        parts.append("#")
    plain = "/".join(parts)
    share = draw(st.one_of(st.none(), levels.filter(bool)))
    if share is not None:
        return f"$share/{share}/{plain}"
    return plain.replace("$share/", "$other/", 1)


VALUES: dict[str, st.SearchStrategy[object]] = {
    "payload_format_indicator": bit,
    "message_expiry_interval": u32,
    "content_type": text,
    "response_topic": topics,
    "correlation_data": binary,
    "session_expiry_interval": u32,
    "assigned_client_identifier": text,
    "server_keep_alive": u16,
    "authentication_data": binary,
    "request_problem_information": bit,
    "will_delay_interval": u32,
    "request_response_information": bit,
    "response_information": text,
    "server_reference": text,
    "reason_string": text,
    "receive_maximum": st.integers(1, 0xFFFF),
    "topic_alias_maximum": u16,
    "topic_alias": st.integers(1, 0xFFFF),
    "maximum_qos": bit,
    "retain_available": bit,
    "user_properties": pairs,
    "maximum_packet_size": st.integers(1, 0xFFFFFFFF),
    "wildcard_subscription_available": bit,
    "subscription_identifier_available": bit,
    "shared_subscription_available": bit,
}


def properties(version: Version, names: str) -> st.SearchStrategy[Properties]:
    """Any of the named properties in any order; none before MQTT 5."""
    if version is not Version.V5:
        return st.builds(Properties)
    optional = {name: VALUES[name] for name in names.split()}
    drawn = st.fixed_dictionaries({}, optional=optional).flatmap(lambda found: st.permutations(list(found.items())))
    return cast(st.SearchStrategy[Properties], drawn.map(dict))


ACKNOWLEDGED = "reason_string user_properties"
MESSAGE = (
    "payload_format_indicator message_expiry_interval content_type response_topic correlation_data user_properties"
)
CONNECT = (
    "session_expiry_interval receive_maximum maximum_packet_size topic_alias_maximum request_response_information "
    "request_problem_information user_properties"
)
CONNACK = (
    "session_expiry_interval receive_maximum maximum_qos retain_available maximum_packet_size topic_alias_maximum "
    "assigned_client_identifier reason_string user_properties wildcard_subscription_available "
    "subscription_identifier_available shared_subscription_available server_keep_alive response_information "
    "server_reference authentication_data"
)


def codes(version: Version, modern: list[int], old: list[int]) -> st.SearchStrategy[int]:
    return st.sampled_from(modern if version is Version.V5 else old)


def wills(version: Version) -> st.SearchStrategy[Will]:
    return st.builds(Will, topics, binary, qos, flag, properties(version, f"{MESSAGE} will_delay_interval"))


@st.composite
def connects(draw: st.DrawFn, version: Version) -> Connect:
    username = draw(st.none() | names)
    password = draw(st.none() | binary) if username is not None or version is Version.V5 else None
    will = draw(st.none() | wills(version))
    found = draw(properties(version, CONNECT))
    if version is Version.V5 and draw(flag):
        found["authentication_method"] = draw(text)
        if draw(flag):
            found["authentication_data"] = draw(binary)
    return Connect(version, draw(names), draw(flag), draw(u16), username, password, will, found)


@st.composite
def publishes(draw: st.DrawFn, version: Version, *, from_server: bool) -> Publish:
    level = draw(qos)
    found = draw(properties(version, f"{MESSAGE} topic_alias"))
    if version is Version.V5 and from_server and draw(flag):
        found["subscription_identifiers"] = draw(st.lists(identifiers, min_size=1, max_size=3))
    return Publish(
        "" if "topic_alias" in found and draw(flag) else draw(topics),
        draw(st.binary(max_size=200)),
        level,
        draw(flag),
        draw(flag) if level else False,
        draw(packet_ids) if level else 0,
        found,
    )


@st.composite
def subscribes(draw: st.DrawFn, version: Version) -> Subscribe:
    v5 = version is Version.V5
    found = draw(properties(version, "user_properties"))
    if v5 and draw(flag):
        found["subscription_identifiers"] = [draw(identifiers)]
    subscriptions = []
    for topic_filter in draw(st.lists(filters(), min_size=1, max_size=3)):
        subscription = Subscription(topic_filter, draw(qos))
        if v5:
            subscription.no_local = draw(flag) and not topic_filter.startswith("$share/")
            subscription.retain_as_published = draw(flag)
            subscription.retain_handling = draw(qos)
        subscriptions.append(subscription)
    return Subscribe(draw(packet_ids), subscriptions, found)


def acknowledgements(version: Version) -> st.SearchStrategy[Packet]:
    received = codes(version, [0, 0x10, 0x80, 0x97], [0])
    released = codes(version, [0, 0x92], [0])
    found = properties(version, ACKNOWLEDGED)
    return st.one_of(
        st.builds(Puback, packet_ids, received, found),
        st.builds(Pubrec, packet_ids, received, found),
        st.builds(Pubrel, packet_ids, released, found),
        st.builds(Pubcomp, packet_ids, released, found),
    )


@st.composite
def auths(draw: st.DrawFn) -> Auth:
    found = draw(properties(Version.V5, f"{ACKNOWLEDGED} authentication_data"))
    code = draw(st.sampled_from([0, 0x18, 0x19]))
    if code or found:
        found["authentication_method"] = draw(text)
    return Auth(code, found)


def from_client(version: Version) -> st.SearchStrategy[Packet]:
    """What a client sends behind its CONNECT."""
    choices: list[st.SearchStrategy[Packet]] = [
        publishes(version, from_server=False),
        acknowledgements(version),
        subscribes(version),
        st.builds(
            Unsubscribe, packet_ids, st.lists(filters(), min_size=1, max_size=3), properties(version, "user_properties")
        ),
        st.just(Pingreq()),
    ]
    if version is Version.V5:
        leaving = properties(version, f"{ACKNOWLEDGED} session_expiry_interval server_reference")
        choices += [st.builds(Disconnect, st.sampled_from([0, 4, 0x82, 0x98]), leaving), auths()]
    else:
        choices.append(st.just(Disconnect()))
    return st.one_of(choices)


@st.composite
def connacks(draw: st.DrawFn, version: Version) -> Connack:
    code = draw(codes(version, [0, 0x80, 0x87, 0x9F], [0, 1, 5]))
    present = not code and version is not Version.V31 and draw(flag)
    return Connack(present, code, draw(properties(version, CONNACK)))


def from_server(version: Version) -> st.SearchStrategy[Packet]:
    granted = st.lists(codes(version, [0, 1, 2, 0x80, 0xA2], [0, 1, 2, 0x80]), min_size=1, max_size=3)
    removed = st.lists(st.sampled_from([0, 0x11, 0x91]), min_size=1, max_size=3)
    if version is not Version.V5:
        removed = st.builds(list)
    found = properties(version, ACKNOWLEDGED)
    choices: list[st.SearchStrategy[Packet]] = [
        connacks(version),
        publishes(version, from_server=True),
        acknowledgements(version),
        st.builds(Suback, packet_ids, granted, found),
        st.builds(Unsuback, packet_ids, removed, found),
        st.just(Pingresp()),
    ]
    if version is Version.V5:
        leaving = properties(version, f"{ACKNOWLEDGED} server_reference")
        choices += [st.builds(Disconnect, st.sampled_from([0, 0x8B, 0x8E]), leaving), auths()]
    return st.one_of(choices)
