"""What a RayService of KubeRay may say, as a JSON schema.

Names and types are those of KubeRay's API reference, https://ray-project.github.io/kuberay/ as of
version 1.4: later ones have only added fields, so what is valid here is so there. What is of
Kubernetes itself, such as the template of a pod, is left to its own schema.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

KUBERNETES = "1.28"  # which that reference names
DEFINITIONS = f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict/_definitions.json"
CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
# Kubernetes' schema takes any text for it, a server does not: "8Gi" or "500m", but not "8GB"
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)"
QUANTITIES = {
    "anyOf": [
        {"type": "string", "pattern": rf"^{NUMBER}([KMGTPE]i|[numkMGTPE]|[eE]{NUMBER})?$"},
        {"type": "number"},
    ]
}

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def of(name: str, group: str = CORE) -> dict[str, Any]:
    """A type of Kubernetes."""
    return {"$ref": f"urn:kubernetes#/$defs/{group}{name}"}


def one_of(*values: str) -> dict[str, Any]:
    """A text."""
    return {"enum": list(values)}


def many(of_which: dict[str, Any]) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": of_which}


def fields(*required: str, **known: dict[str, Any]) -> dict[str, Any]:
    """An object that has no others."""
    return {
        "type": "object",
        "properties": known,
        "required": list(required),
        "additionalProperties": False,
    }


AUTOSCALER = fields(
    resources=of("ResourceRequirements"),
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    securityContext=of("SecurityContext"),
    idleTimeoutSeconds=COUNT,
    upscalingMode=one_of("Default", "Aggressive", "Conservative"),
    version=one_of("v1", "v2"),
    env=many(of("EnvVar")),
    envFrom=many(of("EnvFromSource")),
    volumeMounts=many(of("VolumeMount")),
)
CREDENTIAL = fields(value=TEXT, valueFrom=of("EnvVarSource"))
FAULT_TOLERANCE = fields(
    "redisAddress",
    redisAddress=TEXT,
    redisUsername=CREDENTIAL,
    redisPassword=CREDENTIAL,
    externalStorageNamespace=TEXT,
)
HEAD = fields(
    *("rayStartParams", "template"),
    rayStartParams=TEXTS,
    template=of("PodTemplateSpec"),
    headService=of("Service"),
    enableIngress=FLAG,
    serviceType=one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
)
WORKERS = fields(
    *("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    idleTimeoutSeconds=COUNT,
    rayStartParams=TEXTS,
    template=of("PodTemplateSpec"),
    scaleStrategy=fields(workersToDelete=many(TEXT)),
    numOfHosts=COUNT,
    suspend=FLAG,
)
CLUSTER = fields(
    "headGroupSpec",
    headGroupSpec=HEAD,
    workerGroupSpecs=many(WORKERS),
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=AUTOSCALER,
    gcsFaultToleranceOptions=FAULT_TOLERANCE,
    headServiceAnnotations=TEXTS,
    managedBy=one_of("ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"),
    suspend=FLAG,
)
SERVICE = fields(
    *("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayService"},
    metadata=of("ObjectMeta", META),
    spec=fields(
        "rayClusterConfig",
        rayClusterConfig=CLUSTER,
        serveConfigV2=TEXT,
        serveService=of("Service"),
        upgradeStrategy=fields(type=one_of("NewCluster", "None")),
        excludeHeadPodFromServeSvc=FLAG,
    ),
)


@cache
def validator() -> Draft202012Validator:
    """Checks a RayService."""
    definitions = schema_contents(DEFINITIONS, KUBERNETES)
    definitions["$id"] = "urn:kubernetes"
    definitions["$defs"][QUANTITY] = QUANTITIES
    known: Registry[Any] = Registry().with_resource(
        "urn:kubernetes", Resource.from_contents(definitions)
    )
    return Draft202012Validator(SERVICE, registry=known)


def problems(service: Any) -> list[str]:
    """Where it is none, and why."""
    return [f"{one.json_path}: {one.message}" for one in validator().iter_errors(service)]
