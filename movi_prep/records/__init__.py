"""Immutable values that flow between the parts of the pipeline (numpy only)."""
