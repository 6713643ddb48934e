"""Trials: marker files of any origin, and OpenSim's own documents, without the stages of a recording.

marker_names     markers whose names differ from the model's by case or by a prefix
marker_files     scaling and inverse kinematics of .trc files
scale_trial      a model scaled to a static trial
trial_input      marker files as they are solved: axes, time range, names
tool_documents   what OpenSim's tools do with their set-up documents
tool_reports     the files that OpenSim's inverse kinematics tool writes
trial_results    the result of a trial: files, numbers, findings
"""
