"""What a node has at each moment: the profile that describes it, and the faults that have hit it."""
