/* Repetition penalty (Yeo et al. 2025, "Demystifying long chain-of-thought", section 4): the share of n-grams that are not the first of
 * their kind, times a negative number. */
#include "task/ngram.h"
#include "task/reward.h"

struct options {
	int64_t n;
	double penalty;
	const char *unit;
};

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	struct ngrams w = {0};
	double share;

	if (o->unit[0] == 't') {
		size_t n, i;
		const int32_t *id = record_ints(s->record, "completion_ids", &n, e);

		if (!id)
			return -1;
		for (i = 0; i < n; i++)
			ngram_add(&w, (uint64_t)(uint32_t)id[i]);
	} else {
		ngram_words(&w, s->text, s->n);
	}
	share = ngram_repeated(&w, (size_t)o->n);
	s->value = share * o->penalty;
	if (share)
		buf_printf(&s->reason, "%.0f %% of %lld-grams repeated", 100 * share, (long long)o->n);
	return 0;
}

static const struct options defaults = {3, -1, "words"};
static const struct param params[] = {
	{"n", OPT_INT, offsetof(struct options, n), "N", "words of an n-gram", 1, 100},
	{"penalty", OPT_FLOAT, offsetof(struct options, penalty), "X", "value where all are repeated", -1e6, 0},
	{"unit", OPT_CHOICE, offsetof(struct options, unit), "words|tokens", "what an n-gram is made of"},
	PARAM_END};

const struct reward reward_repetition = {
	{"repetition", "penalty for repeated n-grams, 0 to -1", params, &defaults, sizeof defaults, NULL}, false, score};
