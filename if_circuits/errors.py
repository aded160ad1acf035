"""The one error that says: the user can fix this."""


class InputError(ValueError):
    """The user's input cannot be used; the command line prints it on one line and exits with 2.

    Example:
        >>> import if_circuits as ifc
        >>> try:
        ...     ifc.prompts("rhyme", n=10)
        ... except ifc.InputError as error:
        ...     print(str(error).partition(";")[0])
        unknown task 'rhyme'
    """
