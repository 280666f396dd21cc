"""Translation: a text in one language in, the same in another out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

# Codes as M2M100 knows them. Others may be typed, such as eng_Latn for an NLLB model. A
# model of one pair of languages knows no codes and ignores both.
LANGUAGES = [
    ("Arabic", "ar"),
    ("Bengali", "bn"),
    ("Bulgarian", "bg"),
    ("Chinese", "zh"),
    ("Croatian", "hr"),
    ("Czech", "cs"),
    ("Danish", "da"),
    ("Dutch", "nl"),
    ("English", "en"),
    ("Finnish", "fi"),
    ("French", "fr"),
    ("German", "de"),
    ("Greek", "el"),
    ("Hebrew", "he"),
    ("Hindi", "hi"),
    ("Hungarian", "hu"),
    ("Indonesian", "id"),
    ("Italian", "it"),
    ("Japanese", "ja"),
    ("Korean", "ko"),
    ("Norwegian", "no"),
    ("Persian", "fa"),
    ("Polish", "pl"),
    ("Portuguese", "pt"),
    ("Romanian", "ro"),
    ("Russian", "ru"),
    ("Spanish", "es"),
    ("Swahili", "sw"),
    ("Swedish", "sv"),
    ("Thai", "th"),
    ("Turkish", "tr"),
    ("Ukrainian", "uk"),
    ("Urdu", "ur"),
    ("Vietnamese", "vi"),
]

server = Server()


async def translate(text: str, source: str, target: str) -> str:
    """Translate a text.

    Args:
        text: The text.
        source: The code of its language, such as en.
        target: The code of the language to translate it to, such as fr.

    Returns:
        The translation.
    """
    return await server.answer(text, source, target)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            with gr.Row():
                source = gr.Dropdown(
                    LANGUAGES,
                    value="en",
                    label="From",
                    allow_custom_value=True,
                    min_width=120,
                )
                target = gr.Dropdown(
                    LANGUAGES,
                    value="fr",
                    label="To",
                    allow_custom_value=True,
                    min_width=120,
                )
            text = gr.Textbox(label="Text", lines=5)
            button = gr.Button("Translate", variant="primary")
        translation = gr.Textbox(label="Translation", lines=8, buttons=["copy"])
    gr.Examples(
        server.examples,
        [text, source, target],
        translation,
        translate,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, text.submit],
        translate,
        [text, source, target],
        translation,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, translate)
