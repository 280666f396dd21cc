"""The errors that a person reads."""


class UserError(Exception):
    """Something that whoever typed the command can mend; one line: the cause and the next step."""


class UsageError(UserError):
    """The command was typed in a way that it cannot be understood."""
