#!/usr/bin/env python3
"""make-vectors.py > vectors.json: what the reference, the PyPI package `tokenizers`, makes of texts under many settings

The vocabulary is our own, made by `build/gcc/tests/unit/tokenizer_train tests/unit/tokenizer/tokenizer.json`. Each variant says
which members of that file it replaces (`set`, and `model` for those of its model; `added` are more added tokens) and lists texts
with their ids: as they are, with the special tokens that a post-processor adds, with special tokens as plain text; and what the
first decode to, with and without special tokens.
"""
import copy
import json
import os
import random

import tokenizers

here = os.path.dirname(os.path.abspath(__file__))
base = json.load(open(os.path.join(here, 'tokenizer.json')))
draw = random.Random(1)

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
V3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+"
      r"|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(prefix=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def pre(*steps):
    return {"set": {"pre_tokenizer": sequence(*steps, byte_level())}}


def added(content, **flags):
    token = {"content": content}
    for name in "single_word", "lstrip", "rstrip", "normalized", "special":
        token[name] = flags.get(name, False)
    return token


def template(before, after):
    special = {name: {"id": name, "ids": ids, "tokens": names} for name, ids, names in
               (("B", [398], ["<|begin|>"]), ("E", [399, 33], ["<|end|>", "A"]))}
    single = [{"SpecialToken": {"id": "B", "type_id": 0}}] * before + [{"Sequence": {"id": "A", "type_id": 0}}]
    single += [{"SpecialToken": {"id": "E", "type_id": 0}}] * after
    pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


bytes_tokens = {"<0x%02X>" % b: None for b in range(256) if b % 7}
# As SentencePiece has it: blanks are marks that belong to the word behind them
marks_vocab = dict({"<0x%02X>" % b: None for b in range(256)}, **{s: None for s in ("▁", "▁▁", "▁t", "▁the", "▁a")})
marked = {"unk_token": "z", "byte_fallback": True, "fuse_unk": True,
          "merges": ["▁ ▁"] + base["model"]["merges"] + ["▁ t", "▁t he", "▁ a"]}
sentencepiece = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                  {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
flagged = [added("[A]", lstrip=True), added("[AB]", rstrip=True, special=True), added("[A]]", single_word=True),
           added("word", single_word=True, normalized=True), added("e\u0301t", normalized=True), added(" ", rstrip=True, lstrip=True),
           added("the", single_word=True), added("\u00e9")]

variants = [
    ("qwen2", {}),
    ("nfc", {"set": {"normalizer": {"type": "NFC"}}}),
    ("nfc in a sequence", {"set": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}}}),
    ("gpt-2", {"set": {"pre_tokenizer": byte_level(False, True)}}),
    ("gpt-2 with a space in front", {"set": {"pre_tokenizer": byte_level(True, True)}}),
    ("a space in front of each piece", {"set": {"pre_tokenizer": sequence(split(r"\p{P}"), byte_level(True, False))}}),
    ("llama 3", {"set": {"pre_tokenizer": sequence(split(GPT4), byte_level()), "post_processor":
                         {"type": "Sequence", "processors": [byte_level(True), template(1, 0)]}}, "model": {"ignore_merges": True}}),
    ("deepseek v3", pre(split(r"\p{N}{1,3}"), split(r"[一-龥぀-ゟ゠-ヿ]+"), split(V3))),
    ("deepseek llm", pre(split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(r"\s+$"), split("[一-龥ࠀ-一가-퟿]+"),
                         {"type": "Digits", "individual_digits": True})),
    ("gpt-4o", pre(split(O200K))),
    ("digits together", pre({"type": "Digits", "individual_digits": False})),
    ("removed", pre(split(r"\s+", "Removed"))),
    ("removed but for", pre(split(r"\w+", "Removed", True))),
    ("with the previous", pre(split(r"\p{P}", "MergedWithPrevious"))),
    ("with the next", pre(split(r"[A-Z]", "MergedWithNext"))),
    ("with the next, inverted", pre(split(r"\s", "MergedWithNext", True))),
    ("contiguous", pre(split(r"\d", "Contiguous"))),
    ("contiguous, inverted", pre(split(r"\S", "Contiguous", True))),
    ("a string", pre(split(" ", "MergedWithNext", kind="String"))),
    ("a string with marks", pre(split(".*", "Isolated", kind="String"))),
    ("lines", pre(split(r"^\s+|,$", "Isolated"), split(r".\n", "Removed"))),
    ("empty matches", pre(split(r"(?=[A-Z])|x*", "Isolated"), split(r"(?<=e)", "MergedWithPrevious"))),
    ("a piece that its own step would split", pre(split(r"\n"), split(r"(?<=q)er|r"), {"type": "Digits", "individual_digits": True})),
    ("words as there", pre(split(r"\w+"), split(r"[^\w\s]"), split(r"\W"))),
    ("added tokens", {"added": flagged}),
    ("added tokens and nfc", {"added": flagged, "set": {"normalizer": {"type": "NFC"}}}),
    ("around the text", {"set": {"post_processor": template(2, 1)}}),
    ("merges as pairs", {"model": {"merges": [m.split(" ") for m in base["model"]["merges"]]}}),
    ("no pre-tokenizer, unknown", {"set": {"pre_tokenizer": None}, "model": {"unk_token": "z"}}),
    ("no pre-tokenizer, unknown fused", {"set": {"pre_tokenizer": None}, "model": {"unk_token": "z", "fuse_unk": True}}),
    ("byte fallback", {"set": {"pre_tokenizer": sequence(split(r"\s")), "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "z"}, "content": "<?>"}, {"type": "ByteFallback"}, {"type": "Fuse"}]}},
        "model": {"unk_token": "z", "byte_fallback": True}, "vocab": bytes_tokens}),
    ("llama 2", {"set": {"pre_tokenizer": None, "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "decoder": sentencepiece, "post_processor": template(1, 0)}, "model": marked, "vocab": marks_vocab}),
    ("llama 2, added tokens that are normalized", {"added": [added("the", normalized=True), added("word", normalized=True, single_word=True)], "set": {
        "pre_tokenizer": None, "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}, "decoder": sentencepiece}, "model": marked, "vocab": marks_vocab}),
    ("metaspace", {"set": {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}}, "model": marked, "vocab": marks_vocab}),
    ("metaspace as it was", {"set": {"pre_tokenizer": sequence({"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}, split(r"\d")),
        "decoder": sentencepiece}, "model": marked, "vocab": marks_vocab}),
    ("metaspace, the first alone", {"set": {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
        "decoder": sentencepiece}, "model": marked, "vocab": marks_vocab}),
    ("metaspace, nothing in front", {"set": {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False},
        "decoder": sentencepiece}, "model": marked, "vocab": marks_vocab}),
]

texts = [
    "", " ", "\n", "a", "The teacher's pupils WEREN'T sure that they'd seen it; we'Ve checked.",
    "User: 3 A 4 * 12 = ? Assistant: <think> A 4 * 12 = 48 </think> <answer> 48 </answer><|end|>",
    "<|begin|><|end|> <think></think><think", "  two  spaces\t\ttabs \n\n lines\r\n\r\n  end  ", "x = 1234567.89e10\n", "\u00a0\u3000\u180e\u0085 z",
    "e\u0301te\u0301 \u00e9t\u00e9, \u1112\u1161\u11ab \u212b \u0344 q\u0323\u0307 \u0958", "老师说：等等，所以答案是二。", "학생 Ответ naïve Straße ﬁ ſ K 'ſ",
    "1½ ² Ⅷ ⓐ ٣ _x_ a\u200db \u203f", "🙂👩\u200d👩\u200d👧🇩🇪", "[A] [AB]  [A]][A][AB word, words word.the theethe", "the [A] é", "AbCdE xxXxx,\nx, y,\n  .*.*",
    # newer than Unicode 14: letters (large, small, Han), a mark, digits, numbers, signs, an emoji; and a character of no version
    "\U0001e4d0\U0001e4ec \u1c89\u1c8a\ua7cb the\U00011f04 \U00031350\U0002ebf0等", "\U0001e4f312\U00010d43 \U0001d2c0\U00011bf0\u2ffc\u20c0 \U0001fae8!\U0001cc00 \U0003fffe\u0378x",
    "word\U00031350 x\u1ded\u1df9 \U00011935\U00011930 the\u0897 the\U0001e4f0\U00011de9 \ua7dathe e\u0897\u0301t",
    "longer than pieces that are remembered, qer\ner\nqer",
]
pieces = ["the", " the", "Teacher", "'s", "'LL", " ", "  ", "\n", "\r\n", "\t", "12", "345", " 7", ".", ",", "...", "!", "é", "e\u0301", "ß", "等等", "所以", "답",
          "Ответ", "½", "🙂", "<think>", "</answer>", "<|end|>", "<|begin|>", "[A]", "[AB]", "word", "_", "-", "\u00a0", "\u200d", "x", "X", "é", " A", "=", "*"]
for _ in range(8):
    texts.append("".join(draw.choice(pieces) for _ in range(draw.randint(2, 12))))


# Some of every script, and what is hard: marks in any order, joiners, controls, long runs, added tokens cut short
scripts = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0xdff), (0xe00, 0xfff), (0x1000, 0x11ff), (0x1780, 0x18af),
           (0x1dc0, 0x1fff), (0x2000, 0x206f), (0x20d0, 0x218f), (0x2460, 0x2bff), (0x3000, 0x33ff), (0x4e00, 0x9fff), (0xa640, 0xabff), (0xac00, 0xd7a3),
           (0xe000, 0xfaff), (0xfb00, 0xffff), (0x10000, 0x11fff), (0x16800, 0x1b2ff), (0x1cc00, 0x1faff), (0x20000, 0x323af), (0xe0000, 0xe01ef)]
runs = [" ", "\n", "\t", "\r\n", "0", "7", "a", "!", "\u3000", "\x00", "\u0301"]
marks = "\u0301\u0323\u0345\u0327\u093c\u05b0\u3099\u1161\u11ab\u0897\u1df9\U00011930"


def hard():
    out = ""
    for _ in range(draw.randint(1, 5)):
        kind = draw.randrange(6)
        if kind < 3:
            script = draw.choice(scripts)
            out += "".join(chr(draw.randint(*script)) for _ in range(draw.randint(1, 5)))
        elif kind == 3:
            out += draw.choice("aeE\u0915\u304b\u1100\U00011935") + "".join(draw.choice(marks) for _ in range(draw.randint(1, 3)))
        elif kind == 4:
            out += draw.choice(runs) * draw.choice([1, 2, 3, 4, 9])
        else:
            piece = draw.choice(pieces)
            out += piece[:draw.randint(1, len(piece))]
    return out


hard_texts = [hard() for _ in range(60)]
hard_names = "nfc", "gpt-2", "llama 3", "deepseek v3", "deepseek llm"


def build(variant):
    j = copy.deepcopy(base)
    model = j["model"]
    for name in variant.get("vocab", {}):
        model["vocab"][name] = len(model["vocab"])
    # the reference numbers added tokens from the end of the model's
    j["added_tokens"] = [dict(t, id=t["id"] + len(variant.get("vocab", {}))) for t in j["added_tokens"]]
    next_id = 400 + len(variant.get("vocab", {}))
    for token in variant.get("added", []):
        if token["content"] in model["vocab"]:
            token["id"] = model["vocab"][token["content"]]
        else:
            token["id"] = next_id
            next_id += 1
        j["added_tokens"].append(token)
    model.update(variant.get("model", {}))
    j.update(variant.get("set", {}))
    return j


out = []
for name, variant in variants:
    j = build(variant)
    reference = tokenizers.Tokenizer.from_str(json.dumps(j))
    whole = copy.deepcopy(j)                                # our own rule: a blank in front stays
    if j["decoder"] == sentencepiece:
        del whole["decoder"]["decoders"][-1]
    elif j["decoder"]["type"] == "Metaspace":
        whole["decoder"] = sentencepiece["decoders"][0]
    whole = tokenizers.Tokenizer.from_str(json.dumps(whole))
    plain = tokenizers.Tokenizer.from_str(json.dumps(j))
    plain.encode_special_tokens = True
    change = {k: v for k, v in j.items() if v != base[k] and k != "model"}
    model = {k: v for k, v in j["model"].items() if v != base["model"][k]}
    prefix = reference.encode("", add_special_tokens=True).ids.count(398)
    cases = []
    long_one = [" ".join(texts[4:7] + texts[10:13])] * (not variant.get("set", {}).get("pre_tokenizer", 1))
    for text in texts + long_one + hard_texts * (name in hard_names):
        ids = reference.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids}
        around = reference.encode(text, add_special_tokens=True).ids
        if prefix and ids[:prefix] == [398] * prefix:       # our own rule: what is there already is not put there again
            around = around[prefix:]
        unparsed = plain.encode(text, add_special_tokens=False).ids
        if around != ids:
            case["around"] = around
        if unparsed != ids:
            case["plain"] = unparsed
        decoded = whole.decode(ids, skip_special_tokens=False)
        bare = whole.decode(ids, skip_special_tokens=True)
        if decoded != text:
            case["decoded"] = decoded
        if bare != decoded:
            case["bare"] = bare
        cases.append(case)
    out.append({"name": name, "set": change, "model": model, "cases": cases})

print("[")
for i, variant in enumerate(out):
    cases = variant.pop("cases")
    head = json.dumps(variant, separators=(",", ":"))
    print(head[:-1] + ',"cases":[')
    print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    print("]}" + ("," if i + 1 < len(out) else ""))
print("]")
