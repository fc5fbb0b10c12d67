"""What a DeviceProfile makes of a node: its devices, and what containers get for them. Pure."""
