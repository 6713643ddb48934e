"""The quality report: one page for the corpus and one per subject, from the files in the work folder."""
