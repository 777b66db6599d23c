"""It cannot be imported."""

raise ImportError("no such library")
