#!/usr/bin/env python3
"""What the families' own chat templates make of some conversations, by transformers' apply_chat_template: turns.json for the tests.

    python3 make-turns.py qwen3=Qwen3-0.6B llama3.1=Llama-3.1-8B-Instruct/chat_template.jinja ... > turns.json

NAME is r1's name of the template, the path a folder with tokenizer_config.json (and maybe chat_template.jinja) or a template by itself.
Needs transformers (made with 4.57.6). The date of Llama 3.2's template is held at that of 3.1's.
"""
import json
import os
import sys

from transformers.utils.chat_template_utils import render_jinja_template

BOS = {"deepseek": "<｜begin▁of▁sentence｜>", "llama": "<|begin_of_text|>"}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


CONVERSATIONS = [
    [user("What is 1+1?")],
    [system("Be short."), user(" Hi \n")],
    [user("a"), assistant("b"), user("c")],
    [system(" s\n"), user("a"), assistant("<think>\nhm\n</think>\n\nyes\n"), user("c"), assistant("\n\nno thought"), user("\u00a0d\u3000\u2028")],
    [user("a"), assistant("<think>one</think><think>\ntwo\n</think>\n\n b "), user("c")],
    [user("a"), assistant("<think>\n\nlook it up\n\n</think>\n\n\nb"), user("<tool_response>c</tool_response>")],
    [user("<tool_response>a</tool_response>"), assistant("</think>b"), user("<tool_response>c</tool_response>")],
    [user(""), assistant(""), user("é中文😀 <|im_end|> \"'{{x}}\\n")],
]


def load(path):
    if not os.path.isdir(path):
        return open(path).read()
    if os.path.exists(path + "/chat_template.jinja"):
        return open(path + "/chat_template.jinja").read()
    return json.load(open(path + "/tokenizer_config.json"))["chat_template"]


def render(template, name, **more):
    bos = next((v for k, v in BOS.items() if name.startswith(k)), "")
    return render_jinja_template(CONVERSATIONS, chat_template=template, add_generation_prompt=True, bos_token=bos, eos_token=
                                 "<｜end▁of▁sentence｜>", date_string="26 Jul 2024", **more)[0]


def main():
    out = {"conversations": CONVERSATIONS, "prompts": {}, "off": {}}
    for arg in sys.argv[1:]:
        name, path = arg.split("=", 1)
        template = load(path)
        out["prompts"][name] = render(template, name)
        if "enable_thinking" in template:
            out["off"][name] = render(template, name, enable_thinking=False)
    print(json.dumps(out, ensure_ascii=False, indent=1))


main()
