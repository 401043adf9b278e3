# records      problem, messages, prompt, prompt_ids, text or completion     -> as they are, to the byte, but for an id or answer that is a number,
#                                                                               which becomes a string

def is: .messages != null or .problem != null or .prompt != null or .prompt_ids != null or .text != null or has("completion");
def bare: gsub("\"([^\"\\\\]|\\\\.)*\""; ""); # without strings
# A number as it stands in the line, behind a key that is not in a record within
def outer: bare | ([scan("[{\\[]")] | length) - ([scan("[}\\]]")] | length) == 1;
def number($raw; $key): [$raw | match("(?<!\\\\)\"\($key)\"[ \t]*:[ \t]*(-?[0-9][-+.0-9eE]*)"; "g").captures[0]] |
  if length < 2 then .[0] else map(select($raw[:.offset] | outer))[0] end;
def quoted($raw): . as $r | reduce (["id", "answer"][] | select($r[.] | type == "number")) as $key ($raw;
  number(.; $key) as $n | .[:$n.offset] + "\"" + $n.string + "\"" + .[$n.offset + $n.length:]);
def wrong($raw): (select(.answer | type | IN("string", "number")) | none(.answer) // one_more($raw; "answer"; .answer; .) | select(. != null)),
  (["problem", "prompt", "text", "completion"][] as $key | select(.[$key] | type | IN("string", "null") | not) |
    "its \($key) is of type \(.[$key] | type), not a string"),
  (["problem", "prompt"][] as $key | select((.[$key] | blank) and ($key == "problem" or .prompt_ids == null)) | "its \($key) is empty"),
  (["id", "answer"][] as $key | select(.[$key] | type | IN("string", "number", "null") | not) |
    "its \($key) is of type \(.[$key] | type), neither a string nor a number"),
  (select(.tests != null) | .tests | select(type != "object") | "its tests are of type \(type), not an object"),
  (select(.messages != null) | .messages | if type != "array" then "its messages are of type \(type), not a list" else
    .[] | if type != "object" or (.role | type) != "string" or (.content | type) != "string" then "one of its messages has no role and content that are strings"
      elif .role == "user" and (.content | blank) then "a message of the user is empty" else empty end end);
def record($raw): ([wrong($raw)][0]) as $wrong | if $wrong then error($wrong) else quoted($raw) end;
