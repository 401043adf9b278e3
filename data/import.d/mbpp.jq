# MBPP         task_id, text or prompt, test_list, test_setup_code           -> problem, tests (assertions), type code; of `code`, the name of the
#                                                                               function that is tested: one of them is called like a builtin

def is: has("test_list") or (.task_id != null and .code != null and .tests == null and (.text // .prompt) != null);
def record($raw): if (.test_list | strings | not) or .test_list == [] then error("of MBPP, but without tests")
  elif .text // .prompt | type != "string" then error("of MBPP, but without a text")
  elif .text // .prompt | blank then error("its question is empty")
  elif .code | type | IN("string", "null") | not then error("its code is of type \(.code | type), not a string") else
  (named($raw; .task_id) | map_values("mbpp-\(.)")) + {type: "code", problem: "\(.text // .prompt)\nYour code should pass these tests:\n\(.test_list | join("\n"))",
   tests: ({language: "python"} + (.test_list[0] as $t | [.code // "" | scan("(?m)^def +([A-Za-z_0-9]+)")[0] | select(. as $f | $t | test("\\b\($f) *\\("))] |
     if . == [] then {} else {entry_point: last} end) + {setup: (.test_setup_code // (.test_imports // [] | join("\n"))), asserts: .test_list})} end;
