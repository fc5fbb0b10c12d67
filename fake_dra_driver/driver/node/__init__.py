"""The Fake devices on a node: preparing claims, recovery after a stop, and what the node's object says of it."""
