"""Text to video: a description in, a short video out."""

import random

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

MAX_SEED = 2**31 - 1

server = Server()


async def film(
    prompt: str,
    seed: int,
    randomize: bool,
    steps: int,
    frames: int,
    width: int,
    height: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> tuple[str, int]:
    """Make a short video from a description.

    Args:
        prompt: What the video shows.
        seed: The same description, seed and options give the same video.
        randomize: Take another seed each time.
        steps: More steps take longer and may look better.
        frames: How long it is: 16 frames make a second; from 9 to 81, in steps of 8.
        width: Of a frame in pixels, a multiple of 32.
        height: Of a frame in pixels, a multiple of 32.
        negative_prompt: What the video does not show, if the model can avoid things.
        guidance: How closely the video follows the description; 0 for the model's own.

    Returns:
        The video as MP4 and the seed it was made with.
    """
    if randomize:
        seed = random.randrange(MAX_SEED)
    video = await server.answer(
        prompt, seed, steps, frames, width, height, negative_prompt, guidance
    )
    return video, seed


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            prompt = gr.Textbox(label="Description", lines=3)
            button = gr.Button("Make the video", variant="primary")
            with gr.Accordion("Options", open=False):
                seed = gr.Number(
                    0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED
                )
                randomize = gr.Checkbox(True, label="Another seed each time")
                steps = gr.Slider(1, 50, 25, step=1, precision=0, label="Steps")
                frames = gr.Slider(
                    9,
                    81,
                    33,
                    step=8,
                    precision=0,
                    label="Frames",
                    info="16 make a second.",
                )
                width = gr.Slider(128, 832, 832, step=32, precision=0, label="Width")
                height = gr.Slider(128, 832, 480, step=32, precision=0, label="Height")
                negative_prompt = gr.Textbox("", label="What to avoid", lines=2)
                guidance = gr.Slider(
                    0,
                    20,
                    0,
                    step=0.5,
                    label="Guidance",
                    info="How closely to follow the description; 0: the model's own.",
                )
        video = gr.Video(label="Video", autoplay=True, loop=True)
    inputs = [
        prompt,
        seed,
        randomize,
        steps,
        frames,
        width,
        height,
        negative_prompt,
        guidance,
    ]
    gr.Examples(
        server.examples,
        inputs,
        [video, seed],
        film,
        run_on_click=True,
        cache_examples=False,
        example_labels=[example[0] for example in server.examples],
    )
    gr.on(
        [button.click, prompt.submit],
        film,
        inputs,
        [video, seed],
        api_name="predict",
        show_progress_on=video,
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, film)
