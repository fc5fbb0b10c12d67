"""From two states of an object one: the patch formats, and the ownership of fields that server-side apply goes by."""
