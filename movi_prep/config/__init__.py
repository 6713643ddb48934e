"""The configuration: frozen settings, one module per part of the pipeline."""
