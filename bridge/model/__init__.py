"""The words everything else speaks: messages, devices, principals, topics, errors. Pure data, no I/O."""
