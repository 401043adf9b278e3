# verl         prompt [{role, content}], reward_model {ground_truth}, ability -> messages, answer, type math; or where ability is code, tests
#                                                                               (DAPO-Math-17k)
#              prompt that is a string, reward_model, ability                -> the same with problem    (DAPO-Math-17k-Processed)
# TRL          prompt [{role, content}], answer, ground_truth or solution    -> messages, answer, type math; without an answer, messages alone
#              prompt [{role, content}], completion                          -> messages that end with it; beside a label, problem, completion, label
# RLVR         messages [{role, content}] that end with the user's, ground_truth -> messages, answer, type math  (RLVR-GSM-MATH-IF)
# ShareGPT     conversations [{from, value}], system                         -> messages
# Alpaca       instruction, input, output                                    -> problem, completion
#              query or question or instruction, response                    -> the same; with a system message, messages   (OpenOrca, MetaMathQA)
# messages     with contents of parts {type: text, text}                     -> the same, as strings; a part that is no text is an error

def asks: .instruction // .query // .question;
def says: .output // .response;
def parts: .messages | type == "array" and any(type == "object" and (.content | type) == "array");
def lists: (.prompt | type) == "array" or (.conversations | type) == "array" or parts;
def texts: (says | type) == "string" and (asks | type) == "string" and .answer == null and .completion == null and .problem == null;
# Of verl; with a reward_model that is none, where nothing else says what is right
def verifiable: (.prompt | type) as $prompt | has("reward_model") and ($prompt | IN("array", "string")) and (preference | not) and
  (if (.reward_model | type) == "object" then $prompt == "array" or (.answer == null and .completion == null)
  else $prompt == "array" and all(.answer, .ground_truth, .solution, .completion; . == null) end);
# Messages that ask, with what is right under another name than answer
def rlvr: (.messages | type == "array" and length > 0 and all(.[]; type == "object" and (.content | type) == "string") and last.role == "user") and is_given and
  all(.answer, .completion, .problem, .prompt, .tests, .type; . == null);
def is: verifiable or rlvr or ((.prompt != null or .conversations != null or .messages != null) and lists and (preference | not)) or ((.output != null or .response != null) and texts);
# A number tells problems apart within a split only
def verl($raw): if .reward_model | type | IN("object", "null") then . else error("its reward_model is of type \(.reward_model | type), not an object") end |
  (.extra_info | if type == "object" then . else {} end) as $about |
  (if ($about.index | type) == "number" then {id: ([.data_source, $about.split, $about.index | select(. != null) | tostring] | join("/"))}
    elif $about.index then {id: $about.index} else id($raw) end) +
  (.prompt | if type == "string" then {problem: asking} else {messages: turns} end) + if .ability // "" | tostring | ascii_downcase == "code" then kept($raw; .reward_model.ground_truth) as $t |
    if ($t | type) != "object" or $t.inputs == null then error("of verl, but its ground_truth has no inputs and outputs")
    else {type: "code", tests: ($t | calls)} end
  else {type: "math", answer: reference($raw; .reward_model.ground_truth)} end | unmarked;
# A solution without \boxed that reads like no sentence is an answer itself (DeepMath-103K)
def terse: type == "string" and (gsub("\\\\text *\\{[^{}]*\\}|\\\\[A-Za-z]+"; "") | test("\n|[A-Za-z]{2,}[ ,]+[A-Za-z]{2,}") | not);
def answer($raw): if is_given then {type: "math", answer: given($raw; .)}
  elif .solution == null then {}
  else (.solution | solved) as $boxed | {type: "math", answer: (
    if $boxed then $boxed elif .solution | type == "string" and (terse | not) then error("its solution has no \\boxed, and it has no answer")
    else reference($raw; .solution) end)} end;
def written: if type == "string" then [{role: "assistant", content: .}] else turns end;
def trl($raw): (.prompt | turns) as $prompt | id($raw) + if .completion == null then {messages: $prompt} + answer($raw) else
  (.completion | written) as $more | if .label == null then {messages: ($prompt + $more)}
    elif $more | length > 1 then error("its completion has \($more | length) turns beside a label")
    else ($prompt | asked) + {completion: $more[0].content, label: .label} end end;
def about: [.input, .context | select(. != null and . != "")][0] | if . == null then "" elif type == "string" then . else error("its input is of type \(type), not a string") end;
def one($raw): told as $told | ([asks, about | select(. != "")] | join("\n\n") | asking) as $problem |
  id($raw) + if $told == [] then {problem: $problem, completion: says}
    else {messages: ($told + [{role: "user", content: $problem}, {role: "assistant", content: says}])} end;
def record($raw):
  if pictured then error("it has an image, which is no text")
  elif verifiable then verl($raw)
  elif (.prompt | type) == "array" then trl($raw)
  elif rlvr then if .ground_truth | type == "string" and ([fromjson?] | any(type == "object")) then error("its ground_truth is what an answer must fulfil, no answer")
    else id($raw) + {messages: (.messages | turns)} + answer($raw) end
  elif (.conversations | type) == "array" then
    told as $told | id($raw) + {messages: (.conversations | turns | if .[0].role == "system" then . else $told + . end)}
  elif parts then (.messages | turns) as $messages | $raw | marked | .messages = $messages |
    if .answer == null and (.ground_truth | type) == "object" and (.ground_truth.answer | type) == "string" then .answer = (.ground_truth.answer | plain) else . end |
    reduce ("id", "answer") as $key (.; if has($key) then .[$key] |= plain else . end) | unmarked
  else one($raw) end;
