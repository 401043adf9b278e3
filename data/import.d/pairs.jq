# preferences  prompt, chosen, rejected: lists of messages, or one message each; the prompt may be in both of them    (UltraFeedback, TRL)
#              question, system, chosen, rejected                            -> problem or messages, chosen, rejected  (Orca)
#              chosen, rejected that begin with "Human:"                     -> the same                               (HH-RLHF)
#              prompt, chosen and rejected that are strings are a record as they are

# A record as it is
def whole: ([.chosen, .rejected] | all(type == "string")) and ((.prompt // .problem | type) == "string" or
  (.prompt == null and (.messages | type == "array" and all(type == "object" and (.content | type) == "string" and .role != null))));
def is: preference and (whole | not);
def user: [{role: "user", content: .}];
# What stands beside the two
def before: told as $told | if (.prompt // .messages // .conversations | type) == "array" then .prompt // .messages // .conversations | turns
  else (.prompt // .problem // .question // .query // .instruction) as $p |
    if $p | type == "string" then [$p, .input // "" | select(. != "")] | join("\n\n") | asking | $told + user else [] end end;
# "\n\nHuman: ...\n\nAssistant: ...": split at each turn
def dialogue: [match("(?:^|\n\n)(Human|Assistant):"; "g")] as $at | . as $s |
  if $at | length < 2 or .[0].offset > 0 then error("it has no prompt: only chosen and rejected") else
  [range($at | length) as $i | {role: (if $at[$i].captures[0].string == "Human" then "user" else "assistant" end),
    content: ($s[$at[$i].offset + $at[$i].length:($at[$i + 1].offset // ($s | length))] | trimmed)}] end;
# A conversation that ends with the answer, whether what is before the answer stands in it or not
def completed($before): if type == "string" then if $before == [] then dialogue else $before + [{role: "assistant", content: .}] end
  else if type == "object" then [.] else . end | turns | if length > 1 and .[0].role != "assistant" then . else $before + . end end |
  if last.role != "assistant" then error("chosen or rejected does not end with an answer")
  elif length < 2 then error("it has no prompt: only chosen and rejected") else . end;
def record($raw):
  before as $before | (.chosen | completed($before)) as $chosen | (.rejected | completed($before)) as $rejected |
  if $chosen[:-1] != $rejected[:-1] then error("chosen and rejected differ before their last turn") else
  id($raw) + ($chosen[:-1] | asked) + {chosen: $chosen[-1].content, rejected: $rejected[-1].content} end;
