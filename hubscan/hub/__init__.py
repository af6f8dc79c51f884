"""Access the Hub: list checkpoints, decide which can be used, and fetch their files."""
