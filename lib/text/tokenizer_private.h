/* tokenizer_private.h - what tokenizer.c (loading, lookup, decoding) and encode.c share */
#ifndef TEXT_TOKENIZER_PRIVATE_H
#define TEXT_TOKENIZER_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "text/pattern.h"
#include "text/pretoken.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

/* Of an id */
enum { IN_MODEL = 1, IS_ADDED = 2, IS_SPECIAL = 4 };

struct added {                          /* an added token, as it is looked for */
	const char *text;
	size_t n;
	int32_t id;
	bool single_word, lstrip, rstrip, special;
};

struct added_set {                      /* sorted by text: those with one first byte lie together */
	struct added *token;            /* (n) */
	size_t n, cap;
	uint32_t first[257];            /* token[first[c] .. first[c + 1]) begin with the byte c */
};

struct substitution {
	const char *from, *to;
	size_t from_n, to_n;
};

struct normal_step {
	enum { NORMAL_NFC, NORMAL_PREPEND, NORMAL_REPLACE } kind;
	struct substitution text;       /* of PREPEND: `to` alone */
};
enum { NORMAL_STEPS = 8 };

struct tables {
	char *file;
	struct vocab vocab;
	uint8_t *flags;                 /* (n_flags): of each id */
	size_t n_flags;
	struct normal_step normal[NORMAL_STEPS];        /* (normals) */
	size_t normals;
	struct added_set raw, normalized;       /* looked for before and after normalization */
	struct arena texts;             /* of the added tokens and the normalizer */
	struct pattern *word;           /* a character of a word; NULL if no added token is single_word */
	struct pretokenizer *pretokenizer;
	bool byte_level, byte_fallback, ignore_merges, fuse_unk;
	int32_t unk;                    /* -1: none */
	int32_t byte_id[256];           /* of the token of a byte; -1. Byte-level only */
	struct tokens prefix, suffix;   /* what the post-processor adds */
};

struct cached;

struct tokenizer {
	struct tables *t;
	struct pretoken_scratch *pretoken;
	struct pattern_scratch *match;
	struct buf valid, normal[2], name;
	struct cached *cache;
	int32_t *symbol, *into;         /* (symbols): of the word that is being merged */
	uint32_t *rank;
	size_t symbol_cap, into_cap, rank_cap;
	size_t symbols;
	void *heap;
	size_t heap_cap;
	struct tokens *out;             /* of the call under way */
	bool continues;                 /* so its text does */
	size_t piece;                   /* ids of it before the piece that is being split */
};

/* The character that stands for a byte in names of byte-level tokens, and back (-1: none). */
uint32_t tokenizer_byte_char(unsigned byte);
int tokenizer_char_byte(uint32_t c);

/* Adds s with every `from` made `to`. -1: the buffer would have more than `most` bytes. */
int tokenizer_replace(const struct substitution *x, const char *s, size_t n, size_t most, struct buf *to);
/* The normalizer's text of s, which may be s itself or lies in one of `to`. front: what Prepend puts there is. */
const char *tokenizer_normal(const struct tables *t, const char *s, size_t *n, bool front, struct buf to[2]);

struct tokenizer *tokenizer_handle(struct tables *t);
void tokenizer_handle_free(struct tokenizer *t);

#endif
