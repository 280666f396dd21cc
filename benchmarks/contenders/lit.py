"""LitServe with its own batching."""

import json
import sys

sys.modules["mcp"] = None  # LitServe 0.2.19 does not start beside its version 2

import litserve as ls  # noqa: E402
import model  # noqa: E402
from one_by_one import KIND, MAX_BATCH_SIZE, PORT, chat, packed, prepared  # noqa: E402


class Batched(ls.LitAPI):
    def setup(self, device):
        model.load()

    def decode_request(self, request):
        return prepared(request["input"])

    def batch(self, inputs):
        return inputs

    def predict(self, batch):
        return packed(batch)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"result": output}


class Chat(ls.LitAPI):
    def setup(self, device):
        model.load()

    def decode_request(self, request):
        return request["input"]

    def predict(self, message):
        yield from chat(message)

    def encode_response(self, output):
        for text in output:
            yield f"data: {json.dumps(text)}\n\n"


if __name__ == "__main__":
    if KIND == "chat":
        api = Chat(stream=True)
    else:
        # alone, a request waits for the time-out: 5 ms is the best of 1, 5, 10, 50 ms here
        api = Batched(max_batch_size=MAX_BATCH_SIZE, batch_timeout=0.005)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning")
