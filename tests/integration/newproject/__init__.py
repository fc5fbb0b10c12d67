"""The project that `new` writes: its own tests and its demo."""
