"""The programs of the embedded cluster, as a person starts them."""
