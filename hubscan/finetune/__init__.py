"""One checkpoint and the sample in, how well it does once fine-tuned on part of the rows, out.

What `candidate.tuned` gives is what a ranking is held against; `training` has the recipe.
"""
