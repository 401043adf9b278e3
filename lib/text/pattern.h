/* pattern.h - the regular expressions of tokenizer.json, on PCRE2
 *
 *     struct pattern *p = pattern_new("\\p{L}+|\\s+(?!\\S)", n, false, &e);
 *     struct pattern_scratch *m = pattern_scratch_new();      // one for each thread
 *     size_t at[2] = PATTERN_FROM_START;
 *     int rc;
 *
 *     pattern_look(m, s, n);
 *     while ((rc = pattern_next(p, m, s, n, at, &e)) > 0)
 *             use(s + at[0], at[1] - at[0]);
 *
 * The expressions are written for Oniguruma in its Ruby syntax; what it takes otherwise than PCRE2 is rewritten (the sets \s \d
 * \w, properties that are scripts) or refused by name. Text is valid UTF-8.
 *
 * Categories and scripts are those of Unicode 16, as the reference has them, whatever older version PCRE2 knows: the characters since
 * Unicode 14 are added to them from a table. (A PCRE2 of a later version takes that one's new characters for what they are.) (Not taken out of what is negated within [ ], [\P{L}]; no tokenizer is known to have that.)
 * Since that makes sets slower, it is done for texts that have such characters: pattern_look tells.
 */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct pattern;
struct pattern_scratch;

/* literal: the text itself is looked for. NULL and e if the expression is bad or is one that we do not do. */
struct pattern *pattern_new(const char *regex, size_t n, bool literal, struct err *e);
void pattern_free(struct pattern *p);

struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *m);

/* Before the first match in a text, or in a part of it: has it characters that PCRE2 may be too old for? */
void pattern_look(struct pattern_scratch *m, const char *s, size_t n);

/* The first match behind the one at s[at[0]..at[1]), put into `at`: 1, or 0 if there is none, or -1 if it runs out of its
 * limits. Matches may be empty, but not where the last one ended. */
#define PATTERN_FROM_START {1, 0}
int pattern_next(const struct pattern *p, struct pattern_scratch *m, const char *s, size_t n, size_t at[2], struct err *e);

/* Does s[0..n) start with a match? */
bool pattern_starts(const struct pattern *p, struct pattern_scratch *m, const char *s, size_t n);

#endif
