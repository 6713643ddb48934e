"""Body models (SMPL, SMPL+H, SMPL-X): posed joints, markers and mesh (the only home of torch on the pipeline side)."""
