# HumanEval    task_id, prompt, entry_point, test                            -> problem, tests (assertions), type code

def is: .entry_point != null and (.prompt | type == "string") and (.tests == null);
def record($raw): if (.entry_point | type) != "string" or (.test | type) != "string" or .test == "" then error("it has an entry_point, but no test")
  elif .prompt | blank then error("its question is empty") else
  id($raw) + {type: "code", problem: .prompt, tests: {language: "python", entry_point, prefix: .prompt, setup: .test, asserts: "check(\(.entry_point))"}} end;
