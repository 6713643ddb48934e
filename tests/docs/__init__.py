"""The documentation: its site, and what its pages say to type."""
