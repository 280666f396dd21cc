"""What a visitor may be told; the text of each error is a sentence for them."""

from __future__ import annotations

import errno

SORRY = (
    "Something went wrong with this request. Please try again, or try another input."
)
LONGEST = 300  # characters of an error, which may repeat what was sent


def shortened(text: str) -> str:
    """The text, or its beginning where it is too long to be shown."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def no_room(error: BaseException) -> bool:
    """Whether `error` says that the disk, or what may be used of it, is full."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError) and error.errno in full


class VisitorError(Exception):
    """A request that is not answered. `status` is the HTTP status of the direct route."""

    status = 500
    sentence = SORRY

    def __str__(self) -> str:
        """The sentence, unless another one was given."""
        return shortened(super().__str__()) or self.sentence


class InputError(VisitorError, ValueError):
    """This input cannot be answered; the message tells why and what to do."""

    status = 422


class Refused(VisitorError):
    """A request that is not let in; `seconds` is how long until it may be."""

    def __init__(self, sentence: str, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__(sentence.format(seconds=self.seconds))


class Busy(Refused):
    """Too many requests are waiting."""

    status = 503

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "The queue is full. Please try again in about {seconds} s.", seconds
        )


class TooMany(Refused):
    """One visitor sends more requests than they may."""

    status = 429

    def __init__(self, a_minute: int, seconds: float) -> None:
        super().__init__(
            f"You have sent {a_minute} requests within a minute, which is the limit. "
            "Please try again in {seconds} s.",
            seconds,
        )


class Closing(Refused):
    """The Space has been told to stop."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "This Space is being restarted. Please try again in about {seconds} s.", 60
        )


class TooLarge(VisitorError):
    """This request alone needs more memory than there is."""

    status = 413
    sentence = (
        "This request needs more memory than there is here. Please try a smaller one."
    )


class NoRoom(VisitorError):
    """The disk is full."""

    status = 507
    sentence = "There is no room for files on this Space at the moment. Please try again later."


class ModelError(VisitorError):
    """The model failed; what happened is in the log.

    Attributes:
        reason: why it could not be loaded, where that can be said in a sentence.
    """

    reason = ""


class TookTooLong(ModelError):
    """The model did not answer within the time limit and was started anew."""

    status = 504
    sentence = "This took too long and was stopped. Please try a smaller request."


class Restarted(ModelError):
    """The model's process ended while it computed this request."""

    sentence = (
        "The model stopped while it worked on this and is being restarted. "
        "Please try another input, or try again in a minute."
    )


class Unavailable(ModelError):
    """The model cannot be started at the moment."""

    status = 503
    sentence = "The model is not available right now. Please try again in a minute."
