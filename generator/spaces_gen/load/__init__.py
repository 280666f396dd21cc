"""Real load for a Space, as `bench` and `tune` use it.

Data flows one way: where the Space listens and what it takes (`endpoint`) → inputs (`inputs`) →
visitors who speak Gradio's protocol or the direct route (`visitor`) → loops of them (`loops`) →
figures (`figures`).
"""
