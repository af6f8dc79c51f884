"""Where rows come from: one split of a dataset, opened but not yet read."""
