"""One door to the Hub: a deadline for everything, retries, and errors that a person understands."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from huggingface_hub import HfApi, set_client_factory
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils._http import default_client_factory

from spaces_gen.errors import UserError

Result = TypeVar("Result")

ANSWER_SECONDS = 120  # a commit of many files takes the Hub a while
LIMITS = {"connect": 15, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS, "pool": ANSWER_SECONDS}
SHORTEST_SECONDS = 1.0  # that a request may take, however near the deadline is
XET_RETRY_SECONDS = 60
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be others in a moment
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class Passing(Exception):
    """The Hub is busy with something else for this account."""


class Late(Exception):
    """The deadline has passed."""


ASKING_ERRORS = (
    httpx.HTTPError,
    Passing,
    Late,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    ValueError,  # what the library itself refuses, such as a card
    RuntimeError,  # a large file that could not be uploaded
    OSError,
)


class Hub:
    """A connection with an account.

    Args:
        seconds: until the deadline of all that is asked.
        retrying: called with a sentence before each retry.
        endpoint: address of the Hub; by default the one of the environment.
    """

    def __init__(
        self,
        seconds: float,
        retrying: Callable[[str], None] = lambda _: None,
        endpoint: str | None = None,
    ) -> None:
        # the uploader of large files knows nothing of the deadline
        os.environ.setdefault("HF_XET_CLIENT_RETRY_MAX_DURATION", f"{XET_RETRY_SECONDS}s")
        hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # what matters of it is said in our own words
        set_client_factory(self._client)
        self.api = HfApi(endpoint=endpoint)
        self._retrying = retrying
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Set the deadline anew."""
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds

    def extend(self, seconds: float) -> None:
        """Put off the deadline."""
        self._deadline += seconds
        self._seconds += seconds

    @property
    def endpoint(self) -> str:
        """Address of the Hub."""
        return str(self.api.endpoint)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - time.monotonic()

    def ask(
        self,
        what: str,
        call: Callable[[], Result],
        done: Callable[[], Result | None] | None = None,
    ) -> Result:
        """Call until there is an answer that is not a passing failure.

        Args:
            what: it does, for messages: "read me/my-space".
            done: of a call that writes: asked after a failure whether it took effect all the
                same; what it returns then is the result.

        Raises:
            UserError: it is refused, or the deadline has passed.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return call()
            except ASKING_ERRORS as raised:
                error = underlying(raised)
                wait = waiting_time(error, pause)
                if wait is None:
                    raise explained(error, what, self.endpoint) from error
                if done is not None and not isinstance(error, Late):
                    result = self.ask(f"look whether it did {what}", done)
                    if result is not None:
                        return result
                if isinstance(error, Late) or self.left <= wait:
                    raise UserError(
                        f"could not {what} within {self._seconds:.0f} s ({reason(error)}); "
                        "run the command again, it goes on where it is"
                    ) from error
                self._retrying(f"could not {what} ({reason(error)}), trying again in {wait:.0f} s")
            time.sleep(wait * random.uniform(1, 1.2))  # not all at the same moment
            pause = min(2 * pause, LONGEST_PAUSE)

    def _client(self) -> Any:
        client = default_client_factory()
        client.event_hooks["request"].insert(0, self._check_deadline)
        client.event_hooks["response"].append(check_busy)
        return client

    def _check_deadline(self, request: Any) -> None:
        # some of the library's own retries never end, and some of its calls wait for ever
        if self.left <= 0:
            raise Late
        request.extensions["timeout"] = {
            kind: min(asked or LIMITS[kind], max(self.left, SHORTEST_SECONDS))
            for kind, asked in request.extensions["timeout"].items()
        }


def check_busy(response: Any) -> None:
    """Raise for the one answer that the library itself repeats without a pause or an end."""
    if response.status_code == 409 and response.request.url.path.endswith("/repos/create"):
        response.read()
        if "another conflicting operation" in response.text:
            raise Passing("the Hub is creating something else for you")


def underlying(error: Exception) -> Exception:
    """What went wrong with a request behind the library's own words about a large file."""
    cause = error.__cause__
    hidden = isinstance(error, RuntimeError) and isinstance(cause, ASKING_ERRORS)
    return cause if hidden and isinstance(cause, Exception) else error


def waiting_time(error: Exception, pause: float) -> float | None:
    """Seconds to wait before another try; None where another try would not help."""
    if isinstance(error, Late):
        return 0.0
    if isinstance(error, Passing):
        return pause
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in PASSING:
            return None
        return max(pause, asked_to_wait(error.response.headers))
    return pause if isinstance(error, httpx.TransportError) else None


def asked_to_wait(headers: Any) -> float:
    """Seconds that the server asks for, in `Retry-After` or in its `RateLimit`."""
    after = str(headers.get("Retry-After", ""))
    limit = re.search(r"\br=0\b.*\bt=(\d+)", str(headers.get("RateLimit", "")))
    return max(float(after) if after.isdigit() else 0.0, float(limit[1]) + 1 if limit else 0.0)


def explained(error: Exception, what: str, endpoint: str) -> UserError:
    """What a person can do about it."""
    if isinstance(error, LocalTokenNotFoundError):
        return UserError(f"you are not logged in; {LOG_IN}")
    if isinstance(error, RepositoryNotFoundError):
        return UserError(f"could not {what}: it is not there, or not for you to see")
    if isinstance(error, HfHubHTTPError):
        status, said = error.response.status_code, reason(error)
        if status == 401:
            return UserError(f"the Hub does not accept this token; {LOG_IN}")
        if status == 402:
            return UserError(
                f"the Hub asks for a plan or a payment to {what}: {said} "
                "(https://huggingface.co/pro, https://huggingface.co/settings/billing)"
            )
        if status == 403:
            about_token = re.search("token|permission|credential", said, re.IGNORECASE)
            hint = "; use a token that may write to it (https://huggingface.co/settings/tokens)"
            return UserError(f"you may not {what}: {said}{hint if about_token else ''}")
        return UserError(f"the Hub refuses to {what}: {said}")
    if isinstance(error, httpx.TransportError):
        return UserError(f"the Hub at {endpoint} cannot be reached: {reason(error)}")
    return UserError(f"could not {what}: {reason(error)}")


def reason(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, Late):
        return "no answer that would have been final"
    text = getattr(error, "server_message", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
