#!/usr/bin/env python3
"""check-written.py [NAME...]: checkpoints that r1-update and r1-distill write load in transformers (adapters in PEFT), which gives the same logprobs.

Run by hand from the project's folder after `make` (needs torch 2.5, transformers 4.57, peft). Every model of tests/pytorch is trained a step by each
tool, in float32 and bfloat16, in one file and in shards, whole and as an adapter. transformers must find every tensor it wants and no other.
Then it says what the logprobs of random tokens are, in float32, and r1-update how far they are from its own.
"""
import glob, json, os, shutil, subprocess, sys, tempfile
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, logging

BIN, HERE = "bin", os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "../tiny")
WAYS = {"float32": ["--dtype", "float32"], "bfloat16": ["--dtype", "bfloat16"], "shards": ["--shard-size", "2e-5"],
        "bfloat16 shards": ["--dtype", "bfloat16", "--shard-size", "1e-5"], "adapter": ["--lora", "3"]}

logging.disable_progress_bar()
logging.set_verbosity_error()
torch.set_num_threads(1)


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def batch(path, vocab, logprobs=None):
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(2, vocab, (n,), generator=generator).tolist() for n in (12, 40, 7, 25)]
    with open(path, "w") as f:
        for i, row in enumerate(rows):
            record = {"id": "p", "sample": i, "prompt_ids": row[:4], "completion_ids": row[4:], "advantage": 1.0 - i}
            if logprobs:
                record["logprobs"] = logprobs(row)[3:]
            print(json.dumps(record), file=f)


def check(name, tool, way, work):
    base, out, records = work + "/base", work + "/out", work + "/records.jsonl"
    os.mkdir(base)
    for f in ("config.json", "model.safetensors"):
        shutil.copy(os.path.join(HERE, name, f), base)
    shutil.copy(TINY + "/tokenizer.json", base)
    json.dump({"eos_token_id": [1, 2]}, open(base + "/generation_config.json", "w"))
    json.dump({"tokenizer_class": "PreTrainedTokenizerFast"}, open(base + "/tokenizer_config.json", "w"))
    vocab = json.load(open(base + "/config.json"))["vocab_size"]
    batch(records, vocab)
    run(f"{BIN}/{tool}", "-q", "--threads", "1", "-m", base, "-o", out, "--lr", "0.01", *WAYS[way], records)
    folder = base if way == "adapter" else out
    if way == "adapter" and "fp8" in name:
        return "base of 8 bits"
    model, info = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    if way == "adapter":
        model = PeftModel.from_pretrained(model, out)
    else:
        AutoTokenizer.from_pretrained(out)
        assert GenerationConfig.from_pretrained(out).eos_token_id == [1, 2]
        shards = len(glob.glob(out + "/model-*.safetensors"))
        assert (shards > 1) == ("shards" in way), shards
        assert json.load(open(out + "/config.json"))["torch_dtype"] == ("bfloat16" if "bfloat16" in way else "float32")

    def logprobs(row):
        z = model(torch.tensor([row])).logits[0, :-1].log_softmax(-1)
        return z.gather(1, torch.tensor(row[1:])[:, None])[:, 0].tolist()

    with torch.no_grad():
        batch(records, vocab, logprobs)
    metrics = json.loads(run(f"{BIN}/r1-update", "-q", "--threads", "1", "-m", out, "-o", work + "/again", "--lr", "0", "--kl-coef", "0", records))
    off = metrics["sampling/sampling_logp_difference/max"]
    assert off < 1e-4, f"off by {off}"
    return f"{off:.1e}"


failed = 0
for name in sys.argv[1:] or sorted(os.path.basename(os.path.dirname(f)) for f in glob.glob(HERE + "/*/config.json")):
    for tool in ("r1-update", "r1-distill"):
        said = []
        for way in WAYS:
            with tempfile.TemporaryDirectory() as work:
                try:
                    said.append(f"{way} {check(name, tool, way, work)}")
                except (AssertionError, subprocess.CalledProcessError) as e:
                    said.append(f"{way} FAILED: {e} {getattr(e, 'stderr', '')}")
                    failed += 1
        print(f"{name}, {tool}: {', '.join(said)}", flush=True)
sys.exit(failed > 0)
