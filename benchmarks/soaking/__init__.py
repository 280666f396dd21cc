"""What soak.py consists of: inputs that carry their own check, visitors, and what is watched."""
