"""Programs that maintainers run now and then; not part of the installed package."""
