"""The one error that says: the user can fix this."""


class InputError(ValueError):
    """The user's input cannot be used; the command line prints it on one line and exits with 2."""
