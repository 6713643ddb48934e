"""Pipelines as YAML: what to run on what."""
