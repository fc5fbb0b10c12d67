"""What is served and what it looks like: resources, the types of objects, their metadata, and selectors over them."""
