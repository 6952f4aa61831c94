"""What can go wrong in the core. Dialects turn these into their own codes.

BridgeError
├── UnknownDevice          no such device in this project
├── UnknownMessage         no such message for this device
├── DuplicateMessage       this device already has a message with that id
├── DuplicateDevice        the project already has a device with that id
├── UnsuitableGateway      a device cannot be behind this one: there is none, or it is too far from a connection itself
├── HasSubDevices          a device cannot be removed before those behind it
├── IsSubDevice            a device behind a gateway has no connection of its own
├── AlreadyFrozen          the device is frozen
├── NotFrozen              the device is not frozen
├── WrongAuthType          the device does not log in with what is to be replaced
├── UnknownToken           no access token of that name
├── DuplicateToken         the project already has an access token of that name
├── UnknownAccessKey       no access key of that name
├── DuplicateAccessKey     the project already has an access key of that name
├── UnknownRule            the project has no rule with that id
├── UnknownAction          the project has no action with that id
├── TooManyRules           the project has as many rules as one may have
├── TooManyActions         the rule has as many actions as one may have
├── UnknownSubscriber      the channel has no subscriber of that name, or it was away for too long
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


class UnsuitableGateway(BridgeError):
    pass


class HasSubDevices(BridgeError):
    pass


class IsSubDevice(BridgeError):
    pass


class AlreadyFrozen(BridgeError):
    pass


class NotFrozen(BridgeError):
    pass


class WrongAuthType(BridgeError):
    pass


class UnknownToken(BridgeError):
    pass


class DuplicateToken(BridgeError):
    pass


class UnknownAccessKey(BridgeError):
    pass


class DuplicateAccessKey(BridgeError):
    pass


class UnknownRule(BridgeError):
    pass


class UnknownAction(BridgeError):
    pass


class TooManyRules(BridgeError):
    pass


class TooManyActions(BridgeError):
    pass


class UnknownSubscriber(BridgeError):
    pass


class QueueFull(BridgeError):
    pass


class StoreUnavailable(BridgeError):
    pass


class BadSettings(BridgeError):
    pass
