#!/usr/bin/env python3
"""Makes tests/pytorch/rope.safetensors: cosines and sines of rotary positions far out, as transformers has them.

Run once by hand (needs torch 2.5, transformers 4.57); tests/unit/rope.c reads it. For each configuration of tests/tool/model-info a tensor of its
name: [positions, D], a row D/2 cosines and D/2 sines; and the positions themselves.
"""
import glob, json, os
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
positions = torch.tensor([1, 500, 4095, 32767, 131071])
out = {"positions": positions.float()}
for path in sorted(glob.glob(here + "/../tool/model-info/*.json")):
    c = {k: v for k, v in json.load(open(path)).items() if k not in ("architectures", "torch_dtype", "quantization_config")}
    with torch.device("meta"):
        kind = type(AutoModelForCausalLM.from_config(AutoConfig.for_model(**dict(c, num_hidden_layers=1))).model.rotary_emb)
    cos, sin = kind(AutoConfig.for_model(**c))(torch.zeros(1), positions[None])
    half = cos.shape[-1] // 2
    out[os.path.basename(path)] = torch.cat([cos[0, :, :half], sin[0, :, :half]], -1).contiguous()
save_file(out, here + "/rope.safetensors", metadata={"format": "pt"})
