#!/usr/bin/env python3
"""make-family-fixture.py [NAME...]: makes tests/pytorch/NAME/, tiny random checkpoints of each family with what transformers makes of them.

Run by hand (needs torch 2.5, transformers 4.57); the tests read the files. The folders are as make-fixture.py describes; sequences.json
also has 64 greedy tokens of transformers' generate.
"""
import json, os, struct, sys
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def save(path, tensors):  # name: float array, or (dtype's name, array of its bytes, shape)
    header, at, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name, x in tensors.items():
        if not isinstance(x, tuple):
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


ARCHITECTURES = {"deepseek_v3": "DeepseekV3ForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}


def make(name, c, inv_temperature, block=None):
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        return
    for seed in range(1, 500):
        try:
            attempt(name, c, seed, inv_temperature, block)
            return print(name, "seed", seed)
        except AssertionError:
            pass
    raise SystemExit("no seed makes a fixture of " + name)


def attempt(name, c, seed, inv_temperature, block):
    torch.manual_seed(seed)
    d = os.path.join(HERE, name)
    os.makedirs(d, exist_ok=True)
    c = dict({"architectures": [ARCHITECTURES[c["model_type"]]], "model_type": c["model_type"], "hidden_act": "silu", "rms_norm_eps": 1e-6,
              "max_position_embeddings": 256, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 1}, **c)
    config = AutoConfig.for_model(**{k: v for k, v in c.items() if k not in ("architectures", "torch_dtype")})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    stored, q = {}, None
    for n, x in model.state_dict().items():
        if n == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if n.endswith("e_score_correction_bias"):
            x.copy_(torch.rand(x.shape) * 0.3)
        else:
            x.copy_(torch.randn(x.shape) * (0.3 if x.ndim == 2 else 0.1) + (1 if "norm" in n else 0))
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
        n = f"model.layers.{config.num_hidden_layers}."
        stored[n + "eh_proj.weight"] = torch.randn(8, 16)
        stored[n + "enorm.weight"] = torch.ones(8)

    def picks(m, ids):
        seen = []
        hooks = [l.mlp.gate.register_forward_hook(lambda _, i, o: seen.append(o[0].sort(-1)[0])) for l in m.model.layers if hasattr(l.mlp, "gate")]
        m(torch.tensor([ids]))
        [h.remove() for h in hooks]
        return torch.cat(seen) if seen else torch.zeros(0)

    prompt = torch.randint(0, config.vocab_size, (1, 5))
    greedy = model.generate(prompt, do_sample=False, max_new_tokens=64, min_new_tokens=64, eos_token_id=None, pad_token_id=0)[0, 5:].tolist()
    whole = prompt[0].tolist() + greedy
    with torch.no_grad():
        before, embed = picks(model, whole), model.model.embed_tokens.weight.clone()
        for i in range(8):
            model.model.embed_tokens.weight.mul_(1 + 3e-5 * torch.randn(embed.shape))
            assert torch.equal(before, picks(model, whole)), "a choice of experts hangs on rounding"
            model.model.embed_tokens.weight.copy_(embed)
        z = model(torch.tensor([whole])).logits[0, 4:-1]
        two = z.topk(2, -1)[0]
        assert z.argmax(-1).tolist() == greedy and (two[:, 0] - two[:, 1]).min() > 1e-3, "a greedy token hangs on rounding"
        assert len(set(greedy)) > 12
    sequences, logits, logprob, entropy, loss = [], [], [], [], 0
    for n, first in ((7, 3), (19, 1), (2, 1), (40, 33)):
        ids = torch.randint(0, config.vocab_size, (n,))
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
    json.dump(c, open(d + "/config.json", "w"), indent=1)
    json.dump({"inv_temperature": inv_temperature, "sequences": sequences, "prompt": prompt[0].tolist(), "greedy": greedy},
              open(d + "/sequences.json", "w"))
    save(d + "/model.safetensors", stored)
    save(d + "/expected.safetensors", out)


yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 8, "beta_slow": 1}
make("deepseek-groups", {"model_type": "deepseek_v3", "hidden_size": 16, "intermediate_size": 20, "moe_intermediate_size": 6, "num_hidden_layers": 3, "num_attention_heads": 4,
                         "num_key_value_heads": 4, "q_lora_rank": 12, "kv_lora_rank": 10, "qk_nope_head_dim": 6, "qk_rope_head_dim": 8,
                         "v_head_dim": 5, "n_routed_experts": 8, "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3, "n_shared_experts": 1,
                         "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "vocab_size": 41, "tie_word_embeddings": False,
                         "rope_scaling": dict(yarn, mscale=1.0, mscale_all_dim=0.7)}, 1.25)
make("deepseek-plain", {"model_type": "deepseek_v3", "hidden_size": 16, "intermediate_size": 20, "moe_intermediate_size": 7, "num_hidden_layers": 2, "num_attention_heads": 3,
                        "num_key_value_heads": 3, "q_lora_rank": None, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 6, "v_head_dim": 9,
                        "n_routed_experts": 6, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2, "n_shared_experts": 2,
                        "first_k_dense_replace": 0, "norm_topk_prob": False, "routed_scaling_factor": 1.5, "vocab_size": 37,
                        "tie_word_embeddings": True, "rope_interleave": False, "attention_bias": True, "rms_norm_eps": 1e-4}, 1.0)
make("deepseek-fp8", {"model_type": "deepseek_v3", "hidden_size": 24, "intermediate_size": 20, "moe_intermediate_size": 9, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
                      "q_lora_rank": 12, "kv_lora_rank": 12, "qk_nope_head_dim": 7, "qk_rope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 4,
                      "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1,
                      "vocab_size": 33, "tie_word_embeddings": False, "rope_scaling": dict(yarn, factor=2.0)}, 1.0, (8, 10))

small = {"hidden_size": 24, "intermediate_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
make("qwen2-yarn", {"model_type": "qwen2", **small, "vocab_size": 35, "tie_word_embeddings": False, "rope_theta": 1000.0, "use_sliding_window": False,
                    "sliding_window": 8, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}, 1.0)
make("qwen3-tied", {"model_type": "qwen3", **small, "head_dim": 8, "vocab_size": 39, "tie_word_embeddings": True, "rope_theta": 1000000.0}, 1.0)
make("qwen3-untied", {"model_type": "qwen3", **dict(small, num_key_value_heads=4), "head_dim": 6, "vocab_size": 33, "tie_word_embeddings": False,
                      "attention_bias": True, "use_sliding_window": False, "rms_norm_eps": 1e-5}, 1.25)
make("llama-plain", {"model_type": "llama", **small, "vocab_size": 38, "tie_word_embeddings": False, "rms_norm_eps": 1e-5}, 1.0)
make("llama-scaled", {"model_type": "llama", **dict(small, num_attention_heads=2, num_key_value_heads=1, hidden_size=32), "vocab_size": 36,
                      "tie_word_embeddings": True, "rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
                      "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 24}}, 1.0)
make("llama-linear", {"model_type": "llama", **dict(small, num_hidden_layers=1), "head_dim": 10, "vocab_size": 34, "tie_word_embeddings": False,
                      "attention_bias": True, "rope_scaling": {"type": "linear", "factor": 2.0}}, 1.25)
