#!/usr/bin/env python3
"""Makes tests/pytorch/qwen2-gqa-lora/: an adapter that PEFT wrote for qwen2-gqa, and what PEFT and PyTorch compute with it.

Run once by hand (needs torch, transformers and peft); the tests read the files: adapter_config.json and adapter_model.safetensors as PEFT saved
them, sequences.json with the adapted model's greedy tokens, and expected.safetensors: as make-fixture.py's, for qwen2-gqa's sequences, the
gradients those of the adapter, and "merged.NAME", some weights after merge_and_unload. Computed in float64.
"""
import json, os
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import Qwen2ForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
base, out = here + "/qwen2-gqa", here + "/qwen2-gqa-lora"
os.makedirs(out, exist_ok=True)
torch.manual_seed(5)
m = get_peft_model(Qwen2ForCausalLM.from_pretrained(base, torch_dtype=torch.float32),
                   LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=5, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]))
for name, w in m.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(w, std=0.3)
m.save_pretrained(out)
config = json.load(open(out + "/adapter_config.json"))
config["base_model_name_or_path"] = "../qwen2-gqa"
config["target_modules"].sort()
json.dump(config, open(out + "/adapter_config.json", "w"), indent=2)
if os.path.exists(out + "/README.md"):
    os.remove(out + "/README.md")
m = m.double().eval()
given = json.load(open(base + "/sequences.json"))
with torch.no_grad():
    given["greedy"] = m.generate(input_ids=torch.tensor([given["prompt"]]), do_sample=False, max_new_tokens=64, min_new_tokens=64, eos_token_id=None,
                                 pad_token_id=0)[0, len(given["prompt"]):].tolist()
json.dump(given, open(out + "/sequences.json", "w"))
logits, logprob, entropy, loss = [], [], [], 0
for s in given["sequences"]:
    ids, first, w = torch.tensor(s["ids"]), s["first"], torch.tensor(s["weights"], dtype=torch.float64)
    z = m(ids[None, :-1]).logits[0]
    lp = (z * given["inv_temperature"]).log_softmax(-1)
    h = -(lp.exp() * lp).sum(-1)[first - 1:]
    lp = lp.gather(1, ids[1:, None])[first - 1:, 0]
    loss = loss - (w * (lp + 0.3 * h)).sum()
    logits.append(z), logprob.append(lp), entropy.append(h)
loss.backward()
tensors = {"logits": torch.cat(logits), "logprob": torch.cat(logprob), "entropy": torch.cat(entropy), "loss": loss.view(1)}
tensors.update({"grad." + n.replace(".default", ""): x.grad for n, x in m.named_parameters() if x.grad is not None})
merged = m.merge_and_unload().state_dict()
for n in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"):
    tensors[f"merged.model.layers.1.{n}.weight"] = merged[f"model.layers.1.{n}.weight"]
save_file({n: x.detach().float().contiguous() for n, x in tensors.items()}, out + "/expected.safetensors", metadata={"format": "pt"})
