"""Everything between Gradio and model.py; the same in every Space. A request's way:

1. It comes through Gradio's queue (`gradio_queue`, `launch`) or the direct route (`api`,
   with the checks of the page's components in `endpoint`). Both let in as many as `line`
   allows, which also knows how long a newcomer waits.
2. `server` looks whether the answer is kept: for good, if the request is one of the
   examples (`examples`), or for a day (`cache`). Equal requests at the same time become
   one.
3. The model runs in a process of its own (`worker`), so that the page and the model never
   wait for each other, and a model that crashes or hangs is replaced while the page stays
   up (`processes`, each of them a `process`; what the two say to each other is in
   `messages`). On ZeroGPU the platform makes that process (`zero_gpu`).
4. There the request is prepared on its own: `model.prepare` checks and converts it, while
   the model is busy with others. Bad input ends here, with a sentence for its visitor.
5. The `batcher` takes the oldest request and those most like it as soon as a worker is
   free, and calls `model.predict`. An error is narrowed down to the request that causes it.
   A chat has `model.stream` instead, where all conversations share each step.
6. The answer goes to whoever asked. Who left is dropped before the model sees the request,
   and a stream stops.

`place` says where 3 happens and who serves the page: both here, unless told otherwise.
`machine` finds out where the Space runs and which row of tuning.py applies; `contract` is
what model.py may define; `metrics` counts.
"""
