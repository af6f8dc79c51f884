"""Which rows make the sample: labels in, the drawn rows out."""
