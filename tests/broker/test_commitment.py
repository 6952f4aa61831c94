import pytest

from bridge.broker.commitment import Commitment
from bridge.mqtt import Publish, ReasonCode

PUBLISH = Publish("a", b"b", 1)
OK, NOBODY, FAILED, QUOTA = (
    ReasonCode.SUCCESS,
    ReasonCode.NO_MATCHING_SUBSCRIBERS,
    ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
    ReasonCode.QUOTA_EXCEEDED,
)


class Told(list[ReasonCode]):
    def kept(self, publish: Publish, reason: ReasonCode) -> None:
        assert publish is PUBLISH
        self.append(reason)


@pytest.mark.parametrize(
    ("answers", "otherwise", "reason"),
    [((), OK, OK), ((), NOBODY, NOBODY), ((OK, OK), NOBODY, NOBODY), ((OK, QUOTA, FAILED), OK, QUOTA)],
)
def test_what_is_known_at_once_is_acknowledged_at_once(
    answers: tuple[ReasonCode, ...], otherwise: ReasonCode, reason: ReasonCode
) -> None:
    told = Told()
    commitment = Commitment(PUBLISH, told.kept)
    for answer in answers:
        assert commitment.add(answer) is answer
    assert commitment.close(otherwise) is reason
    assert told == []


@pytest.mark.parametrize(
    ("settled", "otherwise", "reason"),
    [((OK, OK), OK, OK), ((OK, OK), NOBODY, NOBODY), ((FAILED, OK), NOBODY, FAILED), ((FAILED, QUOTA), OK, QUOTA)],
)
def test_the_last_one_tells_the_worst(
    settled: tuple[ReasonCode, ReasonCode], otherwise: ReasonCode, reason: ReasonCode
) -> None:
    told = Told()
    commitment = Commitment(PUBLISH, told.kept)
    commitment.add(None)
    commitment.add(None)
    assert commitment.close(otherwise) is None
    commitment.settle(PUBLISH, settled[0])
    assert told == []
    commitment.settle(PUBLISH, settled[1])
    assert told == [reason]


def test_what_was_settled_before_the_end_is_not_waited_for() -> None:
    told = Told()
    commitment = Commitment(PUBLISH, told.kept)
    commitment.add(None)
    commitment.settle(PUBLISH, OK)
    assert commitment.close(NOBODY) is NOBODY
    assert told == []
