"""`@proves("MQTT-3.1.2-22", "MQTT3-3.1.2-24")`: what a test proves besides the statement in its name."""

import pytest


def proves(*statements: str) -> pytest.MarkDecorator:
    return pytest.mark.proves(*statements)
