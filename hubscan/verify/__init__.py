"""Fine-tune some checkpoints of a run, and compare their accuracy with the ranking."""
