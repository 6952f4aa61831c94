"""The text of the two OASIS standards as tests: MQTT 5.0 and MQTT 3.1.1.

`statements_v5.py` and `statements_v311.py` list every numbered statement, with whom it obliges. A test says which
statements it proves: the first by its name, `test_mqtt_3_1_2_22_…` for [MQTT-3.1.2-22] of version 5 and
`test_mqtt3_3_1_2_24_…` for [MQTT3-3.1.2-24] of version 3.1.1, others by `@proves("MQTT-3.2.2-22", …)`. A test with a
parameter `version` proves those of the version it runs with. Tests of other folders may carry the decorator, too.
`pytest -k MQTT-3.1.2-22` picks the tests of a statement.

The tests speak to the real broker through its port, packet by packet. Modules are cut like the chapters of the
standard.

`table.py` (`scripts/clauses`) prints each statement with the lines of `bridge/` that cite it and the tests that prove
it, and fails when a statement that obliges a server lacks either.
"""
