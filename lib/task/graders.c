#include "task/graders.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/pass.h"
#include "task/scorer.h"

enum { AT_ONCE = 256 };         /* completions */

struct options {
	const char *on, *type;
	bool sigmoid;
	double at_most;
};
static const struct options defaults = {.on = "response", .at_most = INFINITY};
static const struct param params[] = {
	{"on", OPT_CHOICE, offsetof(struct options, on), "response|summary", "what is read: all of the completion, or what is behind its reasoning"},
	{"type", OPT_STRING, offsetof(struct options, type), "NAME", "records of this `type` only; null for others"},
	{"sigmoid", OPT_FLAG, offsetof(struct options, sigmoid), "yes|no", "the probability, sigmoid of the score"},
	{"at-most", OPT_FLOAT, offsetof(struct options, at_most), "X", "what is more counts as X"},
	PARAM_END};
static const struct plugin about = {.name = "DIR", .help = "what the reward model in that checkpoint gives", .params = params, .defaults = &defaults,
				    .size = sizeof defaults};

struct grader {
	struct spec spec;               /* no options: a value model */
	struct config config;
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
	struct tokens *ids;             /* [AT_ONCE] */
	int64_t first[AT_ONCE];
	double sum;
	size_t count;
};

struct graders {
	struct backend *be;
	const char *template;
	int (*put)(void *arg, struct record *r, struct err *e);
	void *arg;
	struct grader *grader;
	size_t n, cap;
	struct record held[AT_ONCE];
	size_t waiting;
	bool told_long;                 /* that one is longer than a model has positions */
	struct tape tape;
};

struct graders *graders_new(struct backend *be, const char *template, int (*put)(void *arg, struct record *r, struct err *e), void *arg)
{
	struct graders *g = xcalloc(1, sizeof *g);

	g->be = be;
	g->template = template;
	g->put = put;
	g->arg = arg;
	g->tape = tape_new(be);
	return g;
}

const struct plugin *graders_about(void)
{
	return &about;
}

bool graders_any(const struct graders *g)
{
	return g->n > 0;
}

static struct grader *open_model(struct graders *g, const char *path, struct err *e)
{
	struct checkpoint *ck = checkpoint_open(path, e);
	struct grader *x;

	if (!ck)
		return NULL;
	if (!ck->config.scalar) {
		err_set(e, "%s: has no scalar head: r1-distill --objective trains one", path);
		checkpoint_close(ck);
		return NULL;
	}
	g->grader = xgrow(g->grader, &g->cap, g->n + 1, sizeof *g->grader);
	x = &g->grader[g->n++];
	*x = (struct grader){.config = config_copy(&ck->config), .ids = xcalloc(AT_ONCE, sizeof *x->ids)};
	if (!(x->model = model_from_checkpoint(ck, g->be, MODEL_SCORE, DTYPE_AUTO, e)) || !(x->tokenizer = completion_tokenizer(ck, e)) ||
	    !(x->template = completion_template(ck, g->template, e)) ||
	    (strcmp(g->template, "auto") != 0 && completion_tell_foreign(x->template, g->template, NULL, x->tokenizer, path, e) < 0))
		x = NULL;
	checkpoint_close(ck);
	return x;
}

int graders_reward_model(struct graders *g, const char *spec, struct err *e)
{
	char *path = xstrndup(spec, spec_name(spec));
	struct plugin p = about;
	struct grader *x;
	size_t i;
	int rc = -1;

	p.name = path;
	x = open_model(g, path, e);
	if (x)
		rc = spec_parse(&x->spec, spec, &p, true, e);
	if (rc == 0 && !x->spec.named) {
		free(x->spec.as);
		x->spec.as = xstrdup("model");
	}
	for (i = 0; rc == 0 && i + 1 < g->n; i++)
		if (g->grader[i].spec.as && !strcmp(g->grader[i].spec.as, x->spec.as))
			rc = err_set(e, "two rewards would be called '%s': as=NAME gives one another name", x->spec.as);
	free(path);
	return rc;
}

int graders_value_model(struct graders *g, const char *path, struct err *e)
{
	return open_model(g, path, e) ? 0 : -1;
}

/* The rewards that a record has, [n], and their sum; another one of x's name is an error. */
static int read_rewards(const struct grader *x, struct record *r, struct named **rewards, size_t *n, double *sum, struct err *e)
{
	size_t i;

	*rewards = NULL;
	*n = 0;
	*sum = 0;
	if ((record_has(r, "rewards") && !(*rewards = record_named(r, "rewards", n, e))) ||
	    (record_has(r, "reward") && record_number(r, "reward", sum, e) < 0))
		return -1;
	for (i = 0; i < *n; i++)
		if (!strcmp((*rewards)[i].name, x->spec.as))
			return record_error(r, e, "there is a reward '%s' already: as=NAME gives the model's another name", x->spec.as);
	return 0;
}

/* What one of them is to read of a record */
static int take(struct grader *x, struct record *r, size_t at, struct err *e)
{
	struct completion c;
	int64_t i;

	x->ids[at].n = 0;
	x->first[at] = 0;
	if (x->spec.options) {
		const struct options *o = x->spec.options;
		const char *type = o->type && record_has(r, "type") ? record_string(r, "type", NULL, e) : "";
		struct named *was;
		double sum;
		size_t n;

		if (!type || read_rewards(x, r, &was, &n, &sum, e) < 0)
			return -1;
		if (o->type && strcmp(o->type, type) != 0)
			return 0;
		const struct scorer_reader reader = {x->tokenizer, x->template, &x->config, !strcmp(o->on, "summary") ? SCORER_SUMMARY : SCORER_RESPONSE};

		if (scorer_read(&reader, r, "completion", &x->ids[at], e) < 0)
			return -1;
		x->first[at] = (int64_t)x->ids[at].n - 1;
		return 0;
	}
	if (completion_read(r, x->template, x->tokenizer, &x->config, &c, e) < 0)
		return -1;
	if (!c.first || c.first == c.n) {
		free(c.token);
		return record_error(r, e, "the %s has no tokens", c.first ? "completion" : "prompt");
	}
	for (i = 0; i + 1 < c.n; i++)
		tokens_add(&x->ids[at], c.token[i]);
	x->first[at] = c.first - 1;
	free(c.token);
	return 0;
}

static void add_reward(struct grader *x, struct record *r, double score)
{
	const struct options *o = x->spec.options;
	struct named *was, *now;
	double sum, value = o->sigmoid ? 1 / (1 + exp(-score)) : score;
	struct err none;
	size_t n;

	read_rewards(x, r, &was, &n, &sum, &none);      /* seen to be right already */
	value = isnan(value) ? NAN : fmin(value, o->at_most) + 0.;
	now = xmalloc((n + 1) * sizeof *now);
	if (n)
		memcpy(now, was, n * sizeof *now);
	now[n] = (struct named){x->spec.as, value};
	record_set_named(r, "rewards", now, n + 1);
	free(now);
	if (isnan(value))
		return;
	record_set_number(r, "reward", sum + x->spec.weight * value);
	x->sum += value;
	x->count++;
}

/* One model's scores of all that wait */
static void grade(struct graders *g, struct grader *x)
{
	struct example *ex = xmalloc(AT_ONCE * sizeof *ex);
	int64_t scores = 0, at = 0, n = 0;
	float *score;
	size_t i;

	for (i = 0; i < g->waiting; i++) {
		if (!x->ids[i].n)       /* not for this one */
			continue;
		ex[n] = (struct example){x->ids[i].id, (int64_t)x->ids[i].n, x->first[i], 1};
		scores += ex[n].n - ex[n].first;
		n++;
	}
	score = xmalloc((size_t)(scores + 1) * sizeof *score);
	score_all(x->model, &g->tape, ex, n, pass_tokens(g->tape.be), score);
	for (i = 0; i < g->waiting; at += (int64_t)x->ids[i].n - x->first[i], i++) {
		if (x->spec.options)
			add_reward(x, &g->held[i], x->ids[i].n ? score[at] : NAN);
		else
			record_set_floats(&g->held[i], "values", score + at, x->ids[i].n - (size_t)x->first[i]);
	}
	free(score);
	free(ex);
}

int graders_flush(struct graders *g, struct err *e)
{
	size_t i;
	int rc = 0;

	if (!g->waiting)
		return 0;
	for (i = 0; i < g->n; i++)
		grade(g, &g->grader[i]);
	for (i = 0; i < g->waiting; i++) {
		if (rc == 0)
			rc = g->put(g->arg, &g->held[i], e);
		record_free(&g->held[i]);
		g->held[i] = (struct record){0};
	}
	g->waiting = 0;
	return rc < 0 ? -2 : 0;
}

int graders_put(struct graders *g, struct record *r, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		const struct tokens *ids = &g->grader[i].ids[g->waiting];

		if (take(&g->grader[i], r, g->waiting, e) < 0)
			return -1;
		if (config_check_ids(&g->grader[i].config, ids->id, ids->n, e) < 0)
			return record_error(r, e, "%s", e->msg);
	}
	for (i = 0; i < g->n; i++)
		completion_tell_long(r, &g->grader[i].config, (int64_t)g->grader[i].ids[g->waiting].n, &g->told_long);
	g->held[g->waiting++] = *r;
	*r = (struct record){0};
	return g->waiting == AT_ONCE ? graders_flush(g, e) : 0;
}

size_t graders_means(const struct graders *g, struct reward_mean *to, size_t max)
{
	size_t i, n = 0;

	for (i = 0; i < g->n && n < max; i++)
		if (g->grader[i].spec.options)
			to[n++] = (struct reward_mean){g->grader[i].spec.as, g->grader[i].sum / (double)g->grader[i].count, g->grader[i].count};
	return n;
}

void graders_free(struct graders *g)
{
	size_t i, k;

	if (!g)
		return;
	for (i = 0; i < g->n; i++) {
		struct grader *x = &g->grader[i];

		spec_free(&x->spec);
		model_free(x->model);
		tokenizer_free(x->tokenizer);
		template_free(x->template);
		config_free(&x->config);
		for (k = 0; k < AT_ONCE; k++)
			tokens_free(&x->ids[k]);
		free(x->ids);
	}
	for (i = 0; i < g->waiting; i++)
		record_free(&g->held[i]);
	tape_free(&g->tape);
	free(g->grader);
	free(g);
}
