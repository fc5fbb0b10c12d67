"""Tables: what ``kubectl get`` shows of built-in and of custom objects."""
