"""Measures the daemon against its budgets. `scripts/bench` is the entry.

__main__.py  the command: one subcommand a benchmark
deliver.py   accept → PUBACK → DELIVERED, against a bare echo
scale.py     the cost of one message with many devices and many stored messages
drain.py     working off a stored backlog
memory.py    RSS of idle devices and of waiting messages
match.py     finding the subscribers of a topic among many subscriptions
fanout.py    one client to thousands and thousands to one, against Mosquitto
servers.py   the daemon and the echo as processes, and what the operating system says about them
echo.py      the bare Starlette echo
load.py      the load generator, a process of its own: HTTP senders and MQTT devices
sender.py    one keep-alive connection that posts
device.py    one device that acknowledges
peers.py     clients of whatever broker, for fanout
plan.py      what a load generator is told, and what it reports
fill.py      devices and messages written straight into the database
machine.py   what this runs on
table.py     figures as text
"""
