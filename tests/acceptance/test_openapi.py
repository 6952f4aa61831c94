"""What the description allows and forbids is sent to the daemon, and every answer is one that is described."""
