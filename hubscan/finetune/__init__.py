"""Fine-tune one checkpoint on part of a sample, and measure its accuracy on the test rows.

`training` has the procedure; `candidate.tuned` returns the result that a ranking is compared with.
"""
