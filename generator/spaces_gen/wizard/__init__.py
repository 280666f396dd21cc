"""The questions of `spaces-gen new` in a terminal, step by step."""
