/* Inputs: a tokenizer.json, or a text. What parses encodes without mishap; with the full set of bytes, a text comes back. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

/* ids decode to the text (with U+FFFD for what is no UTF-8), also when they are decoded one at a time */
static void round_trip(struct tokenizer *t, const char *text, size_t n)
{
	struct tokens ids = {0};
	struct buf want = {0}, got = {0}, bytes = {0};
	struct err e;
	size_t i, len;

	assert(tokenizer_encode(t, text, n, 0, &ids, &e) == 0);
	utf8_replace(text, n, &want);
	tokenizer_decode(t, ids.id, ids.n, 0, &got);
	assert(got.n == want.n && (!got.n || !memcmp(got.p, want.p, got.n)));
	for (i = 0; i < ids.n; i++) {
		const char *s = tokenizer_bytes(t, ids.id[i], &len);

		buf_add(&bytes, s, len);
	}
	buf_clear(&got);
	utf8_replace(bytes.p, bytes.n, &got);
	assert(got.n == want.n && (!got.n || !memcmp(got.p, want.p, got.n)));
	tokens_free(&ids);
	buf_free(&want);
	buf_free(&got);
	buf_free(&bytes);
}

static void any_vocabulary(const char *json, size_t n)
{
	static const char sample[] = "The answer's 42, e\xcc\x81 <think> ab  \n\xe7\xad\x89\xe7\xad\x89 a";
	struct err e;
	struct tokenizer *t = tokenizer_parse(json, n, "fuzz", &e);
	struct tokens ids = {0};
	struct buf text = {0};

	if (!t)
		return;
	if (tokenizer_encode(t, sample, sizeof sample - 1, TOKENIZER_ADD_SPECIAL, &ids, &e) == 0 &&
	    tokenizer_encode(t, sample, sizeof sample - 1, TOKENIZER_CONTINUES, &ids, &e) == 0)
		tokenizer_decode(t, ids.id, ids.n, TOKENIZER_SKIP_SPECIAL, &text);
	tokens_free(&ids);
	buf_free(&text);
	tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tokenizer *full;
	struct err e;
	char *text = malloc(size + !size);

	assert(text);
	memcpy(text, data, size);
	if (!full)
		full = tokenizer_load("tests/unit/tokenizer/tokenizer.json", &e);
	assert(full);
	round_trip(full, text, size);
	any_vocabulary(text, size);
	free(text);
	return 0;
}
