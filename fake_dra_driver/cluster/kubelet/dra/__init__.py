"""Dynamic resource allocation on a node: the plugins that have registered, and the claims they prepare for pods."""
