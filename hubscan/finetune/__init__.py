"""Fine-tune one checkpoint on part of a sample, and measure it on the rest.

`training` has the recipe, and `candidate.tuned` gives the result that a ranking is compared with.
"""
