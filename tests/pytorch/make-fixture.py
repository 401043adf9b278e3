#!/usr/bin/env python3
"""Makes tests/pytorch/qwen2-*/: tiny random Qwen2 checkpoints with what PyTorch computes from them in float64.

Run once by hand (needs torch and numpy); the tests read the files. Each folder holds config.json, model.safetensors, sequences.json
(token ids, where the completion starts, the weights of the loss) and expected.safetensors: logits of all rows, logprob and entropy of the
predicted tokens, the loss  -sum w_t (logprob_t + 0.3 entropy_t)  and its gradient for every parameter.
"""
import json, os, struct
import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def save(path, tensors):
    header, at, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name, x in tensors.items():
        x = np.ascontiguousarray(np.asarray(x, dtype=np.float32))
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
        blobs.append(x.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def norm(x, w, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w


def rope(x, theta):  # [T, heads, D]
    T, _, D = x.shape
    f = theta ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    a = torch.outer(torch.arange(T, dtype=torch.float64), f)
    cos, sin = torch.cos(a).repeat(1, 2)[:, None], torch.sin(a).repeat(1, 2)[:, None]
    half = torch.cat([-x[..., D // 2:], x[..., : D // 2]], -1)
    return x * cos + half * sin


def forward(c, p, ids):
    H, G = c["num_attention_heads"], c["num_key_value_heads"]
    D, eps = c["head_dim"], c["rms_norm_eps"]
    x, T = p["model.embed_tokens.weight"][ids], len(ids)
    for i in range(c["num_hidden_layers"]):
        q = lambda n: p[f"model.layers.{i}.{n}"]
        h = norm(x, q("input_layernorm.weight"), eps)
        proj = lambda n: h @ q(f"self_attn.{n}_proj.weight").T + q(f"self_attn.{n}_proj.bias")
        Q = rope(proj("q").view(T, H, D), c["rope_theta"])
        K = rope(proj("k").view(T, G, D), c["rope_theta"]).repeat_interleave(H // G, 1)
        V = proj("v").view(T, G, D).repeat_interleave(H // G, 1)
        s = torch.einsum("ihd,jhd->hij", Q, K) / D ** 0.5
        s = s.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
        o = torch.einsum("hij,jhd->ihd", s.softmax(-1), V).reshape(T, H * D)
        x = x + o @ q("self_attn.o_proj.weight").T
        h = norm(x, q("post_attention_layernorm.weight"), eps)
        g = h @ q("mlp.gate_proj.weight").T
        x = x + (torch.nn.functional.silu(g) * (h @ q("mlp.up_proj.weight").T)) @ q("mlp.down_proj.weight").T
    x = norm(x, p["model.norm.weight"], eps)
    return x @ (p["model.embed_tokens.weight"] if c["tie_word_embeddings"] else p["lm_head.weight"]).T


def make(name, c, seed, inv_temperature):
    torch.manual_seed(seed)
    d = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    os.makedirs(d, exist_ok=True)
    c = dict({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "rms_norm_eps": 1e-6,
              "max_position_embeddings": 256, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 1}, **c)
    C, F, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    HD, GD = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    shapes = {"model.embed_tokens.weight": (V, C)}
    for i in range(c["num_hidden_layers"]):
        l = f"model.layers.{i}."
        shapes.update({l + "input_layernorm.weight": (C,), l + "self_attn.q_proj.weight": (HD, C), l + "self_attn.k_proj.weight": (GD, C),
                       l + "self_attn.v_proj.weight": (GD, C), l + "self_attn.q_proj.bias": (HD,), l + "self_attn.k_proj.bias": (GD,),
                       l + "self_attn.v_proj.bias": (GD,), l + "self_attn.o_proj.weight": (C, HD),
                       l + "post_attention_layernorm.weight": (C,), l + "mlp.gate_proj.weight": (F, C), l + "mlp.up_proj.weight": (F, C),
                       l + "mlp.down_proj.weight": (C, F)})
    shapes["model.norm.weight"] = (C,)
    if not c["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (V, C)
    p = {}
    for n, s in shapes.items():
        w = torch.randn(s) * (0.3 if len(s) == 2 else 0.1) + (1 if "norm" in n else 0)
        p[n] = w.float().double().requires_grad_()
    sequences, logits, logprob, entropy, loss = [], [], [], [], 0
    for n, first in ((7, 3), (19, 1), (2, 1), (40, 33)):
        ids = torch.randint(0, V, (n,))
        w = (torch.rand(n - first) - 0.3).float().double()
        z = forward(c, p, ids[:-1])
        lp = (z * inv_temperature).log_softmax(-1)
        h = -(lp.exp() * lp).sum(-1)[first - 1:]
        lp = lp.gather(1, ids[1:, None])[first - 1:, 0]
        loss = loss - (w * (lp + 0.3 * h)).sum()
        logits.append(z), logprob.append(lp), entropy.append(h)
        sequences.append({"ids": ids.tolist(), "first": first, "weights": w.tolist()})
    loss.backward()
    out = {"logits": torch.cat(logits).detach(), "logprob": torch.cat(logprob).detach(), "entropy": torch.cat(entropy).detach(),
           "loss": loss.detach().view(1)}
    out.update({"grad." + n: x.grad for n, x in p.items()})
    json.dump(c, open(d + "/config.json", "w"), indent=1)
    json.dump({"inv_temperature": inv_temperature, "sequences": sequences}, open(d + "/sequences.json", "w"))
    save(d + "/model.safetensors", {n: x.detach() for n, x in p.items()})
    save(d + "/expected.safetensors", out)


make("qwen2-gqa", {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                   "head_dim": 6, "vocab_size": 37, "rope_theta": 10000.0, "tie_word_embeddings": True}, 1, 1.0)
make("qwen2-untied", {"hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
                      "head_dim": 16, "vocab_size": 53, "rope_theta": 1000000.0, "tie_word_embeddings": False}, 2, 1.25)
