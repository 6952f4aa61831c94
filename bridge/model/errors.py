"""What can go wrong in the core. Dialects turn these into their own codes.

BridgeError
├── UnknownDevice          no such device in this project
├── UnknownMessage         no such message for this device
├── DuplicateMessage       this device already has a message with that id
├── ForeignTopic           the topic belongs to another device
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
├── KeyReused              an idempotency key came with another request before
├── RepeatedTooLate        what the repeated request had made is gone
├── UnknownTask            no such batch task in this project
├── WrongTaskState         the batch task is not in a state in which that can be done
├── TooManyTasks           the project has as many unfinished batch tasks as are allowed
├── Withdrawn              the batch task does not want this message any more
├── UnknownRule            the project has no rule with that id
├── UnknownAction          the project has no action with that id
├── TooManyRules           the project has as many rules as one may have
├── TooManyActions         the rule has as many actions as one may have
├── UnknownSubscriber      the channel has no subscriber of that name, or it was away for too long
├── QueueFull              the device has as many PENDING messages as the configuration allows
├── TooManySubscribers     channels have as many subscribers as the configuration allows
├── TooManyWaiting         as many calls wait for the reply of a device as the configuration allows
├── UnknownNotification    no notification with that id, or about that message
├── AlreadyProcessed       the notification is processed, and cannot be confirmed any more
├── PastTime               it cannot be done then: that moment is over
├── TooBroad               to answer, more would have to be looked through than is allowed
├── BadSettings            the configuration asks for something that cannot work
└── StoreUnavailable       the disk or the database refuses; nothing was accepted
    └── OutcomeUnknown     the disk failed at the last step: whether it was stored shows after a crash
"""


class BridgeError(Exception):
    """Base of all errors that a caller of the core has to expect."""


class UnknownDevice(BridgeError):
    pass


class UnknownMessage(BridgeError):
    pass


class DuplicateMessage(BridgeError):
    pass


class ForeignTopic(BridgeError):
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


class KeyReused(BridgeError):
    pass


class RepeatedTooLate(BridgeError):
    pass


class UnknownTask(BridgeError):
    pass


class WrongTaskState(BridgeError):
    pass


class TooManyTasks(BridgeError):
    pass


class Withdrawn(BridgeError):
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


class TooManySubscribers(BridgeError):
    pass


class TooManyWaiting(BridgeError):
    pass


class StoreUnavailable(BridgeError):
    pass


class OutcomeUnknown(StoreUnavailable):
    pass


class BadSettings(BridgeError):
    pass


class UnknownNotification(BridgeError):
    pass


class AlreadyProcessed(BridgeError):
    pass


class PastTime(BridgeError):
    pass


class TooBroad(BridgeError):
    """`reached`: what is younger than that has been looked through, milliseconds since the epoch."""

    def __init__(self, reached: int) -> None:
        super().__init__(f"looked through everything after {reached}")
        self.reached = reached
