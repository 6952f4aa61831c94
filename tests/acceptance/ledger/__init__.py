"""A ledger of what the daemon told and what devices, clients and pollers saw, kept outside of it while it is killed.

`book`          the facts, with their times
`rules`         what has to be true of them
`applications`  who sends, cancels, asks and polls
`devices`       who receives downlinks, in clean and kept sessions
`clients`       who publishes to whom on MQTT
`runner`        what all of them have in common: a thread
`site`          all of them around one daemon, through its kills
`faulty_daemon` the daemon with a known fault: a ledger that finds nothing there is of no use

By hand: python -m tests.acceptance.ledger --kills 100
"""
