/* vocab.h - the large parts of a tokenizer.json, model.vocab and model.merges, read without building a document of them
 *
 *     struct vocab v = {0};
 *     struct js *rest = vocab_cut(json, n, "tokenizer.json", &v, &e);         // all else; model.vocab and model.merges are null
 *     if (vocab_read(&v, &e) < 0 || vocab_read_merges(&v, &e) < 0)            // in between: tokens of one's own
 *             ...
 *     vocab_free(&v);
 *
 * Names are stored once, NUL behind each; ids may have gaps. A pair of ids that merges is found by its hash.
 */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/json.h"

#define VOCAB_MAX ((int64_t)1 << 22)    /* ids are below; a limit on what a bad file may cost */

struct vocab_span {
	uint32_t at, n;
};
#define VOCAB_GAP UINT32_MAX            /* `at` of an id that no token has */

struct vocab_merge {
	uint64_t pair;                  /* left id << 32 | right id; UINT64_MAX: free */
	uint32_t rank;
	int32_t id;
};

struct vocab {                          /* all zero is empty */
	struct buf pool;
	struct vocab_span *name;        /* (size) */
	size_t size, cap;               /* the greatest id + 1 */
	size_t count;
	struct {
		uint32_t hash;
		int32_t id;             /* -1: free */
	} *slot;                        /* (slots) */
	size_t slots;
	struct vocab_merge *merge;      /* (merges): a hash table */
	size_t merges;
	int32_t last_merged;            /* while merges are read: the id that the last one made */
	struct vocab_span *form;        /* (size): the bytes that each token decodes to, in `forms` */
	struct buf forms;
	const char *file;               /* borrowed, for messages; as are the texts of the two parts */
	const char *vocab_text, *merges_text;
	size_t vocab_n, merges_n;
	int vocab_line, merges_line;
};

struct js *vocab_cut(const char *json, size_t n, const char *file, struct vocab *v, struct err *e);
int vocab_read(struct vocab *v, struct err *e);
int vocab_read_merges(struct vocab *v, struct err *e);
/* -1 and e (without the file's name) if the name has another id, or the id another name. */
int vocab_add(struct vocab *v, const char *name, size_t n, int64_t id, struct err *e);
int32_t vocab_find(const struct vocab *v, const char *name, size_t n);          /* -1 */
void vocab_free(struct vocab *v);

static inline uint64_t vocab_mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15u;
	return x ^ x >> 32;
}

/* The merge of two ids; NULL. */
static inline const struct vocab_merge *vocab_merge_find(const struct vocab *v, int32_t a, int32_t b)
{
	uint64_t pair = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
	size_t i;

	if (!v->merges)
		return NULL;
	for (i = vocab_mix(pair) & (v->merges - 1); v->merge[i].pair != UINT64_MAX; i = (i + 1) & (v->merges - 1))
		if (v->merge[i].pair == pair)
			return &v->merge[i];
	return NULL;
}

#endif
