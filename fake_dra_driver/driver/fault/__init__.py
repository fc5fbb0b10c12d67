"""What DeviceFaults do to the devices of a node. Pure."""
