from bridge.model.push import position_of, webhook_id
from bridge.webhooks.signature import signed

ACTION = "37f25ecc-60eb-48e5-8e6c-72580a9125f7"
PUBLISHED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32


def test_the_vector_of_the_standard() -> None:
    head = signed([PUBLISHED], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert head == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_make_two_signatures() -> None:
    first, second = (signed([secret], "m", 1, b"x")["webhook-signature"] for secret in (PUBLISHED, OTHER))
    assert first != second
    assert signed([PUBLISHED, OTHER], "m", 1, b"x")["webhook-signature"] == f"{first} {second}"


def test_an_id_is_that_of_one_event_and_one_action() -> None:
    pushed = webhook_id(ACTION, 4294967297)
    assert pushed == "msg_37f25ecc60eb48e58e6c72580a9125f7_100000001"
    assert position_of(ACTION, pushed) == 4294967297
    other = "00000000-0000-4000-8000-000000000000"
    for wrong in (webhook_id(other, 1), "", "msg_", pushed + "x", pushed + "0" * 20, pushed.upper(), pushed[:37]):
        assert position_of(ACTION, wrong) is None
