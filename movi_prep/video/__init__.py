"""Video in, crops out (the only importer of cv2 on the pipeline side)."""
