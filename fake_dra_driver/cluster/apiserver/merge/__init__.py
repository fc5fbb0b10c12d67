"""How two states of an object become one: the patch formats, and the field ownership behind server-side apply."""
