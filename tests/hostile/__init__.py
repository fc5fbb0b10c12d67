"""Hostile input: whatever comes in at a door is refused there in words, and nobody else notices."""
