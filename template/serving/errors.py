"""The one kind of error whose text a visitor reads."""


class InputError(ValueError):
    """This input cannot be answered; the message tells why and what to do."""
