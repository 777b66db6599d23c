"""Training: the data as batches, and the step that learns from one."""
