/* template.h - prompt templates: what the model is given for a problem or a conversation
 *
 *     struct template *t = template_open("r1-zero", &e);      // a name, or a file with {problem} and maybe {system}
 *     struct buf prompt = {0};
 *
 *     if (template_problem(t, NULL, problem, strlen(problem), &prompt, &e) < 0)
 *             ...
 *     if (template_thinks(prompt.p, prompt.n))                // it ends with an opened <think>: the completion starts inside
 *             ...
 *     template_free(t);
 *
 *     none              the problem as it is (behind the system message and an empty line, where there is one)
 *     mini              User: {problem} Assistant:
 *     r1-zero           a paragraph that asks for <think> </think> <answer> </answer>, then User: and Assistant: (the paper's Table 1)
 *     qwen              ChatML, without a system message unless there is one; qwen2, qwen2.5, qwen2.5-math: with that family's own
 *     qwen3             ChatML; of earlier turns the answers alone; thinking can be switched off
 *     qwen3-thinking    ... with <think> opened already (the "Thinking" models of 2507); qwq: alike
 *     llama3, llama3.1  Llama's headers; 3.1 (and 3.2, 3.3) with its two dates, of which today's is always 26 Jul 2024
 *     deepseek-llm, deepseek-v3
 *     deepseek-r1       R1's and its distilled models' own tokens, with <think> opened already; deepseek-r1-bare: without (their first
 *                       edition)
 *
 * A file is taken as it is, but for its last newline and for {problem} and {system}, which stand for the question and the
 * system message (nothing, where there is none). Other braces are text. A file and `none` take one question; the others
 * take conversations of several turns too.
 *
 * A checkpoint's own chat template is not run but recognised (jinja.h): what it gives is then given to the byte.
 *
 * Prompts are encoded with TOKENIZER_PROMPT: a template that writes the model's BOS itself does not get it twice.
 */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"

struct template;
struct tokenizer;

struct template *template_open(const char *name, struct err *e);        /* NULL and e if there is none, or a file is bad */
/* That of a checkpoint: the text of its chat template, and the BOS and EOS of its tokenizer (NULL: the family's). NULL and e if it is unknown. */
struct template *template_recognise(const char *jinja, size_t n, const char *bos, const char *eos, struct err *e);
void template_free(struct template *t);
const char *template_name(const struct template *t);                    /* or the file's */
bool template_is_alike(const struct template *t);       /* recognised by its parts, not to the letter */
/* For templates that can have reasoning or not (without this: as they do by themselves). -1 and e where there is no such choice. */
int template_set_thinking(struct template *t, bool on, struct err *e);

/* Both append the prompt. `system` (may be NULL) is put in front of the conversation, unless that has a system message itself. */
int template_problem(const struct template *t, const char *system, const char *problem, size_t n, struct buf *to, struct err *e);
/* The first n of an array of {"role": "system" | "user" | "assistant", "content": "..."}; the last of them is the user's. */
int template_messages(const struct template *t, const char *system, const struct js *messages, size_t n, struct buf *to,
	struct err *e);

struct js *template_message(const char *role, const char *content, size_t n);   /* {"role": ..., "content": ...}, the caller's */
struct js *template_question(const char *question, size_t n);                   /* a conversation of one question, the caller's */
/* The same out of a record: its field `messages`, or another one as a problem. -1 and e: also where the field is missing. */
int template_field(const struct template *t, const char *system, struct record *r, const char *field, struct buf *to, struct err *e);

/* A special token (<|...|> or alike) that it writes and this tokenizer does not have goes to `to`: that is of another model. */
int template_foreign(const struct template *t, const char *system, const struct tokenizer *tokenizer, struct buf *to, struct err *e);

/* What is learned of an answer behind a prompt that was made of it: no <think> that the prompt has opened, and no white space that the template takes
 * off messages. */
void template_answer(const struct template *t, const char *prompt, size_t prompt_n, const char **answer, size_t *n);
const char *template_close(const struct template *t);                   /* what it writes behind an answer; NULL: nothing is known */

/* Does this prompt end with an opened <think> (blanks behind it do not count)? */
bool template_thinks(const char *prompt, size_t n);

#endif
