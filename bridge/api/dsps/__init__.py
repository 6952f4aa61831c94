"""The dialect of DSPS: channels, polling subscribers, acknowledgement.

settings.py   section [channels] of the configuration
polling.py    a subscriber's calls: subscribe, poll, acknowledge
stream.py     the same by Server-Sent Events
channels.py   publish, and what there is
admin.py      probes, log level, revocation of a JSON Web Token
gate.py       who may do what in which channel
rules.py      which channels there may be, and for whom
tokens.py     JSON Web Tokens; token_settings.py: section [channels.jwt]
parse.py      ids, query parameters, contents
duration.py   Go's durations
handle.py     the acknowledgement handle
render.py     bodies of answers
errors.py     the error table
describe.py   what operations have in common, for /openapi.json
dialect.py    all paths
"""
