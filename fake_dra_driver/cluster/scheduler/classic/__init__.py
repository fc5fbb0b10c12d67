"""What the scheduler does for classic DRA: it negotiates with drivers through PodSchedulingContexts."""
