"""Messages and devices as rows of the database, and back."""

import json
from collections.abc import Iterable
from typing import Any

from bridge.model.device import AuthType, Device
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from bridge.model.record import Activity, Enrolment, Profile, Record, Sighting

Row = tuple[Any, ...]

CREATED_AT = 11
"""Where it stands in `statements.ADDED`."""
DEVICE_WIDTH = 13
"""Columns in `statements.DEVICE_COLUMNS`."""


def added_row(message: Message) -> Row:
    """In the order of `statements.ADDED`."""
    draft = message.draft
    return (
        message.seq,
        message.device,
        draft.message_id,
        draft.ttl,
        draft.name,
        draft.encoding,
        draft.payload_format,
        draft.topic,
        draft.correlation_data,
        draft.response_topic,
        json.dumps(draft.user_properties, ensure_ascii=False) if draft.user_properties else None,
        message.created_at,
        message.expires_at,
        draft.content,
    )


def outcome_row(outcome: Outcome) -> Row:
    # Plain strings: sqlite3 first looks for an adapter for a subclass of str, which costs as much as storing ten.
    by, failure = outcome.acknowledged_by, outcome.failure
    return (
        outcome.status._value_,
        outcome.finished_at,
        by and by._value_,
        failure and failure._value_,
        outcome.detail,
    )


def read_message(row: Row) -> Message:
    """From the columns of `statements.WHOLE`."""
    seq, device, message_id, content, ttl, name, encoding, payload_format, topic, *rest = row
    correlation_data, response_topic, user_properties, created_at, expires_at, *outcome = rest
    draft = Draft(
        message_id,
        content,
        ttl,
        name,
        encoding,
        payload_format,
        topic,
        correlation_data,
        response_topic,
        tuple((name, value) for name, value in json.loads(user_properties)) if user_properties else (),
    )
    return Message(device, draft, created_at, expires_at, seq, read_outcome(*outcome))


def read_some(rows: Iterable[Row], most: int) -> list[Message]:
    """Messages until their content has `most` characters; at least one if there is one."""
    found: list[Message] = []
    size = 0
    for row in rows:
        found.append(read_message(row))
        size += len(found[-1].draft.content)
        if size >= most:
            break
    return found


def read_outcome(
    status: str, finished_at: int, acknowledged_by: str | None, failure: str | None, detail: str | None
) -> Outcome | None:
    if status == Status.PENDING:
        return None
    return Outcome(
        Status(status),
        finished_at,
        AcknowledgedBy(acknowledged_by) if acknowledged_by else None,
        Failure(failure) if failure else None,
        detail,
    )


def read_device(row: Row) -> Device:
    """From `statements.DEVICE_COLUMNS`."""
    key, project, device_id, secret, frozen, created_at, *rest = row
    secondary_secret, auth_type, fingerprint, secondary_fingerprint, secure_access, gateway_id, carrier = rest
    return Device(
        key,
        project,
        device_id,
        secret,
        bool(frozen),
        created_at,
        secondary_secret,
        AuthType(auth_type),
        fingerprint,
        secondary_fingerprint,
        bool(secure_access),
        gateway_id,
        carrier,
    )


def read_record(row: Row) -> Record:
    """From the columns of `statements.records`."""
    node_id, product_id, name, description, app_id, extension_info, tags, *rest = row[DEVICE_WIDTH:]
    fw_version, sw_version, timeout, online, changed_at, active_at = rest
    profile = Profile(
        node_id,
        product_id,
        name,
        description,
        app_id,
        extension_info,
        tuple((key, value) for key, value in json.loads(tags)) if tags else (),
        fw_version,
        sw_version,
        timeout,
    )
    return Record(read_device(row[:DEVICE_WIDTH]), profile, Activity(bool(online), changed_at, active_at))


def enrolled_row(project: str, enrolment: Enrolment, carrier: int | None, now: int) -> Row:
    """In the order of `devices.ENROLLED`."""
    profile = enrolment.profile
    return (
        project,
        enrolment.device_id,
        enrolment.secret,
        now,
        enrolment.auth_type.value,
        enrolment.fingerprint,
        enrolment.secure_access,
        enrolment.gateway_id,
        carrier,
        profile.node_id,
        profile.product_id,
        profile.name,
        profile.description,
        profile.app_id,
        profile.extension_info,
        json.dumps(profile.tags, ensure_ascii=False) if profile.tags else None,
        profile.fw_version,
        profile.sw_version,
        profile.timeout,
    )


def sighted_row(sighting: Sighting) -> Row:
    return sighting.device, sighting.online, sighting.at, sighting.connected_at
