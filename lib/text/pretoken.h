/* pretoken.h - the pre-tokenizer of a tokenizer.json: text into words
 *
 *     struct pretokenizer *p = pretoken_new(js_get(json, "pre_tokenizer"), &e);
 *     struct pretoken_scratch *w = pretoken_scratch_new(p);   // one for each thread
 *
 *     static int count(void *arg, const char *word, size_t n, struct err *e) { ++*(int *)arg; return 0; }
 *     pretoken_run(p, w, text, n, PRETOKEN_FIRST, count, &words, &e);
 *
 * Words come in the text's order and are never empty; they lie in the text or (add_prefix_space, Metaspace) in the scratch. The mapping of
 * bytes to characters that ByteLevel stands for is left to who takes the words.
 */
#ifndef TEXT_PRETOKEN_H
#define TEXT_PRETOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "record/json.h"

struct pretokenizer;
struct pretoken_scratch;

/* From the JSON (NULL and null: the text is one word). Messages begin with the field: 'pre_tokenizer.pretokenizers[0]': ... */
struct pretokenizer *pretoken_new(const struct js *j, struct err *e);
/* Words by one pattern, as a Split with behavior Isolated does it, for ByteLevel. */
struct pretokenizer *pretoken_isolated(const char *pattern, struct err *e);
void pretoken_free(struct pretokenizer *p);
bool pretoken_byte_level(const struct pretokenizer *p);

struct pretoken_scratch *pretoken_scratch_new(const struct pretokenizer *p);
void pretoken_scratch_free(struct pretoken_scratch *w);

typedef int pretoken_fn(void *arg, const char *word, size_t n, struct err *e);  /* < 0 ends the run */

/* Where a text stands, on which what is put in front of it depends: behind an added token, say; at the beginning; or where another text ended. */
enum pretoken_place { PRETOKEN_BEHIND, PRETOKEN_FIRST, PRETOKEN_CONTINUES };

/* text: valid UTF-8. -1 and e if a pattern runs out of its limits or fn fails. */
int pretoken_run(const struct pretokenizer *p, struct pretoken_scratch *w, const char *text, size_t n, enum pretoken_place place, pretoken_fn *fn,
	void *arg, struct err *e);

/* Where several steps split one after the other, the same short pieces come again and again. With these set, known(arg, step, piece, n) is
 * asked about each of them (but once, and not before the first step): true: it has done with the words that come of it. Otherwise they
 * come, and then keep(arg, step, piece, n). What a piece comes to depends on its bytes and on the steps that are left. */
enum { PRETOKEN_SHORT = 23, PRETOKEN_STEPS = 8 };        /* its longest, and `step` is less */
typedef bool pretoken_known_fn(void *arg, size_t step, const char *piece, size_t n);
typedef void pretoken_keep_fn(void *arg, size_t step, const char *piece, size_t n);
void pretoken_remember(struct pretoken_scratch *w, pretoken_known_fn *known, pretoken_keep_fn *keep);

#endif
