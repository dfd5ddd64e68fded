"""What the notebooks lean on, in the order in which you meet it. Nothing is imported here.

masks         the arithmetic of dropout in NumPy: masks, scaling, moments, thinned networks
plots         drawing: arrays or histories in, figures out
widgets       panels: a slider, a picture, a sentence that says what it shows
live          panels that compute in the page, without a kernel
evidence      intervals, findings, and the table of claims
exercises     instant answers to the exercises
environment   is this machine ready?
data          the data sets: bundled samples, whole sets, an offline mirror
training      train one Keras model for many epochs, fast
sweeps        train many small networks at once
layers        the few Keras layers that the course needs and Keras lacks
records       full-scale runs: load, resume, compare with what was published

`_engine` is machinery that no lesson imports; `authors` holds what authors run.
"""
