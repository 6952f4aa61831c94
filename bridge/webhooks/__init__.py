"""Events pushed to applications over HTTP: signed, in order for each device, again and again until they are taken.

Nothing is imported here: the configuration needs the settings only, and a command that reads it should not wait for an
HTTP library.
"""
