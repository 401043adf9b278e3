/* Decontamination: what has a sequence of words in common with an evaluation set is not to be trained on (the paper's supplement: any text with ten
 * words in a row from an evaluation question or its reference solution).
 *
 * The n-grams of the evaluation set are in a table, by a hash that rolls over those of their words; what is found there is compared word by
 * word. Of what is filtered nothing is held. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "task/filter.h"
#include "text/words.h"

struct options {
	const char *with, *of;
	int64_t n, common;
	double share;
	bool solutions;
};

/* ---- texts of a record ---- */

enum { ASKED = 1, ANSWERED = 2 };

typedef void use_fn(void *arg, const char *s, size_t n, unsigned kind);

static int use_string(struct record *r, const char *name, unsigned kind, use_fn *use, void *arg, unsigned *found, struct err *e)
{
	size_t n;
	const char *s = record_string(r, name, &n, e);

	if (!s)
		return -1;
	*found |= kind;
	if (use)
		use(arg, s, n, kind);
	return 0;
}

static int use_messages(struct record *r, const char *name, unsigned of, use_fn *use, void *arg, unsigned *found, struct err *e)
{
	const struct js *messages = record_js(r, name, e);
	size_t i, n;

	if (!messages)
		return -1;
	if (!js_is_array(messages))
		return record_error(r, e, "'%s' is %s, not an array", name, js_type(messages));
	for (i = 0; i < js_size(messages); i++) {
		const struct js *m = js_at(messages, i);
		const char *role = js_string(js_get(m, "role"), NULL), *s = js_string(js_get(m, "content"), &n);
		unsigned kind;

		if (!role || !s)
			return record_error(r, e, "'%s[%zu].%s' is %s, not a string", name, i, role ? "content" : "role",
					    js_type(js_get(m, role ? "content" : "role")));
		kind = !strcmp(role, "user") ? ASKED : !strcmp(role, "assistant") ? ANSWERED : 0;
		*found |= kind & of;
		if (use && kind & of)
			use(arg, s, n, kind);
	}
	return 0;
}

/* Of a pair, each a string or, with what was asked or without it, messages. `rejected` alone may be why a filter did that. */
static int use_pair(struct record *r, unsigned of, use_fn *use, void *arg, unsigned *found, struct err *e)
{
	static const char *const pair[] = {"chosen", "rejected"};
	size_t i, n;

	for (i = 0; i < 2 && record_has(r, "chosen"); i++) {
		const struct js *v = record_has(r, pair[i]) ? record_js(r, pair[i], e) : NULL;
		const char *s = js_string(v, &n);

		if (!v && record_has(r, pair[i]))
			return -1;
		if (js_is_array(v) && use_messages(r, pair[i], of, use, arg, found, e) < 0)
			return -1;
		if (s && of & ANSWERED) {
			*found |= ANSWERED;
			if (use)
				use(arg, s, n, ANSWERED);
		}
	}
	return 0;
}

/* Hands the texts `of` these kinds to `use` (which may be NULL), and says which kinds there are; -1: the record is bad. `prompt`, in which the
 * template stands, too, and `text` are looked at where there is nothing else but a solution. */
static int each_text(struct record *r, unsigned of, use_fn *use, void *arg, struct err *e)
{
	static const struct { const char *name; unsigned kind; } field[] = {{"problem", ASKED}, {"question", ASKED}, {"completion", ANSWERED}};
	unsigned found = 0;
	const char *solution;
	size_t i, n;

	if (record_has(r, "messages") && use_messages(r, "messages", of, use, arg, &found, e) < 0)
		return -1;
	if (use_pair(r, of, use, arg, &found, e) < 0)
		return -1;
	for (i = 0; i < sizeof field / sizeof *field; i++)
		if (of & field[i].kind && record_has(r, field[i].name) && use_string(r, field[i].name, field[i].kind, use, arg, &found, e) < 0)
			return -1;
	if (of & ~found & ASKED && record_has(r, "prompt") && use_string(r, "prompt", ASKED, use, arg, &found, e) < 0)
		return -1;
	solution = of & ANSWERED && record_has(r, "solution") ? record_string(r, "solution", &n, NULL) : NULL;
	if (solution && use)
		use(arg, solution, n, ANSWERED);
	if (!found && record_has(r, "text") && use_string(r, "text", of & ANSWERED ? ANSWERED : ASKED, use, arg, &found, e) < 0)
		return -1;
	if (solution)
		found |= ANSWERED;
	if (!found)
		return record_error(r, e, "there is none of %s'messages' and 'text'",
				    of == ANSWERED ? "'completion', " : of == ASKED ? "'problem', " : "'problem', 'completion', ");
	return (int)found;
}

/* ---- the evaluation set ---- */

enum {
	NONE = UINT32_MAX,
	LINE = 3,                       /* words and signs of the shortest line that is taken for a problem */
	WITHIN = 5, LONGEST = 200,      /* and of those problems that are looked for within a text, */
	TAIL = 3                        /* by their last words without signs */
};

struct text {                           /* a problem or a reference solution, each once */
	const char *name, *part;
	size_t first, n;                /* its words; n is 0 for one that is shorter than n-grams */
	size_t grams;                   /* distinct ones that count */
	int64_t record;                 /* the last one that has any of them, */
	size_t found, at;               /* how many of them, and the first of those (a word) */
};

struct place {                          /* an n-gram in a text */
	size_t word;
	uint32_t text, next;            /* next: where else */
};

struct slot {
	uint64_t hash;
	uint32_t first, last;           /* places; NONE: the slot is empty; last alone: its n-gram does not count */
	int64_t record;                 /* the last one that has it */
};

struct within {                         /* a problem shorter than n-grams that is looked for within texts, too */
	uint32_t text, next;            /* next: whose tail is in the same place of the table; NONE */
	size_t signs;                   /* its words and signs */
	size_t first, n;                /* hashes of its words without signs */
	int64_t looked;                 /* at this text already */
};

struct set {
	struct words words;             /* of all texts */
	struct text *text;              /* (texts) */
	size_t texts, text_cap;
	struct place *place;            /* (places) */
	size_t places, place_cap;
	struct slot *slot;              /* (slots), a power of two */
	size_t slots, used;
	uint64_t *some;                 /* (slots / 8) a bit for each hash that is there, by other bits of it: what is not is seen here mostly */
	struct map whole;               /* texts as they are in `words` -> text + 1 */
	struct map brief;               /* those shorter than n-grams, with their signs, the same */
	size_t briefest, longest;       /* words and signs of these */
	struct within *within;          /* (withins) */
	size_t withins, within_cap;
	uint32_t *tail;                 /* (tails), a power of two: of the hash of a tail, the first of `within`; NONE */
	uint64_t *tail_some;            /* (tails / 64) a bit for each place that is not NONE */
	size_t tails;
	uint64_t *plain;                /* (plains) hashes of words without signs */
	size_t plains, plain_cap;
	struct arena names;
	size_t problems;                /* read so far, those that were there before, too */
	size_t n;                       /* words of an n-gram */
	uint64_t power;                 /* BASE to the n - 1 */
};

#define BASE 0x9E3779B97F4A7C15u

static uint64_t gram_first(const struct set *s, const struct word *w)
{
	uint64_t h = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		h = h * BASE + w[i].hash;
	return h;
}

/* From the hash of the n words at w to that of those a word on */
static inline uint64_t gram_next(const struct set *s, uint64_t h, const struct word *w)
{
	return (h - w[0].hash * s->power) * BASE + w[s->n].hash;
}

static struct slot *find(const struct set *s, uint64_t hash)
{
	size_t i = hash & (s->slots - 1);

	while (s->slot[i].first != NONE && s->slot[i].hash != hash)
		i = (i + 1) & (s->slots - 1);
	return &s->slot[i];
}

static void grow(struct set *s)
{
	struct slot *old = s->slot;
	size_t n = s->slots, i;

	s->slots = n ? 2 * n : 1024;
	s->slot = xmalloc(s->slots * sizeof *s->slot);
	for (i = 0; i < s->slots; i++)
		s->slot[i] = (struct slot){.first = NONE, .last = NONE};
	for (i = 0; i < n; i++)
		if (old[i].first != NONE)
			*find(s, old[i].hash) = old[i];
	free(old);
}

static inline size_t bit_of(const struct set *s, uint64_t hash)
{
	return (hash >> 20) & (8 * s->slots - 1);
}

static void add_gram(struct set *s, uint64_t hash, size_t word)
{
	const uint32_t here = (uint32_t)s->places, text = (uint32_t)s->texts;
	struct slot *at;

	if (2 * s->used >= s->slots)
		grow(s);
	at = find(s, hash);
	if (at->first == NONE) {
		*at = (struct slot){hash, here, here, -1};
		s->used++;
	} else if (s->place[at->last].text == text) {
		return;
	} else {
		s->place[at->last].next = here;
		at->last = here;
	}
	s->place = xgrow(s->place, &s->place_cap, s->places + 1, sizeof *s->place);
	s->place[s->places++] = (struct place){word, text, NONE};
	s->text[text].grams++;
}

/* The brief text that comes next: its words and signs are those from `first` on, its words alone the m last of `plain`. */
static void add_within(struct set *s, size_t first, size_t n, size_t m)
{
	bool words = false;
	size_t i;

	for (i = first; i < first + n; i++)
		words |= !s->words.word[i].formula;
	if (!words || n < WITHIN || n > LONGEST || m < TAIL)
		return;
	s->within = xgrow(s->within, &s->within_cap, s->withins + 1, sizeof *s->within);
	s->within[s->withins++] = (struct within){(uint32_t)s->texts, NONE, n, s->plains - m, m, -1};
}

/* Who the texts that come next are of */
struct source {
	struct set *set;
	const char *name, *part;
};

static void add_text(void *arg, const char *string, size_t len, unsigned kind)
{
	const struct source *from = arg;
	struct set *s = from->set;
	const size_t first = s->words.n, bytes = s->words.text.n;
	const bool problem = from->part[0] == 'p';
	struct text *t;
	int64_t *known = NULL;
	uint64_t h;
	size_t i, n, m = 0;

	(void)kind;
	words_add(&s->words, string, len, false);
	n = s->words.n - first;
	if (n >= s->n) {
		known = map_put(&s->whole, s->words.text.p + bytes, s->words.text.n - bytes);
	} else {
		s->plain = xgrow(s->plain, &s->plain_cap, s->plains + n, sizeof *s->plain);
		for (i = 0; i < n; i++)
			s->plain[s->plains + i] = s->words.word[first + i].hash;
		m = n;
		s->words.n = first;
		s->words.text.n = bytes;
		if (problem)
			words_add(&s->words, string, len, true);
		if ((n = s->words.n - first) > 0) {
			known = map_put(&s->brief, s->words.text.p + bytes, s->words.text.n - bytes);
			s->briefest = !s->briefest || n < s->briefest ? n : s->briefest;
			s->longest = n > s->longest ? n : s->longest;
		}
		if (known && !*known) {
			s->plains += m;
			add_within(s, first, n, m);
		}
		n = 0;
	}
	s->problems += known && problem;
	if (!known || *known) {
		s->words.n = first;
		s->words.text.n = bytes;
		return;
	}
	*known = (int64_t)s->texts + 1;
	s->text = xgrow(s->text, &s->text_cap, s->texts + 1, sizeof *s->text);
	t = &s->text[s->texts];
	*t = (struct text){.name = from->name, .part = from->part, .first = first, .n = n, .record = -1};
	if (n) {
		h = gram_first(s, s->words.word + first);
		for (i = 0;; i++) {
			add_gram(s, h, first + i);
			if (i + s->n == n)
				break;
			h = gram_next(s, h, s->words.word + first + i);
		}
	}
	s->texts++;
}

/* id, or FILE:LINE for a record without */
static const char *name_of(struct set *s, struct record *r)
{
	const char *id = record_has(r, "id") ? record_string(r, "id", NULL, NULL) : NULL;
	char *made = id && *id ? NULL : xasprintf("%s:%lld", r->file, (long long)r->line);
	const char *name = arena_strndup(&s->names, made ? made : id, strlen(made ? made : id));

	free(made);
	return name;
}

static int add_record(struct set *s, const struct options *o, struct record *r, struct err *e)
{
	static const char *const reference[] = {"solution", "answer"};
	struct source from = {s, name_of(s, r), "problem"};
	size_t i, n;

	if (each_text(r, ASKED, NULL, NULL, e) < 0)
		return -1;
	each_text(r, ASKED, add_text, &from, e);
	for (i = 0; o->solutions && i < 2; i++) {
		const char *text = record_has(r, reference[i]) ? record_string(r, reference[i], &n, NULL) : NULL;

		from.part = reference[i];
		if (text)
			add_text(&from, text, n, ANSWERED);
	}
	return 0;
}

static int read_set(struct set *s, const struct options *o, char *file, struct tool *t, struct err *e)
{
	struct reader *in = reader_open(&file, 1, t);
	const size_t before = s->problems;
	struct record r = {0};
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0)
		if (add_record(s, o, &r, e) < 0 && (rc = reader_bad(in, e)) < 0)
			break;
	record_free(&r);
	reader_close(in);
	if (rc == 0 && s->problems == before)
		rc = err_set(e, "%s: there are no problems in it", file);
	return rc;
}

/* ---- the filter ---- */

struct state {
	struct set set;
	struct words words, signs;      /* of the text that is being looked at; with its signs */
	int64_t looked;                 /* texts */
	size_t *hit;                    /* (hits) texts of which this record has n-grams */
	size_t hits, hit_cap;
	int64_t record;                 /* its number */
	double share;
	struct candidate *candidate;    /* rejected: the rest of it need not be looked at */
};

static void close(void *state)
{
	struct state *s = state;

	if (!s)
		return;
	words_free(&s->set.words);
	words_free(&s->words);
	words_free(&s->signs);
	map_free(&s->set.whole);
	map_free(&s->set.brief);
	arena_free(&s->set.names);
	free(s->set.text);
	free(s->set.place);
	free(s->set.slot);
	free(s->set.some);
	free(s->set.within);
	free(s->set.tail);
	free(s->set.tail_some);
	free(s->set.plain);
	free(s->hit);
	free(s);
}

/* What more than `common` texts have does not count. */
static void drop_common(struct set *s, struct slot *at, int64_t common)
{
	int64_t texts = 0;
	uint32_t k;

	for (k = at->first; k != NONE; k = s->place[k].next)
		texts++;
	if (texts <= common)
		return;
	for (k = at->first; k != NONE; k = s->place[k].next)
		s->text[s->place[k].text].grams--;
	at->last = NONE;
}

static inline size_t tail_of(const struct set *s, uint64_t a, uint64_t b, uint64_t c)
{
	return (((a * BASE + b) * BASE + c) >> 20) & (s->tails - 1);
}

static void index_tails(struct set *s)
{
	size_t i;

	for (s->tails = 1024; s->tails < 8 * s->withins;)
		s->tails *= 2;
	s->tail = xmalloc(s->tails * sizeof *s->tail);
	s->tail_some = xcalloc(s->tails / 64, sizeof *s->tail_some);
	for (i = 0; i < s->tails; i++)
		s->tail[i] = NONE;
	for (i = 0; i < s->withins; i++) {
		struct within *b = &s->within[i];
		const uint64_t *last = s->plain + b->first + b->n - TAIL;
		const size_t at = tail_of(s, last[0], last[1], last[2]);

		b->next = s->tail[at];
		s->tail[at] = (uint32_t)i;
		s->tail_some[at / 64] |= (uint64_t)1 << at % 64;
	}
}

/* The tables are whole. */
static void seal(struct set *s, int64_t common)
{
	size_t i;

	if (s->withins)
		index_tails(s);
	if (!s->slots)
		grow(s);
	s->some = xcalloc(s->slots / 8, sizeof *s->some);
	for (i = 0; i < s->slots; i++) {
		struct slot *at = &s->slot[i];

		if (at->first != NONE && common)
			drop_common(s, at, common);
		if (at->last != NONE)
			s->some[bit_of(s, at->hash) / 64] |= (uint64_t)1 << bit_of(s, at->hash) % 64;
	}
}

static void *open(const void *options, struct tool *t, struct err *e)
{
	const struct options *o = options;
	struct state *s = xcalloc(1, sizeof *s);
	const char *p = o->with;
	int64_t i;
	int rc = 0;

	s->set.n = (size_t)o->n;
	s->set.power = 1;
	for (i = 1; i < o->n; i++)
		s->set.power *= BASE;
	s->share = o->share;
	while (rc == 0) {
		size_t len = strcspn(p, ",");
		char *file = xstrndup(p, len);

		rc = read_set(&s->set, o, file, t, e);
		free(file);
		if (!p[len])
			break;
		p += len + 1;
	}
	if (rc < 0) {
		err_prefix(e, "option 'with'");
		close(s);
		return NULL;
	}
	seal(&s->set, o->common);
	return s;
}

/* `share` of a text, or with 0 so many `words` in a row, which begin at `at`: the first n of them are shown, as far as there is room. */
static void reject(struct state *s, const struct text *t, size_t at, size_t words, double share)
{
	const size_t rest = t->first + t->n - at;
	size_t len, cut;
	const char *span = words_span(&s->set.words, at, t->n ? (rest < s->set.n ? rest : s->set.n) : words, &len);

	len -= len > 0;         /* the blank behind the last */
	for (cut = len < 200 ? len : 200; cut < len && ((unsigned char)span[cut] & 0xc0) == 0x80;)
		cut--;
	if (!t->n)
		filter_reject(s->candidate, "the %s of %.200s: \"%.*s%s\"", t->part, t->name, (int)cut, span, cut < len ? "..." : "");
	else if (share > 0)
		filter_reject(s->candidate, "%.0f %% of the %s of %.200s: \"%.*s%s\"", 100 * share, t->part, t->name, (int)cut, span, cut < len ? "..." : "");
	else
		filter_reject(s->candidate, "%zu words of the %s of %.200s: \"%.*s%s\"", words, t->part, t->name, (int)cut, span, cut < len ? "..." : "");
}

/* Are the n words from a of the set those from b of what is looked at? */
static bool same(const struct state *s, size_t a, size_t b, size_t n)
{
	size_t a_len, b_len;
	const char *x = words_span(&s->set.words, a, n, &a_len), *y = words_span(&s->words, b, n, &b_len);

	return a_len == b_len && !memcmp(x, y, a_len);
}

/* The n-gram from word i on is in the table: rejects, or counts it for the texts that have it. */
static void hit(struct state *s, struct slot *at, size_t i)
{
	const size_t n = s->set.n;
	uint32_t k;

	if (at->record == s->record)
		return;
	at->record = s->record;
	for (k = at->first; k != NONE; k = s->set.place[k].next) {
		const struct place *p = &s->set.place[k];
		struct text *t = &s->set.text[p->text];
		size_t more = 0;

		if (!same(s, p->word, i, n))
			continue;
		if (s->share == 0) {
			while (i + n + more < s->words.n && p->word + n + more < t->first + t->n && same(s, p->word + n + more, i + n + more, 1))
				more++;
			reject(s, t, p->word, n + more, 0);
			return;
		}
		if (t->record != s->record) {
			t->record = s->record;
			t->found = 0;
			t->at = p->word;
			s->hit = xgrow(s->hit, &s->hit_cap, s->hits + 1, sizeof *s->hit);
			s->hit[s->hits++] = p->text;
		}
		t->found++;
	}
}

static void look_grams(struct state *s)
{
	const struct word *w = s->words.word;
	const size_t n = s->set.n;
	uint64_t h;
	size_t i;

	if (s->words.n < n)
		return;
	h = gram_first(&s->set, w);
	for (i = 0;; i++) {
		const size_t bit = bit_of(&s->set, h);

		if (s->set.some[bit / 64] >> bit % 64 & 1) {
			struct slot *at = find(&s->set, h);

			if (at->last != NONE)
				hit(s, at, i);
		}
		if (i + n == s->words.n || s->candidate->rejected)
			return;
		h = gram_next(&s->set, h, w + i);
	}
}

/* Is the run of n words and signs from i on no part of a longer formula? */
static bool apart(const struct words *w, size_t i, size_t n)
{
	const struct word *x = w->word + i;

	return (!i || !x->formula || x->fresh || !x[-1].formula) && (i + n == w->n || x[n].fresh || !x[n].formula);
}

/* The words of a brief problem are there: are they with the same signs, too, and apart from others? */
static void look_run(struct state *s, struct within *b, const char *string, size_t len)
{
	const struct text *t = &s->set.text[b->text];
	size_t i, a_len, c_len;
	const char *a = words_span(&s->set.words, t->first, b->signs, &a_len), *c;

	if (b->looked == s->looked)
		return;
	b->looked = s->looked;
	if (!s->signs.n)
		words_add(&s->signs, string, len, true);
	for (i = 0; i + b->signs <= s->signs.n; i++) {
		if (s->signs.word[i].hash != s->set.words.word[t->first].hash || !apart(&s->signs, i, b->signs))
			continue;
		c = words_span(&s->signs, i, b->signs, &c_len);
		if (a_len == c_len && !memcmp(a, c, a_len)) {
			reject(s, t, t->first, b->signs, 0);
			return;
		}
	}
}

/* Is a text that is shorter than n-grams somewhere in it? */
static void look_within(struct state *s, const char *string, size_t len)
{
	const struct word *w = s->words.word;
	size_t i, k;
	uint32_t at;

	words_clear(&s->signs);
	s->looked++;
	for (i = TAIL; i <= s->words.n; i++) {
		const size_t tail = tail_of(&s->set, w[i - 3].hash, w[i - 2].hash, w[i - 1].hash);

		if (!(s->set.tail_some[tail / 64] >> tail % 64 & 1))
			continue;
		for (at = s->set.tail[tail]; at != NONE && !s->candidate->rejected; at = s->set.within[at].next) {
			struct within *b = &s->set.within[at];

			for (k = 0; k < b->n && k < i && s->set.plain[b->first + b->n - 1 - k] == w[i - 1 - k].hash; k++)
				;
			if (k == b->n)
				look_run(s, b, string, len);
		}
		if (s->candidate->rejected)
			return;
	}
}

/* Is it, as a whole, one of the texts that are shorter than n-grams? */
static void look_brief(struct state *s, const char *string, size_t len, size_t least)
{
	const struct text *t;
	int64_t *at;

	words_clear(&s->words);
	words_add(&s->words, string, len, true);
	if (s->words.n < least || s->words.n < s->set.briefest || s->words.n > s->set.longest)
		return;
	at = map_get(&s->set.brief, s->words.text.p, s->words.text.n);
	if (!at)
		return;
	t = &s->set.text[*at - 1];
	reject(s, t, t->first, s->words.n, 0);
}

static void look_text(void *state, const char *string, size_t len, unsigned kind)
{
	struct state *s = state;
	const char *end = string + len, *nl;

	if (s->candidate->rejected)
		return;
	words_clear(&s->words);
	words_add(&s->words, string, len, false);
	look_grams(s);
	if (s->set.withins && !s->candidate->rejected)
		look_within(s, string, len);
	if (!(kind & ASKED) || !s->set.brief.n || s->candidate->rejected)
		return;
	if (s->words.n < s->set.n)
		look_brief(s, string, len, 1);
	if (!memchr(string, '\n', len))
		return;
	for (; string < end && !s->candidate->rejected; string = nl + 1) {
		nl = memchr(string, '\n', (size_t)(end - string));
		nl = nl ? nl : end;
		look_brief(s, string, (size_t)(nl - string), LINE);
	}
}

static unsigned kinds(const struct options *o)
{
	return o->of[0] == 'p' ? ASKED : o->of[0] == 'c' ? ANSWERED : ASKED | ANSWERED;
}

static int look(const void *options, struct record *r, struct err *e)
{
	return each_text(r, kinds(options), NULL, NULL, e) < 0 ? -1 : 0;
}

/* Of the texts that enough was found of, the one that most was found of */
static void judge_shares(struct state *s)
{
	const struct text *most = NULL;
	double share = 0;
	size_t i;

	for (i = 0; i < s->hits; i++) {
		const struct text *t = &s->set.text[s->hit[i]];
		const double x = (double)t->found / (double)t->grams;

		if (x >= s->share && x > share) {
			most = t;
			share = x;
		}
	}
	if (most)
		reject(s, most, most->at, 0, share);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	struct state *s = state;
	struct err e;
	size_t i;

	for (i = 0; i < n; i++) {
		s->candidate = &c[i];
		s->record++;
		s->hits = 0;
		each_text(c[i].record, kinds(options), look_text, s, &e);
		if (!c[i].rejected)
			judge_shares(s);
	}
}

static int check(void *options, struct err *e)
{
	const char *p = ((const struct options *)options)->with;

	if (!p)
		return err_set(e, "with=FILE must be given");
	for (;; p++) {
		size_t len = strcspn(p, ",");

		if (!len)
			return err_set(e, "option 'with': a name is empty");
		if (len == 1 && *p == '-')
			return err_set(e, "option 'with': the evaluation set is a file, not standard input");
		p += len;
		if (!*p)
			return 0;
	}
}

static const struct options defaults = {.of = "both", .n = 10, .solutions = true};
static const struct param params[] = {
	{"with", OPT_STRING, offsetof(struct options, with), "FILE,...", "the evaluation set: problems, with their reference solutions"},
	{"of", OPT_CHOICE, offsetof(struct options, of), "problem|completion|both", "what is looked at"},
	{"n", OPT_INT, offsetof(struct options, n), "N", "words in a row", 1, 1000},
	{"share", OPT_FLOAT, offsetof(struct options, share), "X", "smallest share of a problem's n-grams that is too much; 0: one is", 0, 1},
	{"common", OPT_INT, offsetof(struct options, common), "N", "n-grams that more than N of its texts have do not count; 0: all do", 0, 1e9},
	{"solutions", OPT_FLAG, offsetof(struct options, solutions), "yes|no", "reference solutions count, too"},
	PARAM_END};

const struct filter filter_overlap = {
	{"overlap", "reject what has words in a row in common with an evaluation set", params, &defaults, sizeof defaults, check}, NULL, open, close, look, apply};
