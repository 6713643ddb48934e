"""The only importer of opensim: models, scaling, inverse kinematics."""
