"""How `spaces-gen tune` finds the values of a Space on the machine it runs on.

`recorder` serves the Space and writes down what its model is asked; `probe` runs in the Space's
folder with the model alone and measures calls of it; both import nothing of this package, since
the Space may have a Python of its own. `process` talks to the probe, `sweep` decides what is
measured next, `fidelity` compares answers, `values` turns figures into a row of tuning.py, `show`
prints them.
"""
