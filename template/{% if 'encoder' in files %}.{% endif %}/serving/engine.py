"""What computes the network on a CPU: PyTorch, ONNX Runtime or OpenVINO.

The column `engine` of tuning.py says which. For the others the network is exported when
the Space starts, once: the result is kept on the disk. Where that fails, or the engine is
not installed, PyTorch computes it.
"""

from __future__ import annotations

import copy
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.constants import HF_HOME

from serving.contract import revision
from serving.digest import digest
from serving.runtime import runtime

log = logging.getLogger("space")

KEPT = Path(HF_HOME) / "space-engines"
problem = ""  # why PyTorch computes in place of another engine


def compiled(network: Any, sample: Mapping[str, torch.Tensor]) -> Any:
    """What computes `network`, and is called like it; possibly itself.

    Args:
        sample: the arguments of a call with two requests.
    """
    global problem
    engine = runtime.tier.engine
    if engine == "pytorch" or runtime.device != "cpu":
        return network
    try:
        found = ENGINES[engine](network, sample)
        with torch.inference_mode():
            found(**sample)
    except Exception as error:  # noqa: BLE001  # each library has its own
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        log.warning("%s cannot compute this model, PyTorch does: %s", engine, problem)
        return network
    log.info("%s computes the model", engine)
    network.to("meta")  # its weights are not needed twice
    return found


def onnxruntime(network: Any, sample: Mapping[str, torch.Tensor]) -> Any:
    """An ONNX Runtime session, which any number of threads may use."""
    import onnxruntime as ort
    from transformers.exporters import ExportedModel, OnnxConfig, OnnxExporter

    folder = exported(network, sample, OnnxExporter(), OnnxConfig(dynamic=True))
    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, runtime.cpus // runtime.threads)
    options.inter_op_num_threads = 1
    # waiting threads would take the CPU from the page
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ExportedModel.from_pretrained(
        str(folder), device="cpu", session_options=options
    )


def openvino(network: Any, sample: Mapping[str, torch.Tensor]) -> Any:
    """An OpenVINO network with a stream for each thread."""
    from transformers.exporters import (
        ExportedModel,
        OpenVINOConfig,
        OpenVINOExporter,
    )

    folder = exported(network, sample, OpenVINOExporter(), OpenVINOConfig(dynamic=True))
    settings = {
        "INFERENCE_NUM_THREADS": runtime.cpus,
        "NUM_STREAMS": runtime.threads,
        "ENABLE_CPU_PINNING": False,  # it would put all streams on the same CPU
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}.get(
            runtime.dtype, "f32"
        ),
    }
    network = ExportedModel.from_pretrained(str(folder), device="cpu", config=settings)
    return OneForEachThread(next(iter(network.runners.values())))


class OneForEachThread:
    """A network of OpenVINO, which computes one batch at a time for each thread."""

    def __init__(self, runner: Any) -> None:
        self._runner, self._own = runner, threading.local()

    def __call__(self, **inputs: torch.Tensor) -> Any:
        """Compute a batch."""
        if not hasattr(self._own, "runner"):
            self._own.runner = copy.copy(self._runner)
            request = self._runner.compiled_model.create_infer_request()
            self._own.runner.request = request
        return self._own.runner(**inputs)


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino}


def exported(
    network: Any, sample: Mapping[str, torch.Tensor], exporter: Any, config: Any
) -> Path:
    """The folder with the exported network, made now or kept from an earlier start."""
    known = (
        runtime.model_id,
        revision(runtime.model_id),
        runtime.dtype,
        runtime.tier.engine,
        version("transformers"),
        version(runtime.tier.engine),
        sorted(sample),
        Path("model.py").read_bytes(),  # another network may have the same weights
    )
    folder = KEPT / str(digest(known))
    if folder.is_dir():
        return folder
    log.info("exporting the model for %s", runtime.tier.engine)
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as part:
        target = Path(part) / "network"
        exporter.export(network, dict(sample), config).save_pretrained(str(target))
        try:
            os.replace(target, folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
            shutil.rmtree(target)
    return folder
