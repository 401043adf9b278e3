# choices      question, choices or options (a list, or {A: ..., B: ...}),   -> problem with (A) (B) ..., the letter, type choice
#              answer, answer_idx or correct (index from 0, letter or text)                       (MMLU, MedQA, AQuA)
#              question, A, B, ..., answer                                  -> the same            (C-Eval)
#              question, choices {text, label}, answerKey                    -> the same            (ARC, OpenBookQA, CommonsenseQA)
#              An answer that is none of the choices, or may be two of them, is an error.

def columns: .choices == null and .options == null and has("A") and has("B") and any(.A, .B; . != null);
def list: if (.question | type) == "object" then .question.choices elif .choices != null then .choices
  elif columns then with_entries(select(.key | test("^[A-J]$"))) else .options end;
def stem: if (.question | type) == "object" then .question.stem else .question // .question_stem end;
def is: (.choices != null or .options != null or columns or (.question | type) == "object") and (.question // .question_stem) != null and list != null and .input_output == null;
def letter: ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"][.];

# [{label, text}]; `number` where the line has a number
def labelled($raw): digits($raw; list.text) as $text | digits($raw; list["label"]) as $name |
  if ($name | type) != "array" or ($name | length) != ($text | length) then error("its choices have not as many labels as texts")
  else [range($text | length) | {label: $name[.], text: $text[.]}] end;
def keyed($raw): . as $r | list as $list | if $list | keys | all(test("^([A-Ja-j]|[0-9]+)$")) then
    [$list | keys | sort_by(tonumber? // .)[] | select($list[.] != null) | . as $key | {label: $key, text: ($r | digits($raw; list[$key]))}]
  else error("its choices are called \($list | keys | join(", ")), not A, B ...") end;
def listed($raw): list as $list | if $list | length > 0 and all(type == "object") then $list | map({label: (.label // .key), text: (.text // .value // .content)})
  else digits($raw; list) as $text | [range($list | length) | {text: $text[.], number: ($list[.] | type == "number")}] end;
def options($raw): (if list | type | IN("array", "object") | not then error("its choices are of type \(list | type), not a list") elif list | type == "array" then listed($raw) elif list.text | type == "array" then labelled($raw) else keyed($raw) end) |
  if length > 10 then error("\(length) choices are more than A to J")
  elif length == 0 then error("it has no choices")
  elif any(.text | type != "string") then error("a choice is of type \([.[].text | type | select(. != "string")][0]), neither a string nor a number")
  else . end;

# "A) a", "(A) a" or "A. a", each under its own letter, are a; under other letters, nobody knows which ones the answer means
def begun: "^(?:\\(\(letter)\\)|\(letter)[.):])\\s*";
def lettered: [.[].text | [match("^(?:\\(([A-Ja-j])\\)|([A-Ja-j])[.):])").captures[].string | select(. != null)]] | map(.[0] | select(. != null) | ascii_upcase);
def bare: lettered as $own | if ($own | length) == length and ($own | unique | length) == length and $own != [range(length) | letter] then
    error("its choices call themselves \($own | join(", "))") elif (.[0].text | test(0 | begun)) and ([range(length) as $i | .[$i].text | test($i | begun)] | all) then
    [range(length) as $i | .[$i] | .text |= sub($i | begun; "")] else . end;

# Does a string mean the option at $i: by its text, its label or both?
def means($i; $option): trimmed as $s | ($option.label // ($i | letter) | tostring | ascii_downcase) as $name | ($i | begun) as $begun |
  . == $option.text or $s == ($option.text | trimmed) or ($s | ascii_downcase | IN($name, "(\($name))", "\($name).", "\($name))")) or
  ($s | test($begun) and sub($begun; "") == $option.text);
# The places that the answer behind a key may mean. A number is an index, or one of the choices as it stands in the line.
def places($options; $raw; $key): .[$key] | if type == "array" and length == 1 then .[0] else . end | . as $a |
  if type == "number" and ($options | all(.number | not)) then [range($options | length) | select(. == $a)]
  elif type == "number" then ($raw | marked[$key] | if type == "array" then .[0] else . end | plain) as $exact |
    [range($options | length) | select(. == $a or ($options[.].number and $options[.].text == $exact))]
  else tostring as $s | [range($options | length) | . as $i | select($s | means($i; $options[$i]))] end;
def place($options; $raw; $key): places($options; $raw; $key) as $at | "\($options | length) choices" as $n | if $at | length == 1 then $at[0]
  elif $at | length > 1 then error("\(.[$key]), the answer, may be more than one of the \($n)")
  elif .[$key] | type == "number" then error("\($n) (counted from 0), and \(.[$key]) is the answer")
  else error("\($n), and \(.[$key]) is the answer") end;

def record($raw): . as $r | (options($raw) | bare) as $options |
  ["answerKey", "answer_idx", "answer_index", "correct", "correct_answer", "ground_truth" | . as $key | select($r[$key] != null) | $r | place($options; $raw; $key)] as $keys |
  (if .answer == null then [] elif $keys == [] then [place($options; $raw; "answer")]
    else places($options; $raw; "answer") | if . - $keys != . then [] else .[:1] end end + $keys | unique) as $at |
  if $at == [] then error("it has no answer") elif $at | length > 1 then error("its answers differ: \($at | map(letter) | join(", "))") else
  id($raw) + {type: "choice", problem: ([question(stem)] + [range($options | length) | "(\(letter)) \($options[.].text)"] | join("\n")), answer: ($at[0] | letter)} end;
