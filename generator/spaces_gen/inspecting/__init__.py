"""Reads what a model says of itself, without loading it; `inspect_model.py` puts it together."""
