"""Custom resources: what a CustomResourceDefinition has to be, the resource that it makes, and the objects of that."""
