"""Why a client does not come in."""

from bridge.mqtt import ReasonCode


class Refused(Exception):
    """The CONNECT is not accepted; `reason_code` goes into the CONNACK."""

    def __init__(self, reason_code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
