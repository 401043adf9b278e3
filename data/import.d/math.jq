# mathematics  question, answer ("... #### 72")                              -> problem, answer, type math          (GSM8K)
#              problem, answer, or solution with a \boxed in it              -> the same            (MATH, NuminaMath, OpenR1-Math)
#              What is called ground_truth, correct_answer or expected_answer (OpenMathReasoning) counts as answer; where there are several, all must
#              say the same; beside a question_type or problem_type, "proof" and "notfound" are none (NuminaMath-1.5). MATH's type is the subject.
#              A context, passage or article goes in front of the question.

# Messages that end with an answer are not what is asked
def answered: (.messages | type == "array" and length > 0 and (last | type == "object" and .role == "assistant"));
# A record with a solution beside its answer
def whole: (.type | IN("math", "choice", "number", "list", "text", "code")) and (.answer | type == "string");
# What MATH calls type
def subject: .type | IN("Algebra", "Counting & Probability", "Geometry", "Intermediate Algebra", "Number Theory", "Prealgebra", "Precalculus");
def is: if .problem == null then .question != null and .tests == null else .completion == null and .tests == null and
    (answered or (.answer | type | IN("array", "object", "boolean")) or (.answer == null and is_given) or (.answer != null and subject) or
      (has("solution") and (whole | not))) end
  and (preference | not);
# The line behind the last "####", or what is in a \boxed, or behind "A:" in the last line. Several lines without these are no answer.
def final: if contains("####") then split("####") | last | trimmed | split("\n")[0] // "" elif contains("\n") or contains("\\boxed") then
  boxed // [match("\nA: *([^\n]+)\\s*$").captures[0].string][0] // error("its answer is several lines, without #### or \\boxed") else . end;
# A number without commas between its thousands
def counted: final | trimmed |
  if contains(",") and test("^[-$]*[0-9]{1,3}(,[0-9]{3})+(\\.[0-9]+)?$") then gsub(","; "") elif . == "" then error("its answer is empty") else . end;
def problem: question(if .problem != null then .problem else .question end);
def answer($raw; f): if (is_given | not) and .solution != null then
    .solution | solved // error("its solution has no \\boxed, and it has no answer") | f
  else given($raw; f) end;
def record($raw): id($raw) + {type: "math", problem: problem, answer: (if .problem != null then answer($raw; .) else answer($raw; counted) end)} +
  if .problem == null then if .completion == null then {} else {completion} end
  else (if .subject == null and (.type | type == "string" and test("^[A-Z]")) then {subject: .type} else {} end) +
    with_entries(select(.key | IN("level", "subject", "language"))) end;
