/* Encoding: added tokens are cut out, what is between is normalized and made words, words are merged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/nfc.h"
#include "text/tokenizer_private.h"

/* ---- words already met ---- */

#define CACHE_SLOTS 32768
#define CACHE_KEY 23
_Static_assert(CACHE_KEY == PRETOKEN_SHORT && CACHE_KEY < 32 && PRETOKEN_STEPS <= 8, "length and step in one byte of the key");
#define CACHE_IDS 8

/* One cache line: the word's bytes with its length in the key's last byte; its ids. */
struct cached {
	uint64_t key[3];                /* all zero: free */
	uint32_t n;
	int32_t id[CACHE_IDS];
	uint32_t unused;
};

static uint64_t load8(const char *s)
{
	uint64_t x;

	memcpy(&x, s, 8);
	return x;
}

static uint64_t load4(const char *s)
{
	uint32_t x;

	memcpy(&x, s, 4);
	return x;
}

/* The 1 to 8 bytes of s, the first lowest, in loads that stay within. (Bytes copied one by one and then read as words stall.) */
static uint64_t load_few(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	if (n == 8)
		return load8(s);
	if (n >= 4)
		return load4(s) | load4(s + n - 4) << 8 * (n - 4);
	return u[0] | (uint64_t)u[n / 2] << 8 * (n / 2) | (uint64_t)u[n - 1] << 8 * (n - 1);
}

/* The last n (1 to 8) of the bytes that end at `end`; there are at least 8. */
static uint64_t load_last(const char *end, size_t n)
{
	return load8(end - 8) >> 8 * (8 - n);
}

static size_t make_key(uint64_t key[3], const char *s, size_t n)
{
	uint64_t h;

	key[1] = key[2] = 0;
	if (n <= 8) {
		key[0] = load_few(s, n);
	} else {
		key[0] = load8(s);
		key[1] = n <= 16 ? load_last(s + n, n - 8) : load8(s + 8);
		if (n > 16)
			key[2] = load_last(s + n, n - 16);
	}
	key[2] |= (uint64_t)n << 56;
	h = vocab_mix(key[0] ^ vocab_mix(key[1] ^ vocab_mix(key[2])));
	return (h ^ h >> 15) % CACHE_SLOTS;
}

static bool has_key(const struct cached *c, const uint64_t key[3])
{
	return c->key[0] == key[0] && c->key[1] == key[1] && c->key[2] == key[2];
}

/* The slot that holds the key, or else is to hold it: one of two. */
static struct cached *cache_slot(struct tokenizer *t, const uint64_t key[3], size_t at)
{
	struct cached *a = &t->cache[at], *b = &t->cache[at ^ 1];

	if (has_key(a, key))
		return a;
	return has_key(b, key) || (a->key[2] && !b->key[2]) ? b : a;
}

/* ---- merging ---- */

#define NO_RANK UINT32_MAX

static void look_up(const struct vocab *v, int32_t a, int32_t b, uint32_t *rank, int32_t *into)
{
	const struct vocab_merge *m = vocab_merge_find(v, a, b);

	*rank = m ? m->rank : NO_RANK;
	*into = m ? m->id : -1;
}

/* Few symbols: the lowest rank is searched for anew each time. rank[i] and into[i] are those of symbols i and i + 1. */
static void merge_few(struct tokenizer *t)
{
	const struct vocab *v = &t->t->vocab;
	int32_t *id = t->symbol, *into = t->into;
	uint32_t *rank = t->rank;
	size_t n = t->symbols, i, best;

	for (i = 0; i + 1 < n; i++)
		look_up(v, id[i], id[i + 1], &rank[i], &into[i]);
	while (n > 1) {
		uint32_t lowest = NO_RANK;

		for (best = i = 0; i + 1 < n; i++)
			if (rank[i] < lowest)
				lowest = rank[i], best = i;
		if (lowest == NO_RANK)
			break;
		id[best] = into[best];
		n--;
		memmove(id + best + 1, id + best + 2, (n - best - 1) * sizeof *id);
		memmove(rank + best, rank + best + 1, (n - best - 1) * sizeof *rank);
		memmove(into + best, into + best + 1, (n - best - 1) * sizeof *into);
		if (best > 0)
			look_up(v, id[best - 1], id[best], &rank[best - 1], &into[best - 1]);
		if (best + 1 < n)
			look_up(v, id[best], id[best + 1], &rank[best], &into[best]);
	}
	t->symbols = n;
}

/* Many symbols: a heap of (rank, place), and a list of those that are left. Entries that no longer hold are passed over. */
static void heap_push(uint64_t *h, size_t *n, uint64_t x)
{
	size_t i = (*n)++;

	for (; i > 0 && h[(i - 1) / 2] > x; i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = x;
}

static uint64_t heap_pop(uint64_t *h, size_t *n)
{
	uint64_t top = h[0], x = h[--*n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < *n) {
		if (child + 1 < *n && h[child + 1] < h[child])
			child++;
		if (h[child] >= x)
			break;
		h[i] = h[child];
		i = child;
	}
	h[i] = x;
	return top;
}

static void merge_many(struct tokenizer *t)
{
	const struct vocab *v = &t->t->vocab;
	int32_t *id = t->symbol, *next = t->into, into;
	uint32_t *before = t->rank, rank;
	size_t n = t->symbols, heap = 0, i, out = 0;
	uint64_t *h;

	/* each of n - 1 pairs at the start, and two for each of at most n - 1 merges */
	t->heap = xgrow(t->heap, &t->heap_cap, 3 * n, sizeof *h);
	h = t->heap;
	for (i = 0; i < n; i++) {
		next[i] = i + 1 < n ? (int32_t)i + 1 : -1;
		before[i] = i ? (uint32_t)i - 1 : UINT32_MAX;
		if (i + 1 < n) {
			look_up(v, id[i], id[i + 1], &rank, &into);
			if (rank != NO_RANK)
				heap_push(h, &heap, (uint64_t)rank << 32 | i);
		}
	}
	while (heap) {
		uint64_t top = heap_pop(h, &heap);
		uint32_t left = (uint32_t)top;
		int32_t right;

		if (id[left] < 0 || (right = next[left]) < 0)
			continue;
		look_up(v, id[left], id[right], &rank, &into);
		if (rank != top >> 32)
			continue;
		id[left] = into;
		id[right] = -1;
		next[left] = next[right];
		if (next[left] >= 0) {
			before[next[left]] = left;
			look_up(v, id[left], id[next[left]], &rank, &into);
			if (rank != NO_RANK)
				heap_push(h, &heap, (uint64_t)rank << 32 | left);
		}
		if (before[left] != UINT32_MAX) {
			look_up(v, id[before[left]], id[left], &rank, &into);
			if (rank != NO_RANK)
				heap_push(h, &heap, (uint64_t)rank << 32 | before[left]);
		}
	}
	for (i = 0; i < n; i++)
		if (id[i] >= 0)
			id[out++] = id[i];
	t->symbols = out;
}

static void add_symbol(struct tokenizer *t, int32_t id)
{
	t->symbol = xgrow(t->symbol, &t->symbol_cap, t->symbols + 1, sizeof *t->symbol);
	t->symbol[t->symbols++] = id;
}

static int32_t find_in_model(const struct tables *t, const char *name, size_t n)
{
	int32_t id = vocab_find(&t->vocab, name, n);

	return id >= 0 && t->flags[id] & IN_MODEL ? id : -1;
}

/* A character as its token, or its bytes' tokens, or the unknown token; *unknown: one of these is due. */
static int add_char(struct tokenizer *t, const char *s, size_t n, bool *unknown, struct err *e)
{
	const struct tables *m = t->t;
	int32_t id = find_in_model(m, s, n), byte[4];
	uint32_t c;
	size_t i;

	if (id >= 0) {
		if (*unknown)
			add_symbol(t, m->unk);
		*unknown = false;
		add_symbol(t, id);
		return 0;
	}
	if (m->byte_fallback) {
		for (i = 0; i < n; i++) {
			char name[8];

			snprintf(name, sizeof name, "<0x%02X>", (unsigned char)s[i]);
			byte[i] = find_in_model(m, name, 6);
			if (byte[i] < 0)
				break;
		}
		if (i == n) {
			for (i = 0; i < n; i++)
				add_symbol(t, byte[i]);
			return 0;
		}
	}
	if (m->unk >= 0) {
		if (*unknown && !m->fuse_unk)
			add_symbol(t, m->unk);
		*unknown = true;
		return 0;
	}
	utf8_decode(s, n, &c);
	if (m->byte_level)
		return err_set(e, "%s has no token for the byte 0x%02X", m->file, (unsigned)tokenizer_char_byte(c));
	return err_set(e, "%s has no token for the character U+%04X", m->file, c);
}

/* The word's first symbols: a byte each, or a character each. */
static int split_word(struct tokenizer *t, const char *s, size_t n, struct err *e)
{
	const struct tables *m = t->t;
	bool unknown = false;
	size_t i, len;

	t->symbols = 0;
	if (m->byte_level) {
		t->symbol = xgrow(t->symbol, &t->symbol_cap, n, sizeof *t->symbol);
		for (i = 0; i < n; i++) {
			int32_t id = m->byte_id[(unsigned char)s[i]];
			char name[4];

			if (id >= 0 && !unknown) {
				add_symbol(t, id);
				continue;
			}
			len = utf8_encode(tokenizer_byte_char((unsigned char)s[i]), name);
			if (add_char(t, name, len, &unknown, e) < 0)
				return -1;
		}
	} else {
		for (i = 0; i < n; i += len) {
			uint32_t c;

			len = utf8_decode(s + i, n - i, &c);
			if (add_char(t, s + i, len, &unknown, e) < 0)
				return -1;
		}
	}
	if (unknown)
		add_symbol(t, m->unk);
	return 0;
}

/* The whole word as one token, under ignore_merges; -1. */
static int32_t whole_word(struct tokenizer *t, const char *s, size_t n)
{
	size_t i;

	if (!t->t->byte_level)
		return find_in_model(t->t, s, n);
	buf_clear(&t->name);
	for (i = 0; i < n; i++)
		t->name.n += utf8_encode(tokenizer_byte_char((unsigned char)s[i]), buf_room(&t->name, 4));
	return find_in_model(t->t, t->name.p, t->name.n);
}

/* What is known of a word or a piece, added to the ids: true. `slot`: where it is to be kept otherwise. */
static bool take_known(struct tokenizer *t, const uint64_t key[3], struct cached **slot, size_t at)
{
	*slot = cache_slot(t, key, at);
	if (!has_key(*slot, key))
		return false;
	t->out->id = xgrow(t->out->id, &t->out->cap, t->out->n + CACHE_IDS, sizeof *t->out->id);
	memcpy(t->out->id + t->out->n, (*slot)->id, sizeof (*slot)->id);
	t->out->n += (*slot)->n;
	return true;
}

static void keep(struct cached *slot, const uint64_t key[3], const int32_t *id, size_t n)
{
	memcpy(slot->key, key, sizeof slot->key);
	slot->n = (uint32_t)n;
	memcpy(slot->id, id, n * sizeof *id);
}

/* A piece that is still to be split, by some step (1 to 7) and those behind it: not the same as a word of these bytes. */
static size_t make_piece_key(uint64_t key[3], size_t step, const char *s, size_t n)
{
	size_t at = make_key(key, s, n);

	key[2] |= (uint64_t)step << 61;
	return at ^ 2 * step;
}

static bool known_piece(void *arg, size_t step, const char *s, size_t n)
{
	struct tokenizer *t = arg;
	struct cached *slot;
	uint64_t key[3];
	size_t at = make_piece_key(key, step, s, n);

	t->piece = t->out->n;
	return take_known(t, key, &slot, at);
}

static void keep_piece(void *arg, size_t step, const char *s, size_t n)
{
	struct tokenizer *t = arg;
	size_t ids = t->out->n - t->piece, at;
	uint64_t key[3];

	if (ids > CACHE_IDS)
		return;
	at = make_piece_key(key, step, s, n);
	keep(cache_slot(t, key, at), key, t->out->id + t->piece, ids);
}

static int encode_word(void *arg, const char *s, size_t n, struct err *e)
{
	struct tokenizer *t = arg;
	struct cached *slot = NULL;
	uint64_t key[3];
	int32_t whole;
	size_t i;

	if (n <= CACHE_KEY) {
		size_t at = make_key(key, s, n);

		if (take_known(t, key, &slot, at))
			return 0;
	}
	whole = t->t->ignore_merges ? whole_word(t, s, n) : -1;
	if (whole >= 0) {
		t->symbols = 0;
		add_symbol(t, whole);
	} else {
		if (split_word(t, s, n, e) < 0)
			return -1;
		t->into = xgrow(t->into, &t->into_cap, t->symbols, sizeof *t->into);
		t->rank = xgrow(t->rank, &t->rank_cap, t->symbols, sizeof *t->rank);
		if (t->symbols <= 64)
			merge_few(t);
		else
			merge_many(t);
	}
	t->out->id = xgrow(t->out->id, &t->out->cap, t->out->n + t->symbols, sizeof *t->out->id);
	for (i = 0; i < t->symbols; i++)
		t->out->id[t->out->n++] = t->symbol[i];
	if (slot && t->symbols <= CACHE_IDS)
		keep(slot, key, t->symbol, t->symbols);
	return 0;
}

/* ---- added tokens ---- */

/* The first of token[lo .. hi), which share their first `depth` bytes and have more, whose next byte is c or greater. */
static size_t bound(const struct added_set *set, size_t lo, size_t hi, size_t depth, unsigned c)
{
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if ((unsigned char)set->token[mid].text[depth] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The longest token of the set that s begins with; NULL. */
static const struct added *longest(const struct added_set *set, const char *s, size_t n)
{
	size_t lo = set->first[(unsigned char)s[0]], hi = set->first[(unsigned char)s[0] + 1], depth = 1;
	const struct added *found = NULL;

	while (lo < hi) {
		unsigned c;

		if (set->token[lo].n == depth)
			found = &set->token[lo++];
		if (depth == n)
			break;
		c = (unsigned char)s[depth];
		lo = bound(set, lo, hi, depth, c);
		hi = bound(set, lo, hi, depth, c + 1);
		depth++;
	}
	return found;
}

static bool is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a)
		|| c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The place of the character that ends at `at` (> 0). */
static size_t step_back(const char *s, size_t at)
{
	do
		at--;
	while (at > 0 && (s[at] & 0xc0) == 0x80);
	return at;
}

static bool stands_alone(struct tokenizer *t, const char *s, size_t n, size_t from, size_t to)
{
	if (from > 0) {
		size_t at = step_back(s, from);

		pattern_look(t->match, s + at, from - at);
		if (pattern_starts(t->t->word, t->match, s + at, from - at))
			return false;
	}
	pattern_look(t->match, s + to, n - to < 4 ? n - to : 4);
	return to == n || !pattern_starts(t->t->word, t->match, s + to, n - to);
}

/* front: there is nothing before it. */
typedef int part_fn(struct tokenizer *t, const char *s, size_t n, bool front, struct err *e);

/* Added tokens of the set become their ids, what is between them goes to fn. */
static int split_added(struct tokenizer *t, const struct added_set *set, bool plain, const char *s, size_t n, bool front, part_fn *fn, struct err *e)
{
	size_t i = 0, done = 0;
	uint32_t c;

	while (set->n && i < n) {
		const struct added *a;
		size_t from = i, to;

		if (set->first[(unsigned char)s[i]] == set->first[(unsigned char)s[i] + 1] || !(a = longest(set, s + i, n - i))) {
			i++;
			continue;
		}
		to = i += a->n;
		if ((plain && a->special) || (a->single_word && !stands_alone(t, s, n, from, to)))
			continue;
		while (a->lstrip && from > done) {
			size_t at = step_back(s, from);

			utf8_decode(s + at, from - at, &c);
			if (!is_space(c))
				break;
			from = at;
		}
		while (a->rstrip && to < n) {
			size_t len = utf8_decode(s + to, n - to, &c);

			if (!is_space(c))
				break;
			to += len;
		}
		/* The one before may have taken this one's blanks, or all of it. */
		if (a->lstrip && from < done)
			from = done;
		if (from > done && fn(t, s + done, from - done, front && !done, e) < 0)
			return -1;
		if (to > from)
			tokens_add(t->out, a->id);
		done = to > from ? to : from;
	}
	return done < n ? fn(t, s + done, n - done, front && !done, e) : 0;
}

static int encode_part(struct tokenizer *t, const char *s, size_t n, bool front, struct err *e)
{
	enum pretoken_place place = !front ? PRETOKEN_BEHIND : t->continues ? PRETOKEN_CONTINUES : PRETOKEN_FIRST;

	return pretoken_run(t->t->pretokenizer, t->pretoken, s, n, place, encode_word, t, e);
}

int tokenizer_replace(const struct substitution *x, const char *s, size_t n, size_t most, struct buf *to)
{
	const char *end = s + n, *at;

	while (to->n <= most && (at = memmem(s, (size_t)(end - s), x->from, x->from_n))) {
		buf_add(to, s, (size_t)(at - s));
		buf_add(to, x->to, x->to_n);
		s = at + x->from_n;
	}
	buf_add(to, s, (size_t)(end - s));
	return to->n > most ? -1 : 0;
}

const char *tokenizer_normal(const struct tables *t, const char *s, size_t *n, bool front, struct buf to[2])
{
	size_t i, k = 0;

	for (i = 0; i < t->normals && *n; i++) {
		const struct normal_step *step = &t->normal[i];
		struct buf *b = &to[k];

		if (step->kind == NORMAL_NFC ? nfc_is_normal(s, *n) : step->kind == NORMAL_PREPEND && !front)
			continue;
		buf_clear(b);
		if (step->kind == NORMAL_NFC) {
			nfc_normalize(s, *n, b);
		} else if (step->kind == NORMAL_REPLACE) {
			tokenizer_replace(&step->text, s, *n, SIZE_MAX, b);
		} else {
			buf_add(b, step->text.to, step->text.to_n);
			buf_add(b, s, *n);
		}
		s = b->p;
		*n = b->n;
		k ^= 1;
	}
	return s;
}

static int normalize_part(struct tokenizer *t, const char *s, size_t n, bool plain, bool front, struct err *e)
{
	s = tokenizer_normal(t->t, s, &n, !(front && t->continues), t->normal);
	return split_added(t, &t->t->normalized, plain, s, n, front, encode_part, e);
}

static int normalize_any(struct tokenizer *t, const char *s, size_t n, bool front, struct err *e)
{
	return normalize_part(t, s, n, false, front, e);
}

static int normalize_plain(struct tokenizer *t, const char *s, size_t n, bool front, struct err *e)
{
	return normalize_part(t, s, n, true, front, e);
}

/* ---- all of it ---- */

static void add_tokens(struct tokens *to, const struct tokens *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		tokens_add(to, from->id[i]);
}

int tokenizer_encode(struct tokenizer *t, const char *text, size_t n, unsigned flags, struct tokens *to, struct err *e)
{
	const struct tokens *prefix = &t->t->prefix;
	bool plain = flags & TOKENIZER_PLAIN;
	size_t before = to->n, start;

	if (!t->cache)
		t->cache = xcalloc(CACHE_SLOTS, sizeof *t->cache);
	if (utf8_prefix(text, n) < n) {
		buf_clear(&t->valid);
		utf8_replace(text, n, &t->valid);
		text = t->valid.p;
		n = t->valid.n;
	}
	if (!n)
		text = "";
	t->out = to;
	t->continues = flags & TOKENIZER_CONTINUES;
	if (flags & (TOKENIZER_ADD_SPECIAL | TOKENIZER_PROMPT))
		add_tokens(to, prefix);
	start = to->n;
	if (split_added(t, &t->t->raw, plain, text, n, true, plain ? normalize_plain : normalize_any, e) < 0) {
		to->n = before;
		return -1;
	}
	if (start > before && to->n - start >= prefix->n && !memcmp(to->id + start, prefix->id, prefix->n * sizeof *to->id)) {
		memmove(to->id + before, to->id + start, (to->n - start) * sizeof *to->id);
		to->n -= prefix->n;
	}
	if (flags & TOKENIZER_ADD_SPECIAL)
		add_tokens(to, &t->t->suffix);
	return 0;
}

struct tokenizer *tokenizer_handle(struct tables *m)
{
	struct tokenizer *t = xcalloc(1, sizeof *t);

	t->t = m;
	t->pretoken = pretoken_scratch_new(m->pretokenizer);
	pretoken_remember(t->pretoken, known_piece, keep_piece);
	if (m->word)
		t->match = pattern_scratch_new();
	return t;
}

void tokenizer_handle_free(struct tokenizer *t)
{
	pretoken_scratch_free(t->pretoken);
	pattern_scratch_free(t->match);
	buf_free(&t->valid);
	buf_free(&t->normal[0]);
	buf_free(&t->normal[1]);
	buf_free(&t->name);
	free(t->cache);
	free(t->symbol);
	free(t->into);
	free(t->rank);
	free(t->heap);
	free(t);
}
