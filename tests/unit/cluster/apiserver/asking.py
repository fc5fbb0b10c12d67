"""What tests send to the server."""

from collections.abc import Callable
from typing import Any

__all__ = ["APPLY", "JSON_PATCH", "MERGE", "STRATEGIC", "Ask"]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

Ask = Callable[..., Any]
"""The fixture ``ask``: sends a request and gives the decoded answer."""
