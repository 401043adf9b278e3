#!/usr/bin/env python3
"""Makes the folders beside it: tiny random checkpoints of every family, and what transformers makes of them.

Run once by hand, `make-fixture.py [NAME...]` (needs torch 2.5, transformers 4.57); the tests read the files. Each folder holds config.json and
model.safetensors, which the family's own class in transformers reads, sequences.json (token ids, where the completion starts, the weights of the
loss; a prompt, and 64 greedy tokens of transformers' generate) and expected.safetensors:
    logits              of all rows, computed in float32
    logits.rounded      of the second sequence, its weights rounded to bfloat16, computed in float32
    logits.bfloat16     the same computed in bfloat16, an eighth of it (the last norm's weight is; so that they are about 0.5, as noise goes by size)
    logprob, entropy    of the predicted tokens at inv_temperature
    loss, grad.NAME     -sum w_t (logprob_t + 0.3 entropy_t), and its gradient for every parameter
Vectors are numbers that bfloat16 can say. A seed is taken for which no greedy token and no choice of experts hangs on rounding.
"""
import json, os, struct, sys
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM", "deepseek_v3": "DeepseekV3ForCausalLM"}


def save(path, tensors):  # name: tensor, or (dtype's name, array of its bytes, shape)
    header, at, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name, x in tensors.items():
        if not isinstance(x, tuple) and x.dtype == torch.bfloat16:
            x = ("BF16", x.detach().contiguous().view(torch.uint16).numpy(), list(x.shape))
        elif not isinstance(x, tuple):
            x = ("F32", np.ascontiguousarray(x.detach().cpu().numpy(), dtype=np.float32), list(x.shape))
        raw = x[1].tobytes()
        header[name] = {"dtype": x[0], "shape": list(x[2]), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        blobs.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def quantize(w, block):  # float8_e4m3fn with a scale for each block, and the numbers that they stand for
    rows, cols = w.shape
    scale = torch.zeros((rows + block[0] - 1) // block[0], (cols + block[1] - 1) // block[1])
    q = torch.zeros(rows, cols, dtype=torch.float8_e4m3fn)
    back = torch.zeros(rows, cols)
    for i in range(scale.shape[0]):
        for j in range(scale.shape[1]):
            at = np.s_[i * block[0]:(i + 1) * block[0], j * block[1]:(j + 1) * block[1]]
            scale[i, j] = w[at].abs().max() / 448
            q[at] = (w[at] / scale[i, j]).to(torch.float8_e4m3fn)
            back[at] = q[at].float() * scale[i, j]
    return q, scale, back


def build(c, dtype=torch.float32):
    c = {k: v for k, v in c.items() if k not in ("architectures", "torch_dtype", "num_nextn_predict_layers", "quantization_config")}
    config = AutoConfig.for_model(**c)
    config._attn_implementation = "eager"
    return AutoModelForCausalLM.from_config(config, torch_dtype=dtype).eval()


def fill(model, c, block, stored):  # random weights; what the file is to hold
    for n, x in model.state_dict().items():
        if n == "lm_head.weight" and c["tie_word_embeddings"]:
            continue
        if n.endswith("e_score_correction_bias"):
            x.copy_((torch.rand(x.shape) * 0.3).bfloat16())
        elif x.ndim == 1:
            x.copy_((torch.randn(x.shape) * 0.1 + (1 if "norm" in n else 0)).bfloat16())
        else:
            x.copy_(torch.randn(x.shape) * 0.3)
        if block and x.ndim == 2 and not any(s in n for s in ("embed", "lm_head", "mlp.gate.")):
            q, scale, back = quantize(x, block)
            x.copy_(back)
            stored[n] = ("F8_E4M3", q.view(torch.uint8).numpy(), x.shape)
            stored[n + "_scale_inv"] = scale
        else:
            stored[n] = x.clone()
    if block:  # a layer that predicts a further token, which is not to be loaded
        c["num_nextn_predict_layers"] = 1
        c["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": list(block)}
        n = f"model.layers.{c['num_hidden_layers']}."
        stored[n + "eh_proj.weight"] = torch.randn(8, 16)
        stored[n + "enorm.weight"] = torch.ones(8)


def picks(model, ids):  # the experts that tokens go to
    seen = [torch.zeros(1)]
    hooks = [l.mlp.gate.register_forward_hook(lambda _, i, o: seen.append(o[0].sort(-1)[0].flatten())) for l in model.model.layers
             if hasattr(l.mlp, "gate")]
    model(torch.tensor([ids]))
    [h.remove() for h in hooks]
    return torch.cat(seen)


@torch.no_grad()
def decode(model, prompt):
    greedy = model.generate(prompt, do_sample=False, max_new_tokens=64, min_new_tokens=64, eos_token_id=None, pad_token_id=0)[0, 5:].tolist()
    whole = prompt[0].tolist() + greedy
    before, embed = picks(model, whole), model.model.embed_tokens.weight.clone()
    for i in range(8):
        model.model.embed_tokens.weight.mul_(1 + 3e-5 * torch.randn(embed.shape))
        assert torch.equal(before, picks(model, whole)), "a choice of experts hangs on rounding"
        model.model.embed_tokens.weight.copy_(embed)
    z = model(torch.tensor([whole])).logits[0, 4:-1]
    two = z.topk(2, -1)[0]
    assert z.argmax(-1).tolist() == greedy and (two[:, 0] - two[:, 1]).min() > 1e-3, "a greedy token hangs on rounding"
    assert len(set(greedy)) > 12, "all greedy tokens are the same"
    return greedy


@torch.no_grad()
def halves(model, half, ids, out):
    for x in model.parameters():
        x.copy_(x.bfloat16())
    half.load_state_dict(model.state_dict())
    half.model.norm.weight.div_(8)
    out["logits.rounded"] = model(ids).logits[0]
    out["logits.bfloat16"] = half(ids).logits[0]
    off = (out["logits.bfloat16"].float() - out["logits.rounded"] / 8).abs().max().item()
    assert off < 1.6e-2, f"computing in bfloat16 is off by {off}"


def attempt(name, c, seed, inv_temperature, block):
    torch.manual_seed(seed)
    d = os.path.join(HERE, name)
    os.makedirs(d, exist_ok=True)
    c = dict({"architectures": [CLASSES[c["model_type"]]], "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 256,
              "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": False}, **c)
    model, stored = build(c), {}
    fill(model, c, block, stored)
    prompt = torch.randint(0, c["vocab_size"], (1, 5))
    greedy = decode(model, prompt)
    sequences, logits, logprob, entropy, loss = [], [], [], [], 0
    for n, first in ((7, 3), (19, 1), (2, 1), (40, 33)):
        ids = torch.randint(0, c["vocab_size"], (n,))
        w = torch.rand(n - first) - 0.3
        z = model(ids[None, :-1]).logits[0]
        lp = (z * inv_temperature).log_softmax(-1)
        h = -(lp.exp() * lp).sum(-1)[first - 1:]
        lp = lp.gather(1, ids[1:, None])[first - 1:, 0]
        loss = loss - (w * (lp + 0.3 * h)).sum()
        logits.append(z), logprob.append(lp), entropy.append(h)
        sequences.append({"ids": ids.tolist(), "first": first, "weights": w.tolist()})
    loss.backward()
    out = {"logits": torch.cat(logits), "logprob": torch.cat(logprob), "entropy": torch.cat(entropy), "loss": loss.view(1)}
    for n, x in model.named_parameters():  # experts that no token goes to have none
        out["grad." + n] = torch.zeros_like(x) if x.grad is None else x.grad
    halves(model, build(c, torch.bfloat16), torch.tensor([sequences[1]["ids"][:-1]]), out)
    json.dump(c, open(d + "/config.json", "w"), indent=1)
    json.dump({"inv_temperature": inv_temperature, "sequences": sequences, "prompt": prompt[0].tolist(), "greedy": greedy},
              open(d + "/sequences.json", "w"))
    save(d + "/model.safetensors", stored)
    save(d + "/expected.safetensors", out)


def make(name, c, inv_temperature=1.0, block=None):
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        return
    for seed in range(1, 500):
        try:
            attempt(name, c, seed, inv_temperature, block)
            return print(name, "seed", seed)
        except AssertionError as why:
            last = why
    raise SystemExit(f"no seed makes a fixture of {name}: {last}")


def dense(family, C, F, L, H, G, V, **more):
    return dict({"model_type": family, "hidden_size": C, "intermediate_size": F, "num_hidden_layers": L, "num_attention_heads": H,
                 "num_key_value_heads": G, "vocab_size": V, "rope_theta": 10000.0}, **more)


llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 24}
yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 8, "beta_slow": 1}
make("qwen2-gqa", dense("qwen2", 24, 32, 2, 4, 2, 37, head_dim=6, tie_word_embeddings=True))
make("qwen2-untied", dense("qwen2", 32, 24, 1, 2, 2, 53, rope_theta=1000000.0), 1.25)
make("qwen2-yarn", dense("qwen2", 24, 28, 2, 4, 2, 35, rope_theta=1000.0, use_sliding_window=True, max_window_layers=2, sliding_window=8,
                         rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}))
make("qwen3-tied", dense("qwen3", 24, 28, 2, 4, 2, 39, head_dim=8, tie_word_embeddings=True, rope_theta=1000000.0))
make("qwen3-untied", dense("qwen3", 24, 28, 1, 3, 3, 33, head_dim=10, attention_bias=True, rms_norm_eps=1e-4), 0.8)
make("llama-plain", dense("llama", 24, 28, 2, 4, 2, 38, rms_norm_eps=1e-5))
make("llama-scaled", dense("llama", 32, 28, 2, 2, 1, 36, tie_word_embeddings=True, rope_theta=500.0, rope_scaling=llama3), 1.25)
make("llama-linear", dense("llama", 24, 20, 1, 4, 2, 34, head_dim=10, rope_scaling={"type": "linear", "factor": 2.0}, attention_bias=True, mlp_bias=True))
make("deepseek-groups", {"model_type": "deepseek_v3", "hidden_size": 16, "intermediate_size": 20, "moe_intermediate_size": 6, "num_hidden_layers": 3,
                         "num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": 12, "kv_lora_rank": 10, "qk_nope_head_dim": 6,
                         "qk_rope_head_dim": 8, "v_head_dim": 5, "n_routed_experts": 8, "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3,
                         "n_shared_experts": 1, "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "vocab_size": 41,
                         "rope_scaling": dict(yarn, mscale=1.0, mscale_all_dim=0.7)}, 1.25)
make("deepseek-plain", {"model_type": "deepseek_v3", "hidden_size": 16, "intermediate_size": 20, "moe_intermediate_size": 7, "num_hidden_layers": 2,
                        "num_attention_heads": 3, "num_key_value_heads": 3, "q_lora_rank": None, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
                        "qk_rope_head_dim": 6, "v_head_dim": 9, "n_routed_experts": 6, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2,
                        "n_shared_experts": 2, "first_k_dense_replace": 0, "norm_topk_prob": False, "routed_scaling_factor": 1.5,
                        "vocab_size": 37, "tie_word_embeddings": True, "rope_interleave": False, "attention_bias": True, "rms_norm_eps": 1e-4})
make("deepseek-fp8", {"model_type": "deepseek_v3", "hidden_size": 24, "intermediate_size": 20, "moe_intermediate_size": 9, "num_hidden_layers": 2,
                      "num_attention_heads": 2, "num_key_value_heads": 2, "q_lora_rank": 12, "kv_lora_rank": 12, "qk_nope_head_dim": 7,
                      "qk_rope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2,
                      "n_shared_experts": 1, "first_k_dense_replace": 1, "vocab_size": 33, "rope_scaling": dict(yarn, factor=2.0)}, 1.0, (8, 10))
