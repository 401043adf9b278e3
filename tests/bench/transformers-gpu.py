#!/usr/bin/env python3
"""What PyTorch and transformers do with the shapes of gpu.c: decoding by generate, training steps with SDPA attention and fused AdamW, a step of GRPO,
in bfloat16, the same numbers of sequences and tokens.   transformers-gpu.py [SHAPE...]"""
import sys
import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

SHAPES = {  # hidden, layers, heads, kv_heads, intermediate, vocab, train sequences, train length
    "0.5b": (896, 24, 14, 2, 4864, 151936, 4, 4096),
    "1.5b": (1536, 28, 12, 2, 8960, 151936, 4, 4096),
    "7b": (3584, 28, 28, 4, 18944, 152064, 1, 4096),
}


def model_of(s):
    config = Qwen2Config(hidden_size=s[0], num_hidden_layers=s[1], num_attention_heads=s[2], num_key_value_heads=s[3],
                         intermediate_size=s[4], vocab_size=s[5], tie_word_embeddings=True, max_position_embeddings=8192)
    config._attn_implementation = "sdpa"
    with torch.device("cuda"):
        return Qwen2ForCausalLM(config).to(torch.bfloat16)


def timed(f, rounds):
    best = float("inf")
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.time()
        f()
        torch.cuda.synchronize()
        best = min(best, time.time() - start)
    return best


def decode(name, s, model, seqs, past, new=64):
    ids = (torch.arange(past, device="cuda") * 7 % s[5]).expand(seqs, past)
    first = timed(lambda: model.generate(ids, max_new_tokens=1, min_new_tokens=1, do_sample=True, top_k=0), 2)
    both = timed(lambda: model.generate(ids, max_new_tokens=new + 1, min_new_tokens=new + 1, do_sample=True, top_k=0), 2)
    print(f"{name:6} {'transformers: decode, %d of %d tokens' % (seqs, past):42} {seqs * new / (both - first):10.0f} tok/s", flush=True)


def train(name, s, model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = (torch.arange(s[6] * s[7], device="cuda") * 7919 % s[5]).view(s[6], s[7])

    def step():
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    seconds = timed(step, 4)
    print(f"{name:6} {'transformers: training step':42} {s[6] * s[7] / seconds:10.0f} tok/s", flush=True)


def grpo(name, s, model, questions=8, group=16, prompt=64, new=512):
    """As gpu.c's: groups by generate, then one update from all of them in passes of the shape's training batch"""
    n = questions * group
    ids = ((torch.arange(n, device="cuda") // group * 31)[:, None] + torch.arange(prompt, device="cuda") * 7) % s[5]
    found = []

    def sample():
        with torch.no_grad():
            found[:] = [model.eval().generate(ids, max_new_tokens=new, min_new_tokens=new, do_sample=True, top_k=0)]
    sampling = timed(sample, 2)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-6, fused=True)
    each = s[6] * s[7] // (prompt + new)

    def update():
        for part in found[0].split(each):
            logits = model(input_ids=part).logits[:, prompt - 1:-1].float()
            logprob = torch.log_softmax(logits, -1).gather(2, part[:, prompt:, None])
            (logprob.sum() / (n * new)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    both = sampling + timed(update, 3)
    print(f"{name:6} {'transformers: GRPO step, %d x %d of %d' % (questions, group, new):42} {n * new / both:10.0f} tok/s", flush=True)


for name, s in SHAPES.items():
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        continue
    model = model_of(s)
    for seqs, past in ((1, 64), (64, 512), (512, 1024)):
        try:
            with torch.no_grad():
                decode(name, s, model.eval(), seqs, past)
        except torch.cuda.OutOfMemoryError:
            print(f"{name:6} transformers: decode, {seqs} of {past} tokens: out of memory")
    for what, step in (("training", train), ("GRPO", grpo)):
        try:
            step(name, s, model.train())
        except torch.cuda.OutOfMemoryError:
            print(f"{name:6} transformers: {what} step: out of memory")
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
    del model
    torch.cuda.empty_cache()
