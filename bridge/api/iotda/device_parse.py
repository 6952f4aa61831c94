"""JSON about devices → what the core speaks. Pure; the only exception that leaves is `Refusal`.

Unknown keys are ignored, as the vendor does, and null is the same as absent: its SDK sends nulls.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

import msgspec

from bridge.api.fields import text_of
from bridge.api.iotda.errors import bad_parameter
from bridge.api.iotda.json_text import check_depth, decode
from bridge.api.iotda.parse import CHINESE, MARKS
from bridge.api.iotda.unsupported import Unsupported, nothing, refuse_unsupported
from bridge.api.schema import integer, shown
from bridge.model import device
from bridge.model.device import DEVICE_ID, AuthType, Slot
from bridge.model.record import DEFAULT_PRODUCT, Amendment, Enrolment, Profile

MAX_EXTENSION_INFO = 1024
MAX_TIMEOUT = 2_147_483_647


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    words: str


def _words(least: int, most: int) -> Rule:
    # The vendor's examples have spaces, which its rule leaves out.
    text = f"at most {most} letters, digits, Chinese characters, spaces and {MARKS}"
    return Rule(re.compile(f"[A-Za-z0-9 {CHINESE}{MARKS}]{{{least},{most}}}"), text)


ID = Rule(DEVICE_ID, "1 to 128 letters, digits, _ and -")
NODE_ID = Rule(re.compile(r"[A-Za-z0-9:_-]{1,64}"), "1 to 64 letters, digits, :, _ and -")
SHORT_ID = Rule(re.compile(r"[A-Za-z0-9_-]{1,36}"), "1 to 36 letters, digits, _ and -")
NAME = _words(0, 256)
DESCRIPTION = _words(0, 2048)
SECRET = Rule(device.SECRET, device.SECRET_RULE)
_BYTE = "[0-9A-Fa-f]{2}"
FINGERPRINT = Rule(
    re.compile(f"(?:{_BYTE}){{32}}|{_BYTE}(?::{_BYTE}){{31}}"),
    "the SHA-256 of the certificate, 64 hexadecimal digits, with or without colons between the bytes",
)


Secret: TypeAlias = Annotated[str, shown(SECRET.pattern, "Generated when absent.")]
Fingerprint: TypeAlias = Annotated[
    str, shown(FINGERPRINT.pattern, f"{FINGERPRINT.words[0].upper()}{FINGERPRINT.words[1:]}.")
]
SecureAccess: TypeAlias = Annotated[bool, shown(None, "Through TLS only, where there is a TLS listener.")]
Timeout: TypeAlias = Annotated[int, shown(None, "Seconds; kept and shown.", **integer(0, MAX_TIMEOUT))]
ExtensionInfo: TypeAlias = Annotated[
    msgspec.Raw, shown(None, f"At most {MAX_EXTENSION_INFO} bytes.", type=["object", "null"])
]
Description: TypeAlias = Annotated[str, shown(DESCRIPTION.pattern)]
Name: TypeAlias = Annotated[str, shown(NAME.pattern)]
WhichSlot: TypeAlias = Annotated[str, shown(None, "PRIMARY unless given.", enum=list(Slot))]
Disconnect: TypeAlias = Annotated[bool, shown(None, "End the connection of the device, too.")]


class AuthInfo(msgspec.Struct):
    auth_type: Annotated[str, shown(None, "SECRET unless given.", enum=list(AuthType))] | None = None
    secret: Secret | None = None
    fingerprint: Fingerprint | None = None
    secure_access: SecureAccess | None = None
    timeout: Timeout | None = None


class AddDevice(msgspec.Struct):
    """The body of AddDevice; types only, the rules are in `enrolment_of`."""

    device_id: Annotated[str, shown(ID.pattern, "{product_id}_{node_id} unless given.")] | None = None
    node_id: Annotated[str, shown(NODE_ID.pattern, required=True)] | None = None
    device_name: Name | None = None
    product_id: Annotated[str, shown(SHORT_ID.pattern, f"{DEFAULT_PRODUCT} unless given.")] | None = None
    auth_info: AuthInfo | None = None
    description: Description | None = None
    gateway_id: Annotated[str, shown(ID.pattern, "The device it is behind, which has to be there.")] | None = None
    app_id: Annotated[str, shown(SHORT_ID.pattern)] | None = None
    extension_info: ExtensionInfo = msgspec.field(default_factory=msgspec.Raw)
    shadow: Unsupported = nothing()


class UpdateAuthInfo(msgspec.Struct):
    secure_access: SecureAccess | None = None
    timeout: Timeout | None = None


class UpdateDevice(msgspec.Struct):
    device_name: Name | None = None
    description: Description | None = None
    extension_info: ExtensionInfo = msgspec.field(default_factory=msgspec.Raw)
    auth_info: UpdateAuthInfo | None = None


class ResetSecret(msgspec.Struct):
    secret: Secret | None = None
    force_disconnect: Disconnect | None = None
    secret_type: WhichSlot | None = None


class ResetFingerprint(msgspec.Struct):
    fingerprint: Annotated[Fingerprint, shown(required=True)] | None = None
    force_disconnect: Disconnect | None = None
    fingerprint_type: WhichSlot | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """What ResetDeviceSecret and ResetFingerprint ask for."""

    value: str | None
    """None: a new random one."""
    slot: Slot
    disconnect: bool


AUTH_EXAMPLE = {"auth_type": "SECRET", "secret": "lamp-secret-1", "secure_access": False, "timeout": 0}
CHANGES = {"device_name": "Lamp 1", "description": "In the hall", "extension_info": {"floor": 2}}
EXAMPLES: Mapping[type, Mapping[str, object]] = {
    AddDevice: {
        "device_id": "lamp-1",
        "node_id": "00:1B:44:11:3A:B7",
        "product_id": "lamp",
        "app_id": "house",
        "auth_info": AUTH_EXAMPLE,
        **CHANGES,
    },
    UpdateDevice: {"auth_info": {"secure_access": False, "timeout": 0}, **CHANGES},
    ResetSecret: {"secret": "lamp-secret-2", "force_disconnect": False, "secret_type": "PRIMARY"},
    ResetFingerprint: {"fingerprint": "ab" * 32, "force_disconnect": False, "fingerprint_type": "PRIMARY"},
}

_ADD = msgspec.json.Decoder(AddDevice)
_UPDATE = msgspec.json.Decoder(UpdateDevice)
_RESET_SECRET = msgspec.json.Decoder(ResetSecret)
_RESET_FINGERPRINT = msgspec.json.Decoder(ResetFingerprint)


def parse_enrolment(body: bytes) -> Enrolment:
    """The body of AddDevice. Refusals: 000006 naming the field."""
    return enrolment_of(decode(body, _ADD))


def enrolment_of(fields: AddDevice) -> Enrolment:
    """The rules for every field. Whether the gateway is one, only the store knows."""
    refuse_unsupported(fields, {"shadow": "there are no device shadows"})
    auth = fields.auth_info or AuthInfo()
    node_id = checked("node_id", fields.node_id, NODE_ID)
    if node_id is None:
        raise bad_parameter("node_id", f"required, {NODE_ID.words}")
    profile = Profile(
        node_id=node_id,
        product_id=checked("product_id", fields.product_id, SHORT_ID) or DEFAULT_PRODUCT,
        name=checked("device_name", fields.device_name, NAME),
        description=checked("description", fields.description, DESCRIPTION),
        app_id=checked("app_id", fields.app_id, SHORT_ID),
        extension_info=_extension_info(fields.extension_info),
        timeout=_timeout(auth.timeout) or 0,
    )
    device_id = _device_id(fields.device_id, profile)
    gateway_id = checked("gateway_id", fields.gateway_id, ID)
    auth_type = _auth_type(auth)
    return Enrolment(
        device_id,
        profile,
        auth_type,
        secret=checked("auth_info.secret", auth.secret, SECRET) or "",
        fingerprint=_fingerprint("auth_info.fingerprint", auth.fingerprint) or "",
        secure_access=bool(auth.secure_access),
        gateway_id=None if gateway_id == device_id else gateway_id,  # as the vendor shows a device without a gateway
    )


def parse_amendment(body: bytes) -> Amendment:
    """The body of UpdateDevice. Refusals: 000006 naming the field."""
    fields = decode(body, _UPDATE)
    auth = fields.auth_info or UpdateAuthInfo()
    return Amendment(
        name=checked("device_name", fields.device_name, NAME),
        description=checked("description", fields.description, DESCRIPTION),
        extension_info=_extension_info(fields.extension_info),
        secure_access=auth.secure_access,
        timeout=_timeout(auth.timeout),
    )


def parse_reset_secret(body: bytes) -> Reset:
    """The body of ResetDeviceSecret, which may be empty. Refusals: 000006 naming the field."""
    fields = decode(body or b"{}", _RESET_SECRET)
    secret = checked("secret", fields.secret, SECRET)
    return Reset(secret, _slot("secret_type", fields.secret_type), bool(fields.force_disconnect))


def parse_reset_fingerprint(body: bytes) -> Reset:
    """The body of ResetFingerprint. Refusals: 000006 naming the field."""
    fields = decode(body or b"{}", _RESET_FINGERPRINT)
    fingerprint = _fingerprint("fingerprint", fields.fingerprint)
    if fingerprint is None:
        raise bad_parameter("fingerprint", f"required, {FINGERPRINT.words}")
    return Reset(fingerprint, _slot("fingerprint_type", fields.fingerprint_type), bool(fields.force_disconnect))


def checked(field: str, value: str | None, rule: Rule) -> str | None:
    """The value, if it obeys the rule or is absent."""
    if value is not None and not rule.pattern.fullmatch(value):
        raise bad_parameter(field, rule.words)
    return value


def _device_id(given: str | None, profile: Profile) -> str:
    """The vendor's default, except where it would not be a device id: a node id may hold colons."""
    if given is None:
        given = f"{profile.product_id}_{profile.node_id}"
        if ":" in given:
            raise bad_parameter("device_id", "required when node_id has a colon, which a device id cannot have")
    checked("device_id", given, ID)
    return given


def _auth_type(auth: AuthInfo) -> AuthType:
    if auth.auth_type not in {None, *AuthType}:
        raise bad_parameter("auth_info.auth_type", " or ".join(AuthType))
    if auth.auth_type == AuthType.CERTIFICATES:
        if auth.secret is not None:
            raise bad_parameter("auth_info.secret", "only with auth_type SECRET")
        # The vendor takes that of the first client that comes; then whoever comes first is the device.
        if auth.fingerprint is None:
            raise bad_parameter("auth_info.fingerprint", f"required with auth_type CERTIFICATES, {FINGERPRINT.words}")
        return AuthType.CERTIFICATES
    if auth.fingerprint is not None:
        raise bad_parameter("auth_info.fingerprint", "only with auth_type CERTIFICATES")
    return AuthType.SECRET


def _fingerprint(field: str, given: str | None) -> str | None:
    value = checked(field, given, FINGERPRINT)
    return None if value is None else value.replace(":", "").lower()


def _timeout(value: int | None) -> int | None:
    if value is not None and not 0 <= value <= MAX_TIMEOUT:
        raise bad_parameter("auth_info.timeout", f"seconds, 0 to {MAX_TIMEOUT}")
    return value


def _extension_info(raw: msgspec.Raw) -> str | None:
    text = text_of(raw)
    if text is None:
        return None
    if text[:1] != b"{":
        raise bad_parameter("extension_info", "a JSON object")
    if len(text) > MAX_EXTENSION_INFO:
        raise bad_parameter("extension_info", f"at most {MAX_EXTENSION_INFO} bytes")
    check_depth(text)
    return text.decode()


def _slot(field: str, value: str | None) -> Slot:
    if value not in {None, *Slot}:
        raise bad_parameter(field, " or ".join(Slot))
    return Slot(value or Slot.PRIMARY)
