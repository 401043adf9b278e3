#!/usr/bin/env python3
"""Makes tests/pytorch/grpo/: one batch of completions, and what TRL's GRPOTrainer makes of it with the model of tests/pytorch/qwen3-tied.

Run once by hand (needs torch 2.5, transformers 4.57, trl 0.24); tests/tool/update-trl reads the files: records.jsonl, the batch, whose logprobs are
the policy's and noise; reference/, the policy with noise on its weights; expected.jsonl, for each way to compute the loss the arguments of
r1-update that ask for it, and TRL's loss and metrics and the gradient's norm. TRL's own function is called, on a trainer that has nothing else;
computed in float64. What this TRL has not, CISPO and KL in the reward, is written out here.
"""
import collections, json, os, shutil
from types import SimpleNamespace
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from trl import GRPOTrainer

here = os.path.dirname(os.path.abspath(__file__))
base, out = here + "/qwen3-tied", here + "/grpo"
torch.manual_seed(11)
os.makedirs(out + "/reference", exist_ok=True)
shutil.copy(base + "/config.json", out + "/reference/config.json")
save_file({n: x + 0.03 * torch.randn(x.shape) for n, x in load_file(base + "/model.safetensors").items()}, out + "/reference/model.safetensors",
          metadata={"format": "pt"})
model = AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float64).train()
reference = AutoModelForCausalLM.from_pretrained(out + "/reference", torch_dtype=torch.float64)
V, pad = model.config.vocab_size, 0
prompts = [torch.randint(2, V, (n,)) for n in (5, 9)]
lengths = [1, 24, 7, 12, 16, 3, 20, 9]
completions = [torch.randint(2, V, (n,)) for n in lengths]
advantages = (torch.randn(8, dtype=torch.float64) * 1.5).round(decimals=4)
T = max(lengths)


def padded(rows, left):
    n = max(map(len, rows))
    fill = [torch.full((n - len(r),), pad) for r in rows]
    ids = torch.stack([torch.cat([f, r] if left else [r, f]) for r, f in zip(rows, fill)])
    mask = torch.stack([torch.cat([0 * f, 0 * r + 1] if left else [0 * r + 1, 0 * f]) for r, f in zip(rows, fill)])
    return ids, mask


prompt_ids, prompt_mask = padded([prompts[i // 4] for i in range(8)], True)
completion_ids, completion_mask = padded(completions, False)


def trainer(temperature=1.0, **o):
    s = SimpleNamespace(top_entropy_quantile=1.0, beta=0.0, importance_sampling_level="token", epsilon_low=0.2, epsilon_high=0.2, use_vllm=False,
                        vllm_importance_sampling_correction=True, loss_type="grpo", current_gradient_accumulation_steps=1, max_completion_length=T,
                        args=SimpleNamespace(delta=None), accelerator=SimpleNamespace(num_processes=1, gather=lambda x: x),
                        _metrics={"train": collections.defaultdict(list)}, model=model, temperature=temperature, model_kwarg_keys={"logits_to_keep"})
    s.__dict__.update(o)
    s._get_per_token_logps_and_entropies = lambda *a, **k: GRPOTrainer._get_per_token_logps_and_entropies.__wrapped__(s, *a, **k)
    return s


def logps(m, temperature):
    with torch.no_grad():
        return trainer(temperature)._get_per_token_logps_and_entropies(m, torch.cat([prompt_ids, completion_ids], 1),
                                                                       torch.cat([prompt_mask, completion_mask], 1), T)[0]


old = (logps(model, 1.0) + 0.25 * torch.randn(8, T, dtype=torch.float64)).float().double().round(decimals=5)
with open(out + "/records.jsonl", "w") as f:
    for i, n in enumerate(lengths):
        print(json.dumps({"id": f"p{i // 4}", "sample": i % 4, "prompt_ids": prompts[i // 4].tolist(), "completion_ids": completions[i].tolist(),
                          "logprobs": [float(f"{x:.5f}") for x in old[i, :n]], "advantage": advantages[i].item()}), file=f)


def run(arguments, temperature=1.0, sampling=None, **o):
    t = trainer(temperature, **o)
    inputs = {"prompt_ids": prompt_ids, "prompt_mask": prompt_mask, "completion_ids": completion_ids, "completion_mask": completion_mask,
              "advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": logps(reference, temperature),
              "num_items_in_batch": completion_mask.sum()}
    if sampling:
        inputs["old_per_token_logps"] = logps(model, temperature)
        inputs["importance_sampling_ratio"] = torch.exp(inputs["old_per_token_logps"] - old).clamp(max=sampling)
    model.zero_grad()
    loss = GRPOTrainer._compute_loss(t, model, inputs)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
    metrics = {k: v[0] for k, v in t._metrics["train"].items() if k in ("kl", "entropy") or k.endswith("_mean")}
    return {"arguments": arguments, "temperature": temperature, "loss": loss.item(), "grad_norm": norm, **metrics}


def mean(x):
    return (x * completion_mask).sum() / completion_mask.sum()


def written_out(arguments, loss_of, low, high, beta=0.0, in_reward=False):
    t = trainer()
    logp, entropy = t._get_per_token_logps_and_entropies(model, torch.cat([prompt_ids, completion_ids], 1),
                                                         torch.cat([prompt_mask, completion_mask], 1), T, compute_entropy=True)
    ref = logps(reference, 1.0)
    a = advantages[:, None].expand(8, T)
    k1, k3 = logp - ref, torch.exp(ref - logp) - (ref - logp) - 1
    if in_reward:
        a = a - beta * ((logp.detach() - ref) * completion_mask).flip(1).cumsum(1).flip(1)
    ratio = torch.exp(logp - old)
    loss, below, above = loss_of(logp, ratio, a, ratio < 1 - low, ratio > 1 + high, ratio.clamp(1 - low, 1 + high))
    model.zero_grad()
    loss = mean(loss + (0 if in_reward else beta * k3))
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
    below, above = mean(below.double()).item(), mean(above.double()).item()
    return {"arguments": arguments, "temperature": 1.0, "loss": loss.item(), "grad_norm": norm, "entropy": mean(entropy).item(),
            **({"kl": mean(k1 if in_reward else k3).item()} if beta else {}),
            "clip_ratio/low_mean": below, "clip_ratio/high_mean": above, "clip_ratio/region_mean": below + above}


def cispo(logp, ratio, a, below, above, clipped):
    return -clipped.detach() * a * logp, below, above


def ppo(logp, ratio, a, below, above, clipped):
    return -torch.min(ratio * a, clipped * a), below & (a < 0), above & (a > 0)


with open(out + "/expected.jsonl", "w") as f:
    for row in [
        run("--loss grpo --kl-coef 0.04", beta=0.04),
        run("--loss grpo --kl-coef 0 --clip-low 0.1 --clip-high 0.28", epsilon_low=0.1, epsilon_high=0.28),
        run("--loss dapo --kl-coef 0 --clip-high 0.28", loss_type="dapo", epsilon_high=0.28),
        run("--loss dapo --kl-coef 0.1 --clip 0.3", loss_type="bnpo", beta=0.1, epsilon_low=0.3, epsilon_high=0.3),
        run("--loss dr_grpo --kl-coef 0.5 --max-length 32", loss_type="dr_grpo", beta=0.5, max_completion_length=32),
        run("--loss grpo --kl-coef 0.02 --clip 0.1 --dual-clip 1.2", beta=0.02, epsilon_low=0.1, epsilon_high=0.1,
            args=SimpleNamespace(delta=1.2)),
        run("--loss grpo --kl-coef 0.04", temperature=0.9, beta=0.04),
        run("--loss dapo --kl-coef 0.3 --is-cap 1.2", sampling=1.2, loss_type="dapo", beta=0.3, use_vllm=True),
        run("--loss gspo --kl-coef 0", importance_sampling_level="sequence", epsilon_low=3e-4, epsilon_high=4e-4),
        run("--loss gspo --kl-coef 0.04 --clip-low 0.05 --clip-high 0.08", importance_sampling_level="sequence", beta=0.04, epsilon_low=0.05,
            epsilon_high=0.08),
        run("--loss gspo --kl-coef 0 --clip 0.02 --dual-clip 1.03", importance_sampling_level="sequence", epsilon_low=0.02, epsilon_high=0.02,
            args=SimpleNamespace(delta=1.03)),
        written_out("--loss cispo --kl-coef 0", cispo, 1, 4),
        written_out("--loss cispo --kl-coef 0.04 --clip-low 0.1 --clip-high 0.28", cispo, 0.1, 0.28, 0.04),
        written_out("--loss dapo --kl-coef 0.1 --kl-in reward", ppo, 0.2, 0.2, 0.1, in_reward=True),
        written_out("--loss cispo --kl-coef 0.1 --kl-in reward --clip 0.2", cispo, 0.2, 0.2, 0.1, in_reward=True),
    ]:
        print(json.dumps(row), file=f)
