"""Document question answering: a page and a question in, the answer on the page out."""

import gradio as gr
from PIL import Image

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def ask(
    document: str | None, question: str
) -> tuple[dict[str, float], Image.Image]:
    """Ask a question about a picture of a document.

    Args:
        document: A picture of one page: a scan, a photo or a screenshot.
        question: A question whose answer stands on the page, word for word.

    Returns:
        The likeliest answers with their scores, and the page with the best one marked.
    """
    answers, page = await server.answer(document, question)
    return answers, page


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            document = gr.Image(
                label="Document", type="filepath", image_mode=None, height=320
            )
            question = gr.Textbox(label="Question")
            button = gr.Button("Ask", variant="primary")
        with gr.Column():
            answer = gr.Label(label="Answer")
            page = gr.Image(label="Where it stands", type="filepath", format="png")
    gr.Examples(
        server.examples,
        [document, question],
        [answer, page],
        ask,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, question.submit],
        ask,
        [document, question],
        [answer, page],
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, ask)
