"""How much traffic a Space bears: one set of functions for `plan`, `tune` and the default values.

Data flows one way: time and memory of a batch, measured or estimated (`service`) → what a queue
makes of them at some rate of arrivals (`queue`) → the best values (`choice`).

Symbols, as in the literature on batch queues: b is the size of a batch, c the number of batches at
the same time, t(b) the time of a batch in seconds, h the server's own time per request.
"""
