"""Turns a model and a hardware tier into a Hugging Face Space that holds up under real traffic."""

__version__ = "0.1.0.dev0"
