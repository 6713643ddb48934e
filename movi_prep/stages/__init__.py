"""The stages of the pipeline: each reads, calls and writes."""
