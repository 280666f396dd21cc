"""What stands between Gradio and model.py.

A request's way:

1. Gradio's queue hands it to the function in app.py, which awaits `Server.answer`
   (server.py).
2. `model.prepare` decodes and checks it in a thread. Bad input ends here, for this
   visitor alone.
3. The batcher (batcher.py) lets a free worker take what waits: similar requests
   together, the same request once, at most as much as tuning.py allows on this hardware
   (runtime.py).
4. `model.predict` runs. If it fails, the batch is split until only the culprit gets the
   error.

Answers to the examples are kept on disk (examples.py).
"""
