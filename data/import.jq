# What the families of import.d/ share. A family is a file with two definitions: `is`, whether an object has one of its shapes, and
# `record($raw)`, the record that becomes of it: an object, or the text of one. $raw is its line. What cannot be used is an `error`, never a guess.

# JSON within a string. In brackets, since the try of jq 1.6 catches what comes behind it, too
def parsed: if type == "string" then ([fromjson?] + [.])[0] else . end;

# jq may not be able to keep a number as it stands in the line. So where that matters the line is read once more, with each number as a string
# behind a mark, which `unmarked` (of all that is written) or `plain` (of one value) takes away.
def mark: "\u0001number ";
# Outside of strings no more than one number is between two commas
def numbers: split(",") | map(if test("[0-9]") then sub("(?<n>-?[0-9][-+.0-9eE]*)"; mark + .n | tojson) else . end) | join(",");
def marked: [foreach split("\"")[] as $part ({string: true};
    .string = (.odd or (.string | not)) | .odd = (.string and ($part | endswith("\\") and (match("\\\\+$").length % 2 == 1)));
    if .string then $part else $part | numbers end)] | join("\"") | fromjson;
def plain: if type == "array" then map(plain) elif type == "string" then ltrimstr(mark) else . end;
def unmarked: tojson | split(mark | tojson | .[:-1]) | .[0] + ([.[1:][] | sub("\""; "")] | add // "");
# What f is of an object: numbers, and those of a list, as strings of the digits that they have
def digits($raw; f): f as $v |
  if $v | type == "number" or (type == "array" and any(type == "number")) then $raw | marked | f | plain else $v end;
# What f is, or the JSON in its string; marked where a whole number may be longer than jq can hold
def long: test("[0-9]{16}");
def json: if long then marked else fromjson end;
def kept($raw; f): f | if type == "string" then ([json?] + [.])[0] elif type | IN("array", "object") and ($raw | long) then $raw | marked | f else . end;

def named($raw; f): digits($raw; f) | if . == null then {} elif type | IN("string", "boolean") then {id: tostring} else error("its id is of type \(type)") end;
def known: .unique_id // .id // .uuid // .question_id // .problem_id // .task_id;
def id($raw): if known == null then {} else named($raw; known) end;
def trimmed: ltrimstr(" ") | if test("^\\s|\\s$") then gsub("^\\s+|\\s+$"; "") else . end; # gsub is slow
def blank: type == "string" and .[:1] <= " " and (test("\\S") | not);
def asking: if blank then error("its question is empty") else . end;
def strings: type == "array" and all(type == "string");
def preference: .chosen != null and .rejected != null and .completion == null;

def pictured: .image // .images | . != null and . != [] and . != "";
# A question behind the text that it is about
def question(f): f as $question | (.context // .passage // .article) as $about |
  if $question | type != "string" then error("its question is of type \($question | type), not a string")
  elif $question | blank then error("its question is empty")
  elif pictured then error("it has an image, which is no text")
  elif $about == null then $question
  elif $about | type == "string" then [$about | select(. != "")] + [$question] | join("\n\n")
  else error("the text that its question is about is of type \($about | type), not a string") end;

# A reference that is a string or a number, or a list of one. Whether all or any of several are meant, nobody has said.
# A list of strings may be in a string, as JSON.
def reference($raw; f): f as $v | if $v | type == "string" then $v | if test("^\\s*\\[\\s*\"") then parsed | if strings then . else $v end else . end
    else digits($raw; f) end |
  if type == "array" and length == 1 then .[0] elif type == "array" then error("its answer is a list of \(length), not of one") else . end |
  if . == null then error("it has no answer") elif type != "string" then error("its answer is of type \(type), neither a string nor a number")
  elif blank then error("its answer is empty") else . end;

# The answer, whatever it is called. What has it under several names has one if all say the same.
def names: "answer", "ground_truth", "correct_answer", "expected_answer";
def differ($a; $b): ($a | tostring | trimmed) as $x | ($b | tostring | trimmed) as $y | $x != $y and
  (($x | length) > 15 and ($y | length) > 15 and all($a, $b; type == "string") or ([$x, $y | tonumber?] | length < 2 or .[0] != .[1]));
def one_more($raw; $key; $answer; f): [names | select(. != $key)] as $others | . as $r | [$others[] | . as $other |
  select($r[$other] | type == "number" or (type == "string" and test("\\S"))) | ($r | reference($raw; .[$other]) | f) as $more | select(differ($answer; $more)) |
  "its \($key) is \($answer), but its \($other) \($more)"][0];
# What NuminaMath-1.5 writes where there is none
def none($answer): select((.question_type // .problem_type) != null and ($answer | IN("proof", "notfound"))) | "its answer is \"\($answer)\": it has none";
def given($raw; f): . as $r | [names | select($r[.] != null)][0] as $key | (reference($raw; if $key then .[$key] else null end) | f) as $answer |
  (none($answer) // one_more($raw; $key; $answer; f)) as $wrong | if $wrong then error($wrong) else $answer end;
def is_given: . as $r | any(names; $r[.] != null);

# What is in the last \boxed or \fbox that is in no other: of a solution. null where there is none. Without braces, it is one token, as in LaTeX;
# where more may be meant ("\boxed 12", "\boxed\frac12"), nothing is taken, and neither is one of two that stand side by side, "\boxed{5} or \boxed{6}".
def joint: gsub("\\\\(?:quad|qquad|text|textrm|mbox|[,;: ()\\[\\]])|[\\s~${}]"; "") | test("^(?:,|;|&|,?(?:or|and))(?:[A-Za-z]=)?$"; "i");
def boxed: . as $s | [match("(?<!\\\\)(?:\\\\\\\\)*\\\\(?:boxed|fbox)(?![A-Za-z])\\s*"; "g") | {offset, from: (.offset + .length)}] | if . == [] then null else
  ($s | explode) as $c | reduce .[] as {offset: $offset, from: $from} ({to: -1};
    if $from < .to then . else .two = (.text and $offset - .to < 60 and ($s[.to + 1:$offset] | joint)) | .two as $two | if $c[$from] != 123 then {to: $from, from: $from, $two} else
      ([label $closed | foreach range($from; $c | length) as $i ({depth: 0};
        if .escaped then .escaped = false elif $c[$i] == 92 then .escaped = true
          elif $c[$i] == 123 then .depth += 1 elif $c[$i] == 125 then .depth -= 1 else . end;
        select(.depth == 0) | $i, break $closed)][0]) as $to |
      if $to then {to: $to, text: $s[$from + 1:$to], $two} else {to: ($c | length), open: true} end end end) |
  if .open then error("its last \\boxed{ is not closed")
  elif .two then error("its last \\boxed is one of two")
  elif .text then .text
  else $s[.from:] |
    ([match("^(\\\\[A-Za-z]+|[^\\\\{}$\\s])(?=\\s|\\$|\\\\[])]|[.,;:!?](?:\\s|$)|$)").string] | .[0]) // error("its last \\boxed has no braces: what is in it?") end |
  trimmed | if . == "" then error("its last \\boxed is empty") else . end end;
def solved: if type != "string" then null else boxed end;

# Turns of a conversation, under the names that they have: [{role, content}] or [{from, value}], a content being text or parts that are text
def part($i): if type == "string" then . elif type == "object" and .type == "text" and (.text // .content | type) == "string" then .text // .content
  else error("turn \($i + 1) has a part of type \(.type? // "none"), which is no text") end;
def said($i): if type == "string" then . elif type == "array" then map(part($i)) | add // "" else error("turn \($i + 1) has no text") end;
def roles: {human: "user", gpt: "assistant", chatgpt: "assistant", bing: "assistant", bard: "assistant", model: "assistant"};
def turn($i): (.role // .from) as $who | (roles[$who | tostring] // $who) as $role |
  if $role | IN("system", "user", "assistant") then {role: $role, content: (.content // .value | said($i))} |
    if .role == "user" and (.content | blank) then error("turn \($i + 1), of the user, is empty") else . end
  else error("turn \($i + 1) is of \($who | tojson), not of system, user or assistant") end;
def turns: if type != "array" or length == 0 or any(type != "object") then error("its conversation is no list of turns")
  else [to_entries[] | .key as $i | .value | turn($i)] end;
# What is before an answer
def asked: if last.role != "user" then error("what is asked does not end with the turn of a user") elif last.content | blank then error("its question is empty")
  elif length == 1 then {problem: .[0].content} else {messages: .} end;
# The system message that stands beside it
def told: .system // .system_prompt // "" | if type == "string" and . != "" then [{role: "system", content: .}] else [] end;

# Tests of a program
def cases: if (.inputs | type) != "array" or (.outputs | type) != "array" then error("it has no tests: no inputs and outputs")
  elif .inputs == [] then error("it has no tests")
  elif (.inputs | length) != (.outputs | length) then error("it has \(.inputs | length) inputs and \(.outputs | length) outputs")
  elif any(.inputs, .outputs | .. | select(type == "number"); isnan or isinfinite) then error("its tests have NaN or Infinity, which are not JSON") else {inputs, outputs} end;
# What a program reads and writes is text, which some have as lists of lines
def text: if type == "string" and (startswith(mark) | not) then .
  elif strings and (any(startswith(mark)) | not) then join("\n")
  else error("an input or output of its tests is not text") end;
def texts: cases | map_values(map(text));
# {inputs, outputs, fn_name}: calls of a function, or texts. What a call is to give is in a list of its own in many problems of APPS and TACO, in others not:
# where all are lists of one, either is right
def calls: if type != "object" then error("it has no tests: no inputs and outputs") elif .fn_name then {language: "python", entry_point: .fn_name} + cases |
    if .outputs | all(type == "array" and length == 1) then .wrapped = true else . end else texts end;
