"""Draw the sample in a process of its own: a dataset that breaks its reader ends only that process."""
