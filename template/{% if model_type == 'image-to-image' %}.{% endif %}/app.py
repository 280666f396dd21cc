"""Image to image: a picture and a description in, a new picture out."""

import random

import gradio as gr
from PIL import Image

from serving.launch import DELETE_CACHE
from serving.server import Server

MAX_SEED = 2**31 - 1

server = Server()


async def redraw(
    image: str | None,
    prompt: str,
    strength: float,
    seed: int,
    randomize: bool,
    steps: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> tuple[Image.Image, int]:
    """Redraw a picture after a description.

    Args:
        image: The picture to begin with.
        prompt: What the new picture shows.
        strength: How much may change, up to 1; ignored by models that follow instructions.
        seed: The same picture, description, seed and options give the same picture.
        randomize: Take another seed each time.
        steps: More steps take longer and may look better.
        negative_prompt: What the picture does not show, if the model can avoid things.
        guidance: How closely the picture follows the description; 0 for the model's own.

    Returns:
        The new picture and the seed it was drawn with.
    """
    if randomize:
        seed = random.randrange(MAX_SEED)
    picture = await server.answer(
        image, prompt, strength, seed, steps, negative_prompt, guidance
    )
    return picture, seed


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            prompt = gr.Textbox(label="Description of the new picture", lines=2)
            strength = gr.Slider(0.1, 1, 0.5, step=0.05, label="How much may change")
            button = gr.Button("Redraw", variant="primary")
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
        redrawn = gr.Image(label="New picture", type="pil", format="png")
    inputs = [
        image,
        prompt,
        strength,
        seed,
        randomize,
        steps,
        negative_prompt,
        guidance,
    ]
    gr.Examples(
        server.examples,
        inputs,
        [redrawn, seed],
        redraw,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, prompt.submit],
        redraw,
        inputs,
        [redrawn, seed],
        api_name="predict",
        show_progress_on=redrawn,
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, redraw)
