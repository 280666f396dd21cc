"""What model.py needs to know about the machine it runs on.

`runtime` is filled at import, before PyTorch: ZeroGPU must be set up first, and the
number of threads is read when PyTorch starts. Only the process of the model imports
this module.
"""

from __future__ import annotations

from serving.machine import start

runtime = start()
