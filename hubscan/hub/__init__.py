"""The Hub: its client, the listing, which checkpoints can be used, and their files."""
