"""What the notebooks lean on: data, drawing, loops and widget plumbing.

Nothing is imported here, so ``import helpers`` costs milliseconds; take the module that you need.

Example:
    >>> from helpers import masks
    >>> masks.keep_prob_of_rate(0.2)
    0.8
"""
