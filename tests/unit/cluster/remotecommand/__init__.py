"""Streams of sessions: framing, negotiation, bounds, and clients that go away."""
