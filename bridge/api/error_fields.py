"""The header fields that belong to an error, whichever dialect tells it."""

import asyncio

from bridge.api import faults
from bridge.model import errors


def headers_of(error: BaseException) -> dict[str, str]:
    """Empty for most errors."""
    match error:
        case faults.NoCredentials():
            return {"WWW-Authenticate": "Bearer"}
        case faults.WrongMethod():
            return {"Allow": error.allow}
        case faults.UnsupportedCoding():
            return {"Accept-Encoding": "identity"}  # RFC 9110, section 12.5.3
        case faults.TooManyFailures() | errors.StoreUnavailable() | errors.TooManyWaiting():
            return {"Retry-After": "2" if isinstance(error, faults.TooManyFailures) else "1"}
        case asyncio.CancelledError():
            return {"Connection": "close"}
    return {}
