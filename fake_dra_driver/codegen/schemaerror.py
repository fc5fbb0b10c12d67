"""The error of a kind that cannot be a CustomResourceDefinition."""

__all__ = ["SchemaError"]


class SchemaError(Exception):
    """A model says what a structural schema cannot. The message names class and field, and says what to do."""
