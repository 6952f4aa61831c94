"""A client that signs its requests, written from the vendor's description; it shares nothing with the server's code."""

import dataclasses
import hashlib
import hmac
import string
from typing import Self

AK = "AKFORTHEAPPLICATION0"
SK = "sk-of-the-application-40-characters-long"
READER_AK = "AKFORTHEREADER000000"
READER_SK = "sk-of-the-reader-which-has-40-characters"
PUSHER_AK = "AKFORTHEPUSHER000000"
MANAGER_AK = "AKFORTHEMANAGER00000"
STRANGER_AK = "AKFORTHESTRANGER0000"
DATE = "20260420T090235Z"
REGION = "cn-north-4"
SERVICE = "iotdm"
HELLO = '{"message":"hello"}'

_UNRESERVED = set(string.ascii_letters + string.digits + "-._~")


@dataclasses.dataclass(frozen=True)
class Outgoing:
    """A request as its sender thinks of it. `signed` adds what a signature needs; `wire` is what goes out."""

    method: str = "POST"
    path: str = "/v5/iot/plant/devices/lamp-1/messages"
    params: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = (
        ("User-Agent", "huaweicloud-usdk-python/3.0"),
        ("Content-Type", "application/json"),
        ("X-Project-Id", "plant"),
        ("Host", "bridge.example:8080"),
    )
    body: str = HELLO
    target: str | None = None
    """The request line's, when it is to differ from what path and params make."""

    def signed(
        self,
        *,
        ak: str = AK,
        sk: str = SK,
        date: str = DATE,
        scope: str | None = None,
        names: tuple[str, ...] | None = None,
        content_hash: str | None = None,
    ) -> Self:
        """With X-Sdk-Date and Authorization. `scope`: sign with the key derived for that; `names`: sign only these."""
        fields = (*self.fields, ("X-Sdk-Date", date))
        names = names or tuple(sorted(name.lower() for name, _ in fields))
        canonical = self._canonical({name.lower(): value for name, value in fields}, names, content_hash)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        if scope is None:
            start, key = f"SDK-HMAC-SHA256 Access={ak}", sk.encode()
            text = f"SDK-HMAC-SHA256\n{date}\n{digest}"
        else:
            start, key = f"V11-HMAC-SHA256 Credential={ak}/{scope}", hkdf(sk, ak, scope).hex().encode()
            text = f"V11-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        authorization = f"{start}, SignedHeaders={';'.join(names)}, Signature={signature}"
        return dataclasses.replace(self, fields=(*fields, ("Authorization", authorization)))

    def wire(self) -> bytes:
        query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in self.params)
        target = self.target or encoded(self.path, "/") + ("?" + query if query else "")
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.fields)]
        body = self.body.encode()
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def having(self, name: str, value: str) -> Self:
        """With another value in one field."""
        fields = tuple((known, value if known == name else old) for known, old in self.fields)
        return dataclasses.replace(self, fields=fields)

    def adding(self, name: str, value: str) -> Self:
        return dataclasses.replace(self, fields=(*self.fields, (name, value)))

    def lacking(self, name: str) -> Self:
        return dataclasses.replace(self, fields=tuple(field for field in self.fields if field[0] != name))

    def authorized(self, old: str, new: str) -> Self:
        """With a part of the Authorization header exchanged."""
        value = dict(self.fields)["Authorization"]
        assert old in value
        return self.having("Authorization", value.replace(old, new))

    def _canonical(self, fields: dict[str, str], names: tuple[str, ...], content_hash: str | None) -> str:
        query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(self.params))
        lines = "".join(f"{name}:{fields[name]}\n" for name in names)
        digest = content_hash or hashlib.sha256(self.body.encode()).hexdigest()
        return f"{self.method}\n{encoded(self.path, '/')}/\n{query}\n{lines}\n{';'.join(names)}\n{digest}"


def encoded(text: str, also: str = "") -> str:
    """Percent-encoding (RFC 3986): everything but the unreserved characters and `also`."""
    safe = _UNRESERVED | set(also)
    return "".join(char if (char := chr(byte)) in safe else f"%{byte:02X}" for byte in text.encode())


def hkdf(ikm: str, salt: str, info: str, length: int = 32) -> bytes:
    """RFC 5869 with SHA-256, as it is written there."""
    prk = hmac.new(salt.encode(), ikm.encode(), hashlib.sha256).digest()
    okm = block = b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.new(prk, block + info.encode() + bytes([count]), hashlib.sha256).digest()
        okm += block
    return okm[:length]
