"""What the server says about itself: its groups, versions and resources, and their OpenAPI schemas."""
