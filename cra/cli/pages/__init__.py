"""The pages of the error codes: what happened, why it matters, how to mend it, an example.

They are loaded when one is asked for. docs/reference/errors.md is made of them.
"""
