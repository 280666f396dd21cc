"""Changing a Space that is there already, as `upgrade`, `diff`, `fork` and `adopt` do it.

Data flows one way: what the Space recorded of itself (`recorded`) → the template of that version
(`versions`) → two renders, before and after (`renders`) → a merge with the owner's files, file by
file (`merge`) → written all at once or not at all (`swap`).
"""
