"""Sessions of clients in containers: ``podsessions`` opens them, the other modules are what is done in them."""
