"""What can go wrong in the core. Dialects turn these into their own codes.

BridgeError
├── UnknownDevice          no such device in this project
├── UnknownMessage         no such message for this device
├── DuplicateMessage       this device already has a message with that id
├── DuplicateDevice        the project already has a device with that id
├── UnknownToken           no access token of that name
├── DuplicateToken         the project already has an access token of that name
├── QueueFull              the device has as many PENDING messages as the configuration allows
├── BadSettings            the configuration asks for something that cannot work
└── StoreUnavailable       the disk or the database refuses; nothing was accepted
"""


class BridgeError(Exception):
    """Base of all errors that a caller of the core has to expect."""


class UnknownDevice(BridgeError):
    pass


class UnknownMessage(BridgeError):
    pass


class DuplicateMessage(BridgeError):
    pass


class DuplicateDevice(BridgeError):
    pass


class UnknownToken(BridgeError):
    pass


class DuplicateToken(BridgeError):
    pass


class QueueFull(BridgeError):
    pass


class StoreUnavailable(BridgeError):
    pass


class BadSettings(BridgeError):
    pass
