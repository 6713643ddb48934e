"""Looking at results: a page per clip with the moving model, films with the skeleton on them, files for other tools."""
