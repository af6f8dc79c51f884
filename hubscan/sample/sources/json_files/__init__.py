"""Read JSON files, by lines or as one document, as a stream of rows."""
