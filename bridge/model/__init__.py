"""The words everything else speaks: messages, devices, principals, access keys, topics, errors. Pure, no I/O."""
