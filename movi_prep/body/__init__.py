"""The SMPL+H body model: posed joints, markers and mesh (the only home of torch on the pipeline side)."""
