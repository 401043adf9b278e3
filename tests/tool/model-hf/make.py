# Makes the folders sharded/ and half/ beside it, and prints what `r1-model list --stats` should say of their tensors, as PyTorch sees them.
# With torch 1.13, transformers 4.44, safetensors 0.8.
import os, sys, torch
from transformers import Qwen2Config, Qwen2ForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)
config = Qwen2Config(vocab_size=24, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=64, rope_theta=1e6, bos_token_id=1, eos_token_id=2)
model = Qwen2ForCausalLM(config)
with torch.no_grad():
    for p in model.parameters():
        p.copy_(torch.randn_like(p))
model.generation_config.eos_token_id = [2, 3]
model.save_pretrained(here + "/sharded", max_shard_size="3KB")
model.half().save_pretrained(here + "/half")

if len(sys.argv) > 1:
    from safetensors.torch import load_file
    for f in sorted(os.listdir(here + "/" + sys.argv[1])):
        if f.endswith(".safetensors"):
            for name, x in load_file(here + "/" + sys.argv[1] + "/" + f).items():
                y = x.double()
                print("%s %.3g %.3g %.3g %.3g" % (name, y.mean(), y.std(unbiased=False), y.min(), y.max()))
