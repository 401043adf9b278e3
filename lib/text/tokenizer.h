/* tokenizer.h - text to token ids and back: BPE as in Hugging Face's tokenizer.json
 *
 *     struct tokenizer *t = tokenizer_load("run/policy/tokenizer.json", &e);
 *     struct tokens ids = {0};
 *     struct buf text = {0};
 *
 *     if (tokenizer_encode(t, s, strlen(s), TOKENIZER_ADD_SPECIAL, &ids, &e) < 0)  // appends
 *             ...
 *     tokenizer_decode(t, ids.id, ids.n, TOKENIZER_SKIP_SPECIAL, &text);            // appends bytes, maybe not all UTF-8
 *     int32_t end = tokenizer_id(t, "</think>");                                    // -1: no such token
 *     tokens_free(&ids);
 *     tokenizer_free(t);
 *
 * The ids are those of the reference implementation (the `tokenizers` library). What a file asks for and we do not do is an
 * error that names it; nothing is passed over but truncation and padding: those of the last call before it was saved, which transformers passes
 * over, too. Done: model BPE (with byte_fallback, ignore_merges, unk_token, fuse_unk);
 * normalizers NFC, Prepend, Replace, Sequence; pre-tokenizers Split, ByteLevel (the last of all), Metaspace (the first), Digits, Sequence;
 * decoders ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, Sequence; post-processors ByteLevel, TemplateProcessing, Sequence; added tokens with all their flags. What is a letter, a
 * number or a word's character is so by Unicode 16 (that of tokenizers 0.23), or a later one that the PCRE2 at hand knows. One thing is not the
 * reference's: under ByteFallback it makes each byte of a run U+FFFD if any of it is no UTF-8; here only those bytes are.
 * Another is that a blank in front, which Strip and Metaspace's decoder take off, stays: what is decoded here mostly goes on from a prompt.
 *
 * A tokenizer keeps the words that it has met: one thread at a time may encode with it. All else only reads.
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/utf8.h"

struct tokenizer;

struct tokens {                         /* all zero is empty */
	int32_t *id;                    /* (n) */
	size_t n, cap;
};
void tokens_add(struct tokens *to, int32_t id);
void tokens_free(struct tokens *t);

/* NULL and e ("FILE: 'model.merges[17]': ...") on error. The file is tokenizer.json itself, not its folder. */
struct tokenizer *tokenizer_load(const char *path, struct err *e);
struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e);
void tokenizer_free(struct tokenizer *t);                       /* NULL is fine */

enum {
	/* Encode: put the post-processor's tokens (such as BOS) around the text's. A prefix that the text already begins with is
	 * not put there a second time. */
	TOKENIZER_ADD_SPECIAL = 1,
	/* Encode: of those only what comes before the text, which goes on. */
	TOKENIZER_PROMPT = 2,
	/* Encode: special tokens that are written out in the text are text like any other (added tokens that are not special are
	 * still tokens). */
	TOKENIZER_PLAIN = 4,
	/* Decode: leave special tokens out. */
	TOKENIZER_SKIP_SPECIAL = 8,
	/* Encode: the text goes on where another ended, so that no blank is put in front of its first word (Prepend, Metaspace, add_prefix_space).
	 * What ids decode to becomes such ids again this way, with the usual ones of a text's beginning it would begin with one blank more. */
	TOKENIZER_CONTINUES = 16
};

/* Appends the text's ids. Bytes that are no UTF-8 count as U+FFFD. Fails where a character is in no token (the reference drops
 * it) or where the pre-tokenizer's pattern runs out of its limits; what was appended then is taken back. */
int tokenizer_encode(struct tokenizer *t, const char *text, size_t n, unsigned flags, struct tokens *to, struct err *e);

/* The bytes that a token stands for, NUL behind; NULL if there is no such id. They live as long as the tokenizer. */
const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *n);
void tokenizer_decode(const struct tokenizer *t, const int32_t *id, size_t n, unsigned flags, struct buf *to);

int32_t tokenizer_id(const struct tokenizer *t, const char *token);             /* by its name in the file; -1 */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
bool tokenizer_is_added(const struct tokenizer *t, int32_t id);
int64_t tokenizer_size(const struct tokenizer *t);                              /* the greatest id + 1; there may be gaps */

#endif
