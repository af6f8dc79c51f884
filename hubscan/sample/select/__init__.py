"""Select the rows of the sample by their labels."""
