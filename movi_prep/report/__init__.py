"""The quality report: one page for the corpus and one per subject, from what stands in the work folder."""
