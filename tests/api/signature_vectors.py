"""Requests with the signatures that the vendor's Python SDK (huaweicloudsdkcore 3.1.219) made for them."""

from typing import NamedTuple

from bridge.api.signature import Fields

AK = "QTWAOYTTINDUT2QVKYUC"
SK = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
DATE = b"20260420T090235Z"
MESSAGES = "/v5/iot/plant/devices/lamp-1/messages"
SCOPE = "20260420/cn-north-4/iotdm"
USUAL = "content-type;host;user-agent;x-project-id;x-sdk-date"

_FIELDS = [
    (b"user-agent", b"huaweicloud-usdk-python/3.0; -"),
    (b"content-type", b"application/json"),
    (b"x-project-id", b"plant"),
    (b"x-sdk-date", DATE),
    (b"host", b"bridge.example:8080"),
]


class Vector(NamedTuple):
    name: str
    method: str
    target: str
    """As it stood in the request line."""
    body: bytes
    signature: str
    derived: bool = False
    signed: str = USUAL
    more: tuple[tuple[bytes, bytes], ...] = ()
    """Header fields besides the usual ones."""

    @property
    def fields(self) -> Fields:
        return [*_FIELDS, *self.more]

    @property
    def authorization(self) -> bytes:
        start = f"V11-HMAC-SHA256 Credential={AK}/{SCOPE}" if self.derived else f"SDK-HMAC-SHA256 Access={AK}"
        return f"{start}, SignedHeaders={self.signed}, Signature={self.signature}".encode()


VECTORS = [
    Vector(
        "create",
        "POST",
        MESSAGES,
        '{"message": "héllo", "ttl": 5}'.encode(),
        "a3716c3d4a248f7dfd7812a68abb16a824b46f9330726004b820aca9a6e0d643",
    ),
    Vector("no body", "GET", MESSAGES, b"", "c991a23b05598b97d0b9bd7f0b8890a1b1b3220df19407da5f7c38d2cb95f62c"),
    Vector(
        "delete", "DELETE", MESSAGES + "/m-1", b"", "5ff4c6748a7f1bb5efa723e4cdd0c8090db974a1dc22b7ea9a3f475c0f079377"
    ),
    Vector(
        "post without a body",
        "POST",
        "/v5/iot/plant/devices/lamp-1/freeze",
        b"",
        "c1aef25282ce129a00bae67bfb12d779c5e4cb26339494a401bd4dc242cb2d91",
    ),
    Vector(
        "query",
        "GET",
        MESSAGES + "?Z=&a=w&a=x&a=y&flag=true&limit=10&marker=a%20b%2Bc~d%2Ae%2Ff&%E5%90%8D=%E7%81%AF%20%C3%A4",
        b"",
        "3e861d59d4d2d92222efd89acbefe80a450fd70715c9b31ca1215b98e73986a4",
    ),
    Vector(
        "repeated parameter",
        "GET",
        MESSAGES + "?tag=&tag=a&tag=b&tag=%C3%A4&tag.1=x",
        b"",
        "86d82b4dea8b93120ada2b2eae31c27567f53fa254538466dce110c9346ba9dd",
    ),
    Vector(
        "path",
        "GET",
        "/v5/iot/plant/devices/a%20b~c%2541%E7%81%AF%3A%C3%A9%2Fx%3Fy%26z%3D%C3%BC%3B%24/messages",
        b"",
        "fb65391146a08a9276e0e8ad19cc8e705660dbfa48d905c40804fe569d8b9373",
    ),
    Vector(
        "slash at the end",
        "GET",
        MESSAGES + "/",
        b"",
        "c991a23b05598b97d0b9bd7f0b8890a1b1b3220df19407da5f7c38d2cb95f62c",
    ),
    Vector(
        "more header fields",
        "POST",
        MESSAGES,
        b"{}",
        "6a8ac96a15887191870aa5e83cb71830d563315da8a81c0a536bf0b12f7ccc25",
        signed="content-type;host;instance-id;user-agent;x-name;x-project-id;x-sdk-date",
        more=((b"instance-id", b"i-1  x"), (b"x-name", "灯".encode()), (b"unsigned_one", b"x")),
    ),
    Vector(
        "hash of the body, in capitals",
        "POST",
        MESSAGES,
        b"{}",
        "67c656cc4dbc245c0b2714aa22240c1c4e5f11f43d8450fcca96d177ca605c8b",
        signed="content-type;host;user-agent;x-project-id;x-sdk-content-sha256;x-sdk-date",
        more=((b"x-sdk-content-sha256", b"44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A"),),
    ),
    Vector(
        "derived",
        "POST",
        MESSAGES,
        b'{"message": "hello"}',
        "184b5cc85307a23efb6c73bc0ca136ff427b4bfea81e72aae8c44239e3a9f6db",
        derived=True,
    ),
    Vector(
        "derived, no body",
        "GET",
        MESSAGES + "?limit=10",
        b"",
        "ad5f60464b95a6feded4b348a50365a990aaa8017b662ba5d412f5ce2c49fcc4",
        derived=True,
    ),
]
