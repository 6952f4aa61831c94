from bridge.mqtt import Properties
from tests.mqtt.property_packets import PROPERTIES
from tests.mqtt.strategies import VALUES


def test_the_table_of_the_tests_is_complete() -> None:
    names = [next(iter(row.properties)) for row in PROPERTIES]
    assert sorted(names) == sorted(Properties.__annotations__)
    assert len({row.raw[0] for row in PROPERTIES}) == len(names) == 27


def test_the_strategies_know_every_property() -> None:
    elsewhere = {"authentication_method", "subscription_identifiers"}
    assert set(VALUES) | elsewhere == set(Properties.__annotations__)
