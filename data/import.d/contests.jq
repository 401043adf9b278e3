# contests     description, public_tests, private_tests, generated_tests {input, output}               (CodeContests)
#              question, input_output {inputs, outputs, fn_name}                                       (APPS, TACO)
#              question_content, public_test_cases [{input, output, testtype}]                         (LiveCodeBench; its private tests are packed)
#              content, test [{input: {stdin}, output: {stdout}}]                                      (SandboxFusion)
#                                                                            -> problem, tests (inputs, outputs), type code; any language

def code_contests: .public_tests != null and .description != null;
def apps: .input_output != null and .question != null;
def live_code_bench: .public_test_cases != null and .question_content != null;
def is: code_contests or apps or live_code_bench or (.test != null and .content != null);

def list: parsed | if type == "array" and all(type == "object") then . else error("its tests are no list of objects") end;
def value: [json?] | if . == [] then error("an argument or value of a call is not JSON") else .[0] end;
def begun($problem): if $problem | type != "string" then error("its question is of type \($problem | type), not a string")
  else [($problem | asking), .starter_code // "" | select(. != "")] | join("\n\n") end;
def sides($key): .[$key] | parsed | if . == null then empty elif type == "object" and all(.input, .output; type == "array") then .
  else error("its \($key) has no input and output that are lists") end;
def called: ((.metadata // {}) | parsed).func_name? // error("its metadata has no func_name");
def made($id; $problem; $tests): if $problem | type != "string" then error("its problem is no text") elif $problem | blank then error("its question is empty")
  else $id + {type: "code", problem: $problem, tests: $tests} | unmarked end;
def record($raw):
  if code_contests then
    made(named($raw; .name // .id); .description;
      [sides("public_tests", "private_tests", "generated_tests")] | {inputs: map(.input[]), outputs: map(.output[])} | texts)
  elif apps then
    made(named($raw; .problem_id // .id); begun(.question); kept($raw; .input_output) | calls)
  elif live_code_bench then
    (.public_test_cases | list) as $t | made(named($raw; .question_id); begun(.question_content);
      if $t | any(.testtype == "functional") then {language: "python", entry_point: called} +
        ({inputs: [$t[].input | split("\n") | map(value)], outputs: [$t[].output | value]} | cases)
      else {inputs: [$t[].input], outputs: [$t[].output]} | texts end)
  elif .test | type == "string" and test("^eJ[A-Za-z0-9+/=\\s]+$") then
    error("its tests are packed (base64, zlib and, in LiveCodeBench, a pickle, which only Python may read): make them input_output {inputs, outputs} first")
  else
    made(named($raw; .id); .content; .test | list | {inputs: map(.input.stdin), outputs: map(.output.stdout)} | texts)
  end;
