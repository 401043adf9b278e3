#!/usr/bin/env python3
"""Makes *.parquet: rows in the shapes of public data sets, with the columns that they have on the Hugging Face hub (the texts are ours).
Run by hand (pip install pyarrow)."""
import os
import pyarrow as pa
import pyarrow.parquet as pq

S, N, B = pa.string(), pa.int64(), pa.bool_()

def write(name, row, types):
    here = os.path.dirname(os.path.abspath(__file__))   # ../../man-files has what an example of r1-filter(1) reads
    table = pa.Table.from_pylist(row if isinstance(row, list) else [row], schema=pa.schema(list(types.items())))
    pq.write_table(table, os.path.join(here, name + ".parquet"), compression="snappy", write_statistics=False, store_schema=False)

def struct(**types):
    return pa.struct(list(types.items()))

strings = pa.list_(S)
asked, answered = {"role": "user", "content": "What is 1+1?"}, {"role": "assistant", "content": "<think>...</think> 2"}
messages = pa.list_(struct(role=S, content=S))

write("gsm8k", [{"question": "How many seeds?", "answer": "12*6 = <<12*6=72>>72\n#### 1,072"}, {"question": "How many?", "answer": None}], dict(question=S, answer=S))
write("math", {"problem": "Find $x$.", "level": "Level 5", "type": "Algebra", "solution": "So $x = \\boxed{\\frac{1}{2}}$."},
      dict(problem=S, level=S, type=S, solution=S))
write("math-500", {"problem": "Find $x$.", "solution": "So \\boxed{2}.", "answer": "2", "subject": "Algebra", "level": 3, "unique_id": "test/algebra/1.json"},
      dict(problem=S, solution=S, answer=S, subject=S, level=N, unique_id=S))
write("numina-cot", {"source": "aops", "problem": "What is 1+1?", "solution": "So $\\boxed{2}$", "messages": [asked, answered]},
      dict(source=S, problem=S, solution=S, messages=messages))
write("numina-1.5", {"problem": "What is 1+1?", "solution": "So", "answer": "2", "problem_type": "Algebra", "question_type": "math-word-problem", "source": "aops", "synthetic": False},
      dict(problem=S, solution=S, answer=S, problem_type=S, question_type=S, source=S, synthetic=B))
write("openr1-math", {"problem": "What is 1+1?", "solution": "...", "answer": "2", "problem_type": "Algebra", "source": "olympiads", "uuid": "586fd646-76d6",
                      "generations": ["<think>", "x"], "correctness_math_verify": [True, None], "correctness_llama": None, "messages": [asked, answered]},
      dict(problem=S, solution=S, answer=S, problem_type=S, source=S, uuid=S, generations=strings, correctness_math_verify=pa.list_(B), correctness_llama=pa.list_(B), messages=messages))
write("mmlu", {"question": "Which bone?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 2}, dict(question=S, subject=S, choices=strings, answer=N))
write("arc", [{"id": "Mercury_1", "question": "Which?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
              {"id": "NYSED_2", "question": "Which?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "1"}],
      dict(id=S, question=S, choices=struct(text=strings, label=strings), answerKey=S))
verl = dict(data_source=S, prompt=pa.list_(struct(content=S, role=S)), ability=S, reward_model=struct(ground_truth=S, style=S))
write("dapo-math", {"data_source": "math_dapo", "prompt": [asked], "ability": "MATH", "reward_model": {"ground_truth": "34", "style": "rule-lighteval/MATH_v2"},
                    "extra_info": {"index": "9a9b6eb4-a1cb"}}, verl | dict(extra_info=struct(index=S)))
write("verl-gsm8k", {"data_source": "openai/gsm8k", "prompt": [asked], "ability": "math", "reward_model": {"ground_truth": "2", "style": "rule"},
                     "extra_info": {"index": 5, "split": "train"}}, verl | dict(extra_info=struct(index=N, split=S)))
code = {"data_source": "apps", "prompt": [{"role": "user", "content": "Echo."}], "ability": "code", "extra_info": None}
write("verl-code", [code | {"reward_model": {"ground_truth": t, "style": "rule"}} for t in (
    '{"inputs": ["1\\n"], "outputs": ["1\\n"]}', '{"fn_name": "f", "inputs": [[1]], "outputs": [2]}', "no tests")], verl | dict(extra_info=struct(index=N)))
write("humaneval", {"task_id": "HumanEval/0", "prompt": "def f(x):\n", "canonical_solution": "    return x\n", "test": "def check(c):\n    assert c(1) == 1\n", "entry_point": "f"},
      dict(task_id=S, prompt=S, canonical_solution=S, test=S, entry_point=S))
write("mbpp", {"task_id": 601, "text": "Write f.", "code": "def f(x):\n  return x", "test_list": ["assert f(1) == 1"], "test_setup_code": "", "challenge_test_list": []},
      dict(task_id=pa.int32(), text=S, code=S, test_list=strings, test_setup_code=S, challenge_test_list=strings))
write("mbpp-sanitized", {"source_file": "a.ipynb", "task_id": 602, "prompt": "Write f.", "code": "def f(x):\n  return x", "test_imports": ["import math"], "test_list": ["assert f(1) == 1"]},
      dict(source_file=S, task_id=pa.int32(), prompt=S, code=S, test_imports=strings, test_list=strings))
pairs = struct(input=strings, output=strings)
write("code-contests", {"name": "1_A. Twice", "description": "Say it twice.", "public_tests": {"input": ["1\n"], "output": ["1 1\n"]},
                        "private_tests": {"input": ["2\n"], "output": ["2 2\n"]}, "generated_tests": {"input": [], "output": []}},
      dict(name=S, description=S, public_tests=pairs, private_tests=pairs, generated_tests=pairs))
write("records", [{"id": "a", "problem": "What is 1+1?", "answer": "2", "messages": None}, {"id": "b", "problem": None, "answer": "2", "messages": [asked]}],
      dict(id=S, problem=S, answer=S, messages=messages))
write("../../man-files/questions", [{"question": "What is 17 + 25?", "answer": "42", "steps": ["17 + 20 = 37", "37 + 5 = 42"]},
                                    {"question": "What is half of 2,469?", "answer": "1234.5", "steps": None}], dict(question=S, answer=S, steps=strings))
