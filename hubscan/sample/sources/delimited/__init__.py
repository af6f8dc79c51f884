"""Read csv and tsv files as a stream, with the line of every cell that cannot be read."""
