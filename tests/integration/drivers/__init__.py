"""The drivers of demo/drivers in embedded clusters, in both protocols of DRA, as their charts install them."""
