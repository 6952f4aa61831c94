"""The Rightech dialect: an inbox of messages with a history behind it."""
