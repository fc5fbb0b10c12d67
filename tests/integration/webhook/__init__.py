"""The admission webhook as a program, and in front of it a real API server."""
