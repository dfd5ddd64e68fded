"""Importing this module does what helpers.quiet does, and loads scikit-learn for keras.wrappers.

Keras looks for scikit-learn once, when it is imported; so import this module first.

Example:
    >>> import helpers.wrappers
    >>> import keras
    >>> keras.wrappers.SKLearnClassifier.__name__
    'SKLearnClassifier'
"""

from helpers import interrupts

# what is interrupted halfway through an import cannot be imported again
with interrupts.held():
    import sklearn.pipeline  # noqa: F401  which Keras 3.12 takes to be loaded

import helpers.quiet  # noqa: F401
