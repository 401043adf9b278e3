/* bpe_train.h - makes a byte-level BPE vocabulary from text, as a Hugging Face tokenizer.json
 *
 *     struct bpe_added added[] = {{"<think>", false}, {"</think>", false}, {"<|end|>", true}};
 *     struct bpe_options o = {.vocab_size = 512, .pattern = BPE_SPACED_DIGITS, .added = added, .n_added = 3};
 *     struct bpe_trainer *b = bpe_trainer_new(&o, &e);
 *
 *     while (next document)
 *             if (bpe_trainer_feed(b, s, n, &e) < 0)          // counts its words
 *                     ...
 *     if (bpe_trainer_write(b, "run/base/tokenizer.json", &e) < 0)
 *             ...
 *     bpe_trainer_free(b);
 *
 * Deterministic: the same documents in any order give the same file. Words are what the pattern makes of the text between added
 * tokens. Merges are taken by the highest count of the pair over all words; of equal counts, by the lowest id of the left token,
 * then of the right one. Where two ways lead to the same token, the second merge adds no id. Training ends at vocab_size or when
 * no pair is left with min_count.
 *
 * Ids: the bytes (in the order of their value), the merged tokens in the order in which they were made, the added tokens as given.
 */
#ifndef TEXT_BPE_TRAIN_H
#define TEXT_BPE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Patterns (of the reference's regular expressions): Qwen2's own, with each digit a word of its own; and the same but that a
 * digit, too, takes the space in front of it, so that "1 A 8 * 5" has five words and is five tokens. */
#define BPE_QWEN2 "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" \
	"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BPE_SPACED_DIGITS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+| ?\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" \
	"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

struct bpe_added {
	const char *text;
	bool special;
};

struct bpe_options {
	int64_t vocab_size;             /* all ids, the added tokens included */
	const char *pattern;            /* NULL: BPE_QWEN2 */
	const struct bpe_added *added;  /* (n_added) */
	size_t n_added;
	int64_t min_count;              /* of a pair, to be merged; 0: 2 */
	bool seen_bytes;                /* only bytes that occur become tokens, not all 256: what has others then cannot be encoded */
};

struct bpe_trainer;

/* The options are copied. NULL and e if they cannot be. */
struct bpe_trainer *bpe_trainer_new(const struct bpe_options *o, struct err *e);
int bpe_trainer_feed(struct bpe_trainer *b, const char *text, size_t n, struct err *e);
/* Both train anew from what has been fed so far. */
int bpe_trainer_json(struct bpe_trainer *b, struct buf *to, struct err *e);
int bpe_trainer_write(struct bpe_trainer *b, const char *path, struct err *e);
void bpe_trainer_free(struct bpe_trainer *b);

#endif
