"""What several test modules need: plain modules, named for what they hold."""
