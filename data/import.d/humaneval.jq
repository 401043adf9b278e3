# HumanEval    task_id, prompt, entry_point, test                            -> problem, tests (assertions), type code

def is: .entry_point != null and (.prompt | type == "string") and (.tests == null);
# What the prompt defines in front of the function that is asked for: tests that call it must not get the program's
def helpers: "\ndef \(.entry_point)(" as $f | .prompt | split($f) | if length == 2 and (.[0] | test("(^|\n)(def|class) "))
  then (.[0] | sub("(\n@[^\n]*)+$"; "")) + "\n" else "" end;
def record($raw): if (.entry_point | type) != "string" or (.test | type) != "string" or (.test | blank) then error("it has an entry_point, but no test")
  elif .prompt | blank then error("its question is empty") else
  id($raw) + {type: "code", problem: .prompt, tests: {language: "python", entry_point, prefix: .prompt, setup: (helpers + .test), asserts: "check(\(.entry_point))"}} end;
