"""A run's model card, made public and written to the Hub."""
