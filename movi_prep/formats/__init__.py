"""One file format per module, its layout tabled on top; readers end in the validated records."""
