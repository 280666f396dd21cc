"""What a person writes by hand: MiniLM behind Gradio with Gradio's own defaults."""

import os

import gradio as gr
import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(os.environ["MODEL_ID"])
model = AutoModel.from_pretrained(os.environ["MODEL_ID"]).eval()


def compare(first: str, second: str) -> float:
    inputs = tokenizer([first, second], padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1)
    means = (states * mask).sum(1) / mask.sum(1)
    return float(torch.cosine_similarity(means[:1], means[1:]))


demo = gr.Interface(
    compare,
    [gr.Textbox(label="First"), gr.Textbox(label="Second")],
    gr.Number(label="Similarity"),
    api_name="predict",
)

if __name__ == "__main__":
    demo.launch()
