"""Text to image: a description in, a picture out."""

import random

import gradio as gr
from PIL import Image

from serving.launch import DELETE_CACHE
from serving.server import Server

MAX_SEED = 2**31 - 1

server = Server()


async def draw(
    prompt: str,
    seed: int,
    randomize: bool,
    steps: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> tuple[Image.Image, int]:
    """Draw a picture from a description.

    Args:
        prompt: What the picture shows.
        seed: The same description, seed and steps give the same picture.
        randomize: Take another seed each time.
        steps: More steps take longer and may look better.
        negative_prompt: What the picture does not show, if the model can avoid things.
        guidance: How closely the picture follows the description; 0 for the model's own.

    Returns:
        The picture and the seed it was drawn with.
    """
    if randomize:
        seed = random.randrange(MAX_SEED)
    picture = await server.answer(prompt, seed, steps, negative_prompt, guidance)
    return picture, seed


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            prompt = gr.Textbox(label="Description", lines=3)
            button = gr.Button("Draw", variant="primary")
            with gr.Accordion("Options", open=False):
                seed = gr.Number(
                    0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED
                )
                randomize = gr.Checkbox(True, label="Another seed each time")
                steps = gr.Slider(
                    1, server.max_input, 4, step=1, precision=0, label="Steps"
                )
                negative_prompt = gr.Textbox("", label="What to avoid", lines=2)
                guidance = gr.Slider(
                    0,
                    20,
                    0,
                    step=0.5,
                    label="Guidance",
                    info="How closely to follow the description; 0: the model's own.",
                )
        image = gr.Image(label="Picture", type="pil", format="png")
    inputs = [prompt, seed, randomize, steps, negative_prompt, guidance]
    gr.Examples(
        server.examples,
        inputs,
        [image, seed],
        draw,
        run_on_click=True,
        cache_examples=False,
        example_labels=[example[0] for example in server.examples],
    )
    gr.on(
        [button.click, prompt.submit],
        draw,
        inputs,
        [image, seed],
        api_name="predict",
        show_progress_on=image,
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, draw)
