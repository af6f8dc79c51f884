"""Dense linear algebra for the coding rates, in numpy or on a torch device."""
