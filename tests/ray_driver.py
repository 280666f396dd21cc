"""A local Ray with a Space on it, told what to do by lines of JSON; see ray_cluster.py.

It runs in the Space's folder. Its end, or that of its input, is the end of all it started.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import ray
from ray import serve
from ray.serve._private.api import serve_start
from ray.serve.schema import ServeDeploySchema

CPUS = 1  # Ray starts a process for each in advance; the copies ask for none
MEMORY_BYTES = 100 * 2**20


def main() -> None:
    """Do one thing after the other."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ray.init(num_cpus=CPUS, include_dashboard=False, object_store_memory=MEMORY_BYTES)
    client: Any = None
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "deploy":
            config = ServeDeploySchema.model_validate(told["config"])
            if client is None:
                http = config.http_options.model_dump()
                client = serve_start(http_options=http, proxy_location="HeadOnly")
            client.deploy_apps(config, _blocking=told["wait"])
        status = serve.status()
        states = {
            f"{name}/{key}": {
                "status": str(getattr(one.status, "value", one.status)),
                "message": one.message,
                "replicas": {str(state): n for state, n in one.replica_states.items()},
            }
            for name, application in status.applications.items()
            for key, one in application.deployments.items()
        }
        print(json.dumps(states), file=answers, flush=True)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
