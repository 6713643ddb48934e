"""What maintainers run once in a while; not part of the installed package."""
