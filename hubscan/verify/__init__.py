"""Fine-tune some checkpoints of a run, and compare the outcome with its ranking."""
