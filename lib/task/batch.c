#include "task/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"
#include "task/stat.h"

static void add(struct values *v, double x)
{
	v->x = xgrow(v->x, &v->cap, v->n + 1, sizeof *v->x);
	v->x[v->n++] = x;
}

static void count_reward(struct batch *b, const char *id, double reward)
{
	int64_t *at = map_put(&b->group, id, strlen(id));
	struct range *r;

	if (*at == 0) {
		*at = (int64_t)b->group.n;
		b->range = xgrow(b->range, &b->range_cap, b->group.n, sizeof *b->range);
		b->range[*at - 1] = (struct range){reward, reward};
	}
	r = &b->range[*at - 1];
	r->lowest = fmin(r->lowest, reward);
	r->highest = fmax(r->highest, reward);
	add(&b->reward, reward);
}

/* Both fields are looked at before either is counted. */
static int count_rewards(struct batch *b, struct record *r, const char *id, struct err *e)
{
	struct named *named = NULL;
	double reward;
	size_t n = 0, i;

	if ((record_has(r, "reward") && record_number(r, "reward", &reward, e) < 0) ||
	    (record_has(r, "rewards") && !(named = record_named(r, "rewards", &n, e))))
		return -1;
	if (record_has(r, "reward"))
		count_reward(b, id, reward);
	for (i = 0; i < n; i++) {
		int64_t *at = map_put(&b->part, named[i].name, strlen(named[i].name));

		if (*at == 0) {
			*at = (int64_t)b->part.n;
			b->parts = xgrow(b->parts, &b->parts_cap, b->part.n, sizeof *b->parts);
			b->parts[*at - 1] = (struct values){0};
		}
		if (!isnan(named[i].value))
			add(&b->parts[*at - 1], named[i].value);
	}
	return 0;
}

static void count_length(struct batch *b, int64_t n, bool ended)
{
	bool first = b->n == 0 && b->masked == 0;

	if (first || n > b->made.longest)
		b->made.longest = n;
	if (first || n < b->made.shortest)
		b->made.shortest = n;
	b->made.tokens += n;
	b->made.ended += ended;
	b->made.ended_tokens += ended ? n : 0;
}

static int check(struct record *r, const struct completion *c, const struct config *config, double temperature, struct err *e)
{
	if (temperature < 0)
		return record_error(r, e, "'temperature' is %g, which is less than 0", temperature);
	if (c->first == c->n)
		return record_error(r, e, "the completion has no tokens");
	return config_check_ids(config, c->token, (size_t)c->n, e) < 0 ? record_error(r, e, "%s", e->msg) : 0;
}

/* Takes over c->token. */
static void keep(struct batch *b, struct rollout x, const struct completion *c, const char *id)
{
	size_t bytes = (size_t)(c->n - c->first) * sizeof *x.logprob;

	x.id = xstrdup(id);
	x.token = c->token;
	x.n = c->n;
	x.first = c->first;
	if (c->logprob)
		x.logprob = memcpy(xmalloc(bytes), c->logprob, bytes);
	b->rollout = xgrow(b->rollout, &b->cap, b->n + 1, sizeof *b->rollout);
	b->rollout[b->n++] = x;
	b->tokens += x.n;
	b->longest = x.n > b->longest ? x.n : b->longest;
}

static int read_advantages(struct record *r, const struct completion *c, struct rollout *x, struct err *e)
{
	size_t n;
	const float *a = record_floats(r, "advantages", &n, e);

	if (!a)
		return -1;
	if ((int64_t)n != c->n - c->first)
		return record_error(r, e, "'advantages' has %zu numbers for %lld tokens of the completion", n, (long long)(c->n - c->first));
	x->advantages = memcpy(xmalloc(n * sizeof *a), a, n * sizeof *a);
	return 0;
}

int batch_add(struct batch *b, struct record *r, struct err *e)
{
	struct completion c;
	struct rollout x = {.temperature = 1};
	const char *id = "", *finish = "stop";
	bool cut;

	if ((record_has(r, "id") && !(id = record_string(r, "id", NULL, e))) || record_number(r, "advantage", &x.advantage, e) < 0 ||
	    (record_has(r, "sample") && record_int(r, "sample", &x.sample, e) < 0) ||
	    (record_has(r, "temperature") && record_number(r, "temperature", &x.temperature, e) < 0) ||
	    (record_has(r, "finish_reason") && !(finish = record_string(r, "finish_reason", NULL, e))) ||
	    completion_read(r, NULL, b->tokenizer, b->config, &c, e) < 0)
		return -1;
	if (check(r, &c, b->config, x.temperature, e) < 0 || (record_has(r, "advantages") && read_advantages(r, &c, &x, e) < 0) ||
	    count_rewards(b, r, id, e) < 0) {
		free(x.advantages);
		free(c.token);
		return -1;
	}
	completion_tell_edited(r, &c, &b->edited);
	cut = !strcmp(finish, "length");
	count_length(b, c.n - c.first, !cut);
	b->seen += c.n;
	if (cut && b->mask_truncated) {
		b->masked++;
		free(c.token);
		free(x.advantages);
	} else {
		completion_tell_long(r, b->config, c.n, &b->told_long);
		keep(b, x, &c, id);
	}
	return 0;
}

int batch_count_group(struct batch *b, struct record *r, struct err *e)
{
	struct buf key = {0};
	int64_t size, step = -1, *came;
	const char *id = record_string(r, "id", NULL, e);

	if (!id || record_int(r, "group", &size, e) < 0 || (record_has(r, "step") && record_int(r, "step", &step, e) < 0))
		return -1;
	if (size < 1)
		return record_error(r, e, "'group' is %lld, which is less than 1", (long long)size);
	buf_printf(&key, "%lld %s", (long long)step, id);
	came = map_put(&b->came, key.p, key.n);
	buf_free(&key);
	if (*came == size)
		return record_error(r, e, "one completion too many of its group of %lld", (long long)size);
	b->open += *came == 0;
	if (++*came == size) {
		b->open--;
		b->whole++;
	}
	return 0;
}

/* ---- metrics, under the names that the field uses ---- */

static int by_name(const void *a, const void *b)
{
	const struct values *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void reward_metrics(struct batch *b, struct record *r)
{
	size_t i, flat = 0;

	if (b->reward.n) {
		for (i = 0; i < b->group.n; i++)
			flat += b->range[i].highest - b->range[i].lowest < 1e-12;
		record_set_number(r, "reward", stat_mean(b->reward.x, b->reward.n));
		record_set_number(r, "reward_std", stat_std(b->reward.x, b->reward.n, true));
		record_set_number(r, "frac_reward_zero_std", (double)flat / (double)b->group.n);
	}
	for (i = 0; i < b->part.n; i++)
		b->parts[b->part.entry[i].value - 1].name = b->part.entry[i].key;
	if (b->part.n)
		qsort(b->parts, b->part.n, sizeof *b->parts, by_name);
	for (i = 0; i < b->part.n; i++) {
		const struct values *p = &b->parts[i];
		char *name = xasprintf("rewards/%s/mean", p->name);

		record_set_number(r, name, stat_mean(p->x, p->n));
		strcpy(strrchr(name, '/'), "/std");
		record_set_number(r, name, stat_std(p->x, p->n, true));
		free(name);
	}
}

void batch_metrics(struct batch *b, struct record *r)
{
	double all = (double)b->n + (double)b->masked, ended = (double)b->made.ended;

	reward_metrics(b, r);
	record_set_number(r, "completions/mean_length", (double)b->made.tokens / all);
	record_set_int(r, "completions/min_length", b->made.shortest);
	record_set_int(r, "completions/max_length", b->made.longest);
	record_set_number(r, "completions/mean_terminated_length", b->made.ended ? (double)b->made.ended_tokens / ended : 0);
	record_set_number(r, "completions/clipped_ratio", 1 - ended / all);
}

void batch_free(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		rollout_free(&b->rollout[i]);
	free(b->rollout);
	free(b->range);
	free(b->reward.x);
	for (i = 0; i < b->part.n; i++)
		free(b->parts[i].x);
	free(b->parts);
	map_free(&b->group);
	map_free(&b->part);
	map_free(&b->came);
}
