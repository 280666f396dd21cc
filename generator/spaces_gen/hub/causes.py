"""Why a Space does not start, by what its log says."""

from __future__ import annotations

import re

LAST_LINES = 20

# The first that is found in the log, from its end, counts. {0} is what the pattern captures.
CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"No @spaces\.GPU function detected",
            "no function that the page calls is decorated with @spaces.GPU",
        ),
        (
            r"torch version .* not compatible with ZeroGPU",
            "ZeroGPU has no such torch: take the pin out of requirements.txt",
        ),
        (
            r"No module named ['\"]?([\w.]+)",
            "the package of {0} is missing: add it to requirements.txt",
        ),
        (
            r"ResolutionImpossible|conflicting dependencies|incompatible versions",
            "requirements.txt asks for versions that do not go together, or not with Gradio's",
        ),
        (
            r"No matching distribution found for (\S+)",
            "there is no {0} for this Python: correct requirements.txt or python_version",
        ),
        (
            r"Could not open requirements file|Invalid requirement",
            "requirements.txt cannot be read by pip",
        ),
        (
            r"CUDA out of memory|OutOfMemoryError",
            "the GPU's memory is too small for this model: choose larger hardware",
        ),
        (
            r"Memory limit exceeded|OOMKilled|exit code:? 137|exceeded .*memory",
            "the machine's memory is too small for this model: choose larger hardware",
        ),
        (
            r"No space left on device|storage limit exceeded|evicted",
            "the disk is full: load fewer or smaller files, or choose larger hardware",
        ),
        (
            r"No CUDA GPUs are available|Found no NVIDIA driver|not compiled with CUDA",
            "there is no GPU here: choose hardware with one",
        ),
        (
            r"gated repo|access to model .* is restricted|must be authenticated to access",
            "the model is gated: accept its terms and give the Space a secret HF_TOKEN",
        ),
        (
            r"KeyError: '([A-Z][A-Z0-9_]+)'",
            "the variable or secret {0} is missing: set it with --variable or --secret",
        ),
        (
            r"not healthy after|Launch timed out",
            "the app did not answer on port 7860 in time: it starts slowly, or listens elsewhere",
        ),
        (
            r"address already in use|Cannot find empty port",
            "the port is taken: let Gradio choose it, and start the app only once",
        ),
        (
            r"sdk_version|configuration error|missing configuration",
            "the card's settings are wrong: check sdk_version and app_file in README.md",
        ),
        (r"SyntaxError: (.+)", "a file is no valid Python: {0}"),
        (r"^(\w*Error: .+)", "the app ended with {0}"),
    )
)


def likely_cause(lines: list[str], message: str = "") -> str:
    """What probably went wrong, in a sentence; "" where the log does not tell.

    Args:
        lines: of the log.
        message: what the platform itself says.
    """
    for pattern, sentence in CAUSES:
        for line in reversed([*lines, message]):
            if found := pattern.search(line):
                return sentence.format(*(group[:120] for group in found.groups()))
    return ""
