#include "text/bpe_train.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "record/json.h"
#include "text/pretoken.h"
#include "text/tokenizer_private.h"
#include "text/utf8.h"

struct bpe_trainer {
	struct bpe_options o;
	char *pattern;
	struct bpe_added *added;
	struct pretokenizer *pretokenizer;
	struct pretoken_scratch *scratch;
	struct map words;               /* bytes of a word: how often */
	struct buf valid;
};

struct bpe_trainer *bpe_trainer_new(const struct bpe_options *o, struct err *e)
{
	struct bpe_trainer *b = xcalloc(1, sizeof *b);
	size_t i;

	b->o = *o;
	b->pattern = xstrdup(o->pattern ? o->pattern : BPE_QWEN2);
	b->added = xcalloc(o->n_added, sizeof *b->added);
	for (i = 0; i < o->n_added; i++)
		b->added[i] = (struct bpe_added){xstrdup(o->added[i].text), o->added[i].special};
	if (b->o.min_count <= 0)
		b->o.min_count = 2;
	for (i = 0; i < o->n_added; i++)
		if (!o->added[i].text[0]) {
			err_set(e, "added token %zu is empty", i);
			goto bad;
		}
	b->pretokenizer = pretoken_isolated(b->pattern, e);
	if (!b->pretokenizer)
		goto bad;
	b->scratch = pretoken_scratch_new(b->pretokenizer);
	return b;
bad:
	bpe_trainer_free(b);
	return NULL;
}

void bpe_trainer_free(struct bpe_trainer *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->o.n_added; i++)
		free((char *)(uintptr_t)b->added[i].text);
	free(b->added);
	free(b->pattern);
	pretoken_scratch_free(b->scratch);
	pretoken_free(b->pretokenizer);
	map_free(&b->words);
	buf_free(&b->valid);
	free(b);
}

static int count_word(void *arg, const char *word, size_t n, struct err *e)
{
	struct bpe_trainer *b = arg;

	(void)e;
	++*map_put(&b->words, word, n);
	return 0;
}

/* Bytes of the longest added token that s begins with; 0. */
static size_t added_here(const struct bpe_trainer *b, const char *s, size_t n)
{
	size_t i, best = 0;

	for (i = 0; i < b->o.n_added; i++) {
		size_t len = strlen(b->added[i].text);

		if (len > best && len <= n && !memcmp(s, b->added[i].text, len))
			best = len;
	}
	return best;
}

int bpe_trainer_feed(struct bpe_trainer *b, const char *text, size_t n, struct err *e)
{
	size_t i = 0, done = 0, len;

	if (utf8_prefix(text, n) < n) {
		buf_clear(&b->valid);
		utf8_replace(text, n, &b->valid);
		text = b->valid.p;
		n = b->valid.n;
	}
	while (i < n) {
		len = added_here(b, text + i, n - i);
		if (!len) {
			i++;
			continue;
		}
		if (pretoken_run(b->pretokenizer, b->scratch, text + done, i - done, PRETOKEN_FIRST, count_word, b, e) < 0)
			return -1;
		done = i += len;
	}
	return pretoken_run(b->pretokenizer, b->scratch, text + done, n - done, PRETOKEN_FIRST, count_word, b, e);
}

/* ---- training ---- */

struct word {
	int32_t *symbol;                /* (n) */
	size_t n;
	int64_t count;
	size_t stamp;                   /* of the last step that looked at it */
};

struct pair {
	uint64_t key;                   /* left id << 32 | right id */
	int64_t count;
	uint32_t *word;                 /* (n): where it has occurred; may name one twice, or one that has it no longer */
	size_t n, cap;
	bool merged;                    /* there is a rule for it */
};

struct candidate {                      /* of the heap; passed over if the pair's count is another now */
	int64_t count;
	uint64_t key;
};

struct merge {
	int32_t left, right, id;
};

struct training {
	struct word *word;              /* (words) */
	size_t words;
	struct pair *pair;              /* (pairs) */
	size_t pairs, pairs_cap;
	uint32_t *slot;                 /* (slots): index into pair + 1; 0 free */
	size_t slots;
	struct candidate *heap;
	size_t heap_n, heap_cap;
	struct buf *token;              /* (tokens): bytes of each */
	size_t tokens, tokens_cap;
	struct map ids;                 /* bytes: id + 1 */
	struct merge *merge;
	size_t merges, merges_cap, steps;
	int32_t byte_id[256];
};

static bool before(struct candidate a, struct candidate b)
{
	return a.count != b.count ? a.count > b.count : a.key < b.key;
}

static void push(struct training *t, struct candidate c)
{
	size_t i = t->heap_n++;

	t->heap = xgrow(t->heap, &t->heap_cap, t->heap_n, sizeof *t->heap);
	for (; i > 0 && before(c, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = c;
}

static struct candidate pop(struct training *t)
{
	struct candidate top = t->heap[0], c = t->heap[--t->heap_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < t->heap_n) {
		if (child + 1 < t->heap_n && before(t->heap[child + 1], t->heap[child]))
			child++;
		if (!before(t->heap[child], c))
			break;
		t->heap[i] = t->heap[child];
		i = child;
	}
	t->heap[i] = c;
	return top;
}

static struct pair *find_pair(struct training *t, uint64_t key)
{
	size_t i, k;

	if ((t->pairs + 1) * 2 > t->slots) {
		t->slots = t->slots ? t->slots * 2 : 1024;
		free(t->slot);
		t->slot = xcalloc(t->slots, sizeof *t->slot);
		for (k = 0; k < t->pairs; k++) {
			for (i = vocab_mix(t->pair[k].key) & (t->slots - 1); t->slot[i]; i = (i + 1) & (t->slots - 1))
				;
			t->slot[i] = (uint32_t)k + 1;
		}
	}
	for (i = vocab_mix(key) & (t->slots - 1); t->slot[i]; i = (i + 1) & (t->slots - 1))
		if (t->pair[t->slot[i] - 1].key == key)
			return &t->pair[t->slot[i] - 1];
	t->pair = xgrow(t->pair, &t->pairs_cap, t->pairs + 1, sizeof *t->pair);
	t->pair[t->pairs++] = (struct pair){.key = key};
	t->slot[i] = (uint32_t)t->pairs;
	return &t->pair[t->pairs - 1];
}

static uint64_t key_of(const struct word *w, size_t i)
{
	return (uint64_t)(uint32_t)w->symbol[i] << 32 | (uint32_t)w->symbol[i + 1];
}

/* Adds the word's pairs, sign = 1, or takes them away, -1. */
static void count_pairs(struct training *t, uint32_t at, int sign)
{
	const struct word *w = &t->word[at];
	size_t i;

	for (i = 0; i + 1 < w->n; i++) {
		struct pair *p = find_pair(t, key_of(w, i));

		p->count += sign * w->count;
		if (sign > 0 && !(p->n && p->word[p->n - 1] == at)) {
			p->word = xgrow(p->word, &p->cap, p->n + 1, sizeof *p->word);
			p->word[p->n++] = at;
		}
	}
}

static void push_pairs(struct training *t, const struct word *w)
{
	size_t i;

	for (i = 0; i + 1 < w->n; i++) {
		uint64_t key = key_of(w, i);

		push(t, (struct candidate){find_pair(t, key)->count, key});
	}
}

static int32_t add_token(struct training *t, const char *bytes, size_t n)
{
	int64_t *id = map_put(&t->ids, bytes, n);

	if (!*id) {
		t->token = xgrow(t->token, &t->tokens_cap, t->tokens + 1, sizeof *t->token);
		t->token[t->tokens] = (struct buf){0};
		buf_add(&t->token[t->tokens], bytes, n);
		*id = (int64_t)++t->tokens;
	}
	return (int32_t)(*id - 1);
}

static void start(struct training *t, const struct bpe_trainer *b)
{
	bool seen[256] = {false};
	size_t i, k;

	for (i = 0; i < b->words.n; i++)
		for (k = 0; k < b->words.entry[i].len; k++)
			seen[(unsigned char)b->words.entry[i].key[k]] = true;
	for (i = 0; i < 256; i++) {
		char c = (char)i;

		t->byte_id[i] = seen[i] || !b->o.seen_bytes ? add_token(t, &c, 1) : -1;
	}
	t->words = b->words.n;
	t->word = xcalloc(t->words, sizeof *t->word);
	for (i = 0; i < t->words; i++) {
		const struct map_entry *entry = &b->words.entry[i];
		struct word *w = &t->word[i];

		w->count = entry->value;
		w->n = entry->len;
		w->symbol = xmalloc(w->n * sizeof *w->symbol);
		for (k = 0; k < w->n; k++)
			w->symbol[k] = t->byte_id[(unsigned char)entry->key[k]];
		count_pairs(t, (uint32_t)i, 1);
	}
	for (i = 0; i < t->pairs; i++)
		push(t, (struct candidate){t->pair[i].count, t->pair[i].key});
}

static void merge_in_word(struct word *w, struct merge m)
{
	size_t i, out = 0;

	for (i = 0; i < w->n; i++) {
		if (i + 1 < w->n && w->symbol[i] == m.left && w->symbol[i + 1] == m.right) {
			w->symbol[out++] = m.id;
			i++;
		} else {
			w->symbol[out++] = w->symbol[i];
		}
	}
	w->n = out;
}

static void merge(struct training *t, uint64_t key)
{
	struct pair *p = find_pair(t, key);
	struct merge m = {.left = (int32_t)(key >> 32), .right = (int32_t)(uint32_t)key};
	uint32_t *word = p->word;
	size_t n = p->n, i;
	struct buf bytes = {0};

	buf_add(&bytes, t->token[m.left].p, t->token[m.left].n);
	buf_add(&bytes, t->token[m.right].p, t->token[m.right].n);
	m.id = add_token(t, bytes.p, bytes.n);
	buf_free(&bytes);
	if (!p->merged) {               /* it comes again where a token was made in a second way; the rule stands */
		t->merge = xgrow(t->merge, &t->merges_cap, t->merges + 1, sizeof *t->merge);
		t->merge[t->merges++] = m;
	}
	t->steps++;
	p->merged = true;
	p->word = NULL;                 /* its words are gone through now, and p may move */
	p->n = p->cap = 0;
	for (i = 0; i < n; i++) {
		struct word *w = &t->word[word[i]];

		if (w->stamp == t->steps)
			continue;
		w->stamp = t->steps;
		count_pairs(t, word[i], -1);
		merge_in_word(w, m);
		count_pairs(t, word[i], 1);
	}
	for (i = 0; i < n; i++) {
		struct word *w = &t->word[word[i]];

		if (w->stamp == t->steps)
			push_pairs(t, w);
		w->stamp = 0;
	}
	free(word);
}

static int train(struct training *t, const struct bpe_trainer *b, struct err *e)
{
	int64_t want = b->o.vocab_size - (int64_t)b->o.n_added;

	start(t, b);
	if (want < (int64_t)t->tokens)
		return err_set(e, "a vocabulary of %lld has no room for %zu bytes and %zu added tokens", (long long)b->o.vocab_size, t->tokens,
			b->o.n_added);
	while (t->heap_n && (int64_t)t->tokens < want) {
		struct candidate c = pop(t);
		int64_t now = find_pair(t, c.key)->count;

		if (now != c.count) {           /* it has fallen since; what has risen was put there anew */
			if (now > 0 && now < c.count)
				push(t, (struct candidate){now, c.key});
			continue;
		}
		if (c.count < b->o.min_count)
			break;
		merge(t, c.key);
	}
	return 0;
}

static void training_free(struct training *t)
{
	size_t i;

	for (i = 0; i < t->words && t->word; i++)
		free(t->word[i].symbol);
	for (i = 0; i < t->pairs; i++)
		free(t->pair[i].word);
	for (i = 0; i < t->tokens; i++)
		buf_free(&t->token[i]);
	free(t->word);
	free(t->pair);
	free(t->slot);
	free(t->heap);
	free(t->token);
	free(t->merge);
	map_free(&t->ids);
}

/* ---- the file ---- */

static void add_name(struct buf *to, const struct buf *bytes)
{
	size_t i;

	for (i = 0; i < bytes->n; i++)
		to->n += utf8_encode(tokenizer_byte_char((unsigned char)bytes->p[i]), buf_room(to, 4));
	buf_room(to, 0)[0] = 0;
}

static struct js *byte_level(void)
{
	struct js *j = js_object();

	js_set(j, "type", js_new_str("ByteLevel"));
	js_set(j, "add_prefix_space", js_new_bool(false));
	js_set(j, "trim_offsets", js_new_bool(false));
	js_set(j, "use_regex", js_new_bool(false));
	return j;
}

static struct js *pre_tokenizer(const char *pattern)
{
	struct js *j = js_object(), *list = js_array(), *split = js_object(), *regex = js_object();

	js_set(regex, "Regex", js_new_str(pattern));
	js_set(split, "type", js_new_str("Split"));
	js_set(split, "pattern", regex);
	js_set(split, "behavior", js_new_str("Isolated"));
	js_set(split, "invert", js_new_bool(false));
	js_push(list, split);
	js_push(list, byte_level());
	js_set(j, "type", js_new_str("Sequence"));
	js_set(j, "pretokenizers", list);
	return j;
}

static struct js *added_token(const struct bpe_added *a, size_t id)
{
	static const char *const off[] = {"single_word", "lstrip", "rstrip", "normalized"};
	struct js *j = js_object();
	size_t i;

	js_set(j, "id", js_new_int((int64_t)id));
	js_set(j, "content", js_new_str(a->text));
	for (i = 0; i < 4; i++)
		js_set(j, off[i], js_new_bool(false));
	js_set(j, "special", js_new_bool(a->special));
	return j;
}

static struct js *model(const struct training *t)
{
	static const char *const null[] = {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"};
	static const char *const off[] = {"fuse_unk", "byte_fallback", "ignore_merges"};
	struct js *j = js_object(), *vocab = js_object(), *merges = js_array();
	struct buf name = {0};
	size_t i;

	js_set(j, "type", js_new_str("BPE"));
	for (i = 0; i < 4; i++)
		js_set(j, null[i], js_new_null());
	for (i = 0; i < 3; i++)
		js_set(j, off[i], js_new_bool(false));
	for (i = 0; i < t->tokens; i++) {
		buf_clear(&name);
		add_name(&name, &t->token[i]);
		js_set(vocab, name.p, js_new_int((int64_t)i));
	}
	for (i = 0; i < t->merges; i++) {
		buf_clear(&name);
		add_name(&name, &t->token[t->merge[i].left]);
		buf_char(&name, ' ');
		add_name(&name, &t->token[t->merge[i].right]);
		js_push(merges, js_new_string(name.p, name.n));
	}
	buf_free(&name);
	js_set(j, "vocab", vocab);
	js_set(j, "merges", merges);
	return j;
}

static void write_json(const struct bpe_trainer *b, const struct training *t, struct buf *to)
{
	struct js *j = js_object(), *added = js_array();
	size_t i;

	js_set(j, "version", js_new_str("1.0"));
	js_set(j, "truncation", js_new_null());
	js_set(j, "padding", js_new_null());
	for (i = 0; i < b->o.n_added; i++)
		js_push(added, added_token(&b->added[i], t->tokens + i));
	js_set(j, "added_tokens", added);
	js_set(j, "normalizer", js_new_null());
	js_set(j, "pre_tokenizer", pre_tokenizer(b->pattern));
	js_set(j, "post_processor", js_new_null());
	js_set(j, "decoder", byte_level());
	js_set(j, "model", model(t));
	js_write(j, 2, to);
	buf_char(to, '\n');
	js_free(j);
}

int bpe_trainer_json(struct bpe_trainer *b, struct buf *to, struct err *e)
{
	struct training t = {0};
	struct tokenizer *check = NULL;
	size_t from = to->n;

	if (train(&t, b, e) == 0) {
		write_json(b, &t, to);
		/* An added token that is another's name, or is given twice, shows here. */
		check = tokenizer_parse(to->p + from, to->n - from, "the vocabulary", e);
	}
	training_free(&t);
	if (!check)
		to->n = from;
	tokenizer_free(check);
	return check ? 0 : -1;
}

int bpe_trainer_write(struct bpe_trainer *b, const char *path, struct err *e)
{
	struct buf json = {0};
	int rc = bpe_trainer_json(b, &json, e);

	if (rc == 0)
		rc = file_write(path, json.p, json.n, e);
	buf_free(&json);
	return rc;
}
