"""The configuration: frozen pydantic models, one module per part of the pipeline."""
