"""The verbs of `spaces-gen`: their names and texts, their options, and what each calls.

A module is imported when one of its verbs is wanted, and no sooner.
"""
