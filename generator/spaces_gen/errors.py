"""The error that a person reads."""


class UserError(Exception):
    """Something that whoever typed the command can mend; one line: the cause and the next step."""
