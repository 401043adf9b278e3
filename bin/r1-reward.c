/* r1-reward - score completions */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/ordered.h"
#include "base/progress.h"
#include "model/remote.h"
#include "record/record.h"
#include "task/graders.h"
#include "task/judge.h"
#include "task/reward.h"
#include "task/verifier.h"

static char *details(void)
{
	const struct reward *const *r;
	const struct verifier *const *v;
	struct buf b = {0};

	buf_str(&b, "A reward is NAME[:WEIGHT][,OPTION=VALUE]...; weight 1 if none is given, as=NAME writes it under another name.\n"
		"\nRewards:\n");
	for (r = reward_table; *r; r++)
		plugin_help(&b, &(*r)->about);
	buf_str(&b, "\nAccuracy by `type` (math where there is none):\n");
	for (v = verifier_table; *v; v++)
		buf_printf(&b, "  %-14s %s\n", (*v)->name, (*v)->help);
	buf_str(&b, "\nA reward model is DIR[:WEIGHT][,OPTION=VALUE]..., a checkpoint of r1-distill --objective; as=NAME, if not `model`.\n");
	plugin_help(&b, graders_about());
	buf_str(&b, "\nSets `rewards`, `reward`, `verdict` and, with accuracy, `extracted`.");
	return b.p;
}

#define WAITING 4096                    /* completions that are scored before one that takes long */
#define WAITING_BYTES ((size_t)64 << 20)
#define KEPT ((size_t)16 << 10)         /* bytes of memory that a place keeps for its next completion */
#define ASKED 1024                      /* completions whose judge's votes are awaited, or that wait behind such a one */

struct place {                          /* a completion on its way */
	struct record r;
	bool indexed;                   /* by who asked models about it */
	struct judged judged;
	double *value;                  /* (1 + rewards) */
	bool unanswered, unverified;
	int rc;                         /* of rewards_score */
	char *why;                      /* rc < 0 */
};

struct scoring {
	struct rewards **w;             /* (threads + 1): one thread's each, the last the first thread's own; of 0 rewards, models score alone */
	struct graders *graders;        /* models that score */
	struct backend *be;             /* theirs; NULL where there are none */
	int threads;
	size_t rewards, unanswered, unverified;
	struct judge *judge;            /* NULL: nobody is asked */
	struct place *asked;            /* (ASKED) a ring: completions in the input's order, before they are scored */
	size_t begun, taken, held;      /* counts of those; bytes of those between */
	struct reader *in;
	struct writer *out;
	struct progress p;
	struct err *e;
};

static void score(void *arg, void *place, int worker)
{
	struct scoring *s = arg;
	struct place *p = place;
	struct rewards *w = s->w[worker];
	struct opinions o = {.judge = &p->judged};
	struct err e;

	if (!p->indexed)
		p->rc = record_index(&p->r, &e);
	else if (p->why)                /* it could not even be asked about */
		return;
	if (p->rc == 0 && s->rewards)
		p->rc = rewards_score(w, &p->r, &o, &e);
	if (p->rc < 0) {
		p->why = xstrdup(e.msg);
		return;
	}
	if (!p->value)
		p->value = xmalloc((s->rewards + 1) * sizeof *p->value);
	rewards_last(w, p->value, s->rewards + 1);
	p->unanswered = rewards_unanswered(w);
	p->unverified = rewards_unverified(w);
}

static int put(void *arg, struct record *r, struct err *e)
{
	struct scoring *s = arg;

	progress_set(&s->p, s->p.done + 1, 0);
	return writer_put(s->out, r, e);
}

/* In the order of the input: bad completions, too, are counted, shown or the end of it as if they came one after another. */
static int take(void *arg, void *place)
{
	struct scoring *s = arg;
	struct place *p = place;
	int rc = p->rc;

	if (tool_interrupted()) {
		err_set(s->e, "interrupted");
		rc = -2;
	} else if (rc < 0) {
		err_set(s->e, "%s", p->why);
	} else if (graders_any(s->graders)) {
		rc = graders_put(s->graders, &p->r, s->e);
	} else if (put(s, &p->r, s->e) < 0) {
		rc = -2;
	}
	if (rc == 0 && s->rewards) {
		rewards_count(s->w[0], p->value);
		s->unanswered += p->unanswered;
		s->unverified += p->unverified;
	} else if (rc == -1) {
		rc = reader_bad(s->in, s->e);
	}
	free(p->why);
	p->why = NULL;
	judged_clear(&p->judged);
	if (p->r.raw.cap + p->r.fresh.cap > KEPT)
		record_free(&p->r);
	if (rc < 0)
		reader_stop(s->in);
	return rc;
}

/* No completion waits for others to be scored with it by models while the next line may take its time. */
static int flush_before_waiting(struct scoring *s, struct ordered *o, struct err *e)
{
	if (!graders_any(s->graders) || reader_ready(s->in))
		return 0;
	ordered_wait(o);
	return graders_flush(s->graders, e);
}

static void free_place(struct place *p)
{
	record_free(&p->r);
	judged_clear(&p->judged);
	free(p->value);
	free(p->why);
}

/* ---- models that are asked before a completion is scored: many at once, handed on in the input's order ---- */

static void ask(struct scoring *s, struct place *p)
{
	struct question q;
	struct err e;

	p->indexed = true;
	p->rc = record_index(&p->r, &e);
	if (p->rc == 0)
		p->rc = rewards_ask(s->w[s->threads], &p->r, &q, &e);
	if (p->rc > 0)
		p->rc = q.reference || !judge_needs_reference(s->judge) ? judge_add(s->judge, &p->r, &q, &p->judged, &e) : 0;
	if (p->rc < 0)
		p->why = xstrdup(e.msg);
}

static size_t weight(const struct place *p)
{
	size_t n = p->r.raw.n;
	int64_t i;

	for (i = 0; i < p->judged.votes; i++)
		n += p->judged.vote[i].n;
	return n;
}

/* Those at the ring's front that nobody is asked about any more. 0: the ordered end said to stop. */
static int hand_on(struct scoring *s, struct ordered *o)
{
	struct place *p, *to, t;

	for (; s->taken < s->begun; s->taken++) {
		p = &s->asked[s->taken % ASKED];
		if (p->judged.due)
			return 1;
		if (!(to = ordered_slot(o)))
			return 0;
		s->held -= p->r.raw.n;
		t = *to;
		*to = *p;
		*p = t;
		ordered_put(o, weight(to));
	}
	return 1;
}

/* As long as ordered_slot gives out places: 0 at the input's end, -1 and e where it cannot be read. */
static int score_asked(struct scoring *s, struct ordered *o, struct err *e)
{
	int rc = 1;

	while (hand_on(s, o)) {
		if (s->taken == s->begun && rc <= 0)
			return rc;
		/* Votes that are under way do not wait for a slow pipe. */
		while (rc > 0 && s->begun - s->taken < ASKED && s->held < WAITING_BYTES && judge_wants(s->judge) &&
		       (!judge_busy(s->judge) || reader_ready(s->in))) {
			struct place *p = &s->asked[s->begun % ASKED];

			if (!judge_busy(s->judge) && flush_before_waiting(s, o, e) < 0)
				return -1;
			rc = reader_line(s->in, &p->r, e);
			if (rc > 0) {
				s->held += p->r.raw.n;
				s->begun++;
				ask(s, p);
			}
		}
		if (judge_busy(s->judge) && (tool_interrupted() || judge_step(s->judge, e) < 0))
			return tool_interrupted() ? err_set(e, "interrupted") : -1;
	}
	return 0;
}

static int score_lines(struct scoring *s, struct ordered *o, struct err *e)
{
	struct place *p;
	int rc = 0;

	while ((p = ordered_slot(o)) && (rc = flush_before_waiting(s, o, e)) == 0 && (rc = reader_line(s->in, &p->r, e)) > 0)
		ordered_put(o, p->r.raw.n);
	return rc;
}

static int score_all(struct scoring *s, struct ordered *o)
{
	struct place *p;
	struct err bad;
	int rc = s->judge ? score_asked(s, o, &bad) : score_lines(s, o, &bad), end;
	size_t i;

	/* What came before a line that is bad or cannot be read comes before it still */
	end = ordered_end(o);
	if (end == 0 && rc < 0)
		*s->e = bad;
	if (end >= -1 && !tool_interrupted() && graders_flush(s->graders, s->e) < 0)
		end = -2;
	for (i = 0; (p = ordered_item(o, i)); i++)
		free_place(p);
	return end < 0 || rc < 0 ? -1 : 0;
}

static int score_files(struct tool *t, struct scoring *s, struct ordered *o, char **files, size_t n, const char *output)
{
	int rc;

	s->in = reader_open(files, n, t);
	s->out = writer_open(output, s->e);
	s->p = progress_new("scoring", 0, "completions");
	rc = s->out ? score_all(s, o) : (ordered_end(o), -1);
	progress_end(&s->p);
	reader_close(s->in);
	if (writer_close(s->out, rc < 0 ? NULL : s->e) < 0)
		return -1;
	return rc;
}

static void summary(const struct scoring *s)
{
	struct reward_mean mean[64];
	size_t i, n = rewards_means(s->w[0], mean, 64);
	struct buf b = {0};

	n = s->rewards ? n : 0;         /* models alone: the weighted sum is not theirs */
	n += graders_means(s->graders, mean + n, 64 - n);
	if (!n || !mean[0].count)
		return;
	for (i = 0; i < n; i++) {
		buf_printf(&b, "%s%s", i ? ", " : "", mean[i].name);
		if (mean[i].count)
			buf_printf(&b, " %.4f", mean[i].mean);
		if (mean[i].count != mean[0].count)
			buf_printf(&b, " (of %zu)", mean[i].count);
	}
	tool_note("%zu completion%s: %s", mean[0].count, mean[0].count == 1 ? "" : "s", b.p);
	if (s->unverified)
		tool_warn("no accuracy of %zu completion%s: there is no verifier for the type of the answer, which 'verdict' names", s->unverified,
			s->unverified == 1 ? "" : "s");
	if (2 * s->unanswered > mean[0].count)
		tool_note("no answer was found in %zu of them: extract= of accuracy says where to look (answer-is, last-number, ...)", s->unanswered);
	buf_free(&b);
}

/* The specs as given, or the usual ones, or none where models score; with a judge, its reward is one of them. -1: that cannot be. */
static int name_rewards(const struct opt_list *given, bool models, bool judge, struct opt_list *specs, struct err *e)
{
	static const char *const usual[] = {"accuracy", "format"};
	size_t n = given->n ? given->n : models ? 0 : 2, i;
	bool there = false;

	specs->item = xcalloc(n + 1, sizeof *specs->item);
	for (i = 0; i < n; i++) {
		specs->item[i] = given->n ? given->item[i] : usual[i];
		there |= spec_is(specs->item[i], "judge");
	}
	specs->n = n;
	if (there && !judge)
		return err_set(e, "'judge' needs --judge MODEL");
	if (judge && !there)
		specs->item[specs->n++] = "judge";
	return 0;
}

/* Each thread has rewards of its own: -1 where they are not to be had. */
static int open_rewards(struct scoring *s, const struct opt_list *specs, const char *sandbox)
{
	int i;

	s->rewards = specs->n;
	s->w = xcalloc((size_t)s->threads + 1, sizeof(struct rewards *));
	for (i = 0; i <= s->threads; i++) {
		s->w[i] = rewards_open(specs->item, specs->n, s->e);
		if (!s->w[i])
			return -1;
		rewards_programs(s->w[i], sandbox);
	}
	return 0;
}

struct options {
	struct opt_list given, models;
	const char *output, *sandbox, *value_model;
	const char *template;
	int64_t jobs;
	struct judge_params judge;      /* model NULL: none */
};

static int open_models(struct scoring *s, const struct tool *t, const struct options *o, struct err *e)
{
	size_t i;

	if (o->models.n || o->value_model) {
		s->be = backend_open(t->backend, (int)t->threads, e);
		if (!s->be)
			return -1;
	}
	s->graders = graders_new(s->be, o->template, put, s);
	for (i = 0; i < o->models.n; i++)
		if (graders_reward_model(s->graders, o->models.item[i], e) < 0)
			return err_prefix(e, "--reward-model");
	return o->value_model && graders_value_model(s->graders, o->value_model, e) < 0 ? err_prefix(e, "--value-model") : 0;
}

static int run(struct tool *t, const struct options *o, char **files, size_t n)
{
	struct err e;
	struct scoring s = {.e = &e, .asked = o->judge.model ? xcalloc(ASKED, sizeof(struct place)) : NULL};
	struct ordered_work fn = {score, take, &s};
	struct ordered *work = ordered_new((int)o->jobs, WAITING, WAITING_BYTES, sizeof(struct place), &fn);
	struct opt_list specs = {0};
	size_t k;
	int rc, i;

	s.threads = ordered_threads(work);
	if (name_rewards(&o->given, o->models.n || o->value_model, o->judge.model, &specs, &e) < 0 || open_rewards(&s, &specs, o->sandbox) < 0) {
		ordered_end(work);
		rc = tool_usage(t, "--reward: %s", e.msg);
	} else if (open_models(&s, t, o, &e) < 0 || (o->judge.model && !(s.judge = judge_open(&o->judge, &e)))) {
		ordered_end(work);
		rc = tool_fail(t, &e);
	} else if (score_files(t, &s, work, files, n, o->output) < 0) {
		rc = tool_fail(t, &e);
	} else {
		summary(&s);
		rc = tool_end(t);
	}
	judge_close(s.judge);
	graders_free(s.graders);
	backend_close(s.be);
	for (k = 0; s.asked && k < ASKED; k++)
		free_place(&s.asked[k]);
	for (i = 0; s.w && i <= s.threads; i++)
		rewards_close(s.w[i]);
	ordered_free(work);
	free(specs.item);
	free(s.asked);
	free(s.w);
	return rc;
}

/* Options of models that are not there; -1 or the exit code. */
static int check_models(const struct tool *t, const struct options *o, const struct opt *opts)
{
	static const char *const names[] = {"judge-template", "votes", "judge-temperature", "judge-tokens", "judge-name", "judge-key-file"};
	size_t i;

	for (i = 0; !o->judge.model && i < sizeof names / sizeof names[0]; i++)
		if (opt_given(opts, names[i]))
			return tool_usage(t, "--%s is of --judge, which is missing", names[i]);
	if (opt_given(opts, "template") && !o->models.n && !o->value_model && (!o->judge.model || remote_is_url(o->judge.model)))
		return tool_usage(t, "--template is of models that run here: none does");
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-reward", .usage = "[OPTION]... [FILE]...",
		.summary = "Score completions: accuracy, format and other rewards"};
	struct options o = {.template = "auto", .judge = {.template = "correct", .votes = 1, .max_tokens = 2048, .temperature = 0.6}};
	struct judge_params *j = &o.judge;
	struct opt opts[] = {
		{"reward", 'r', OPT_LIST, &o.given, "SPEC", "a reward and its weight; may be repeated [accuracy, format]"},
		{"sandbox", 0, OPT_STRING, &o.sandbox, "COMMAND", "what runs programs, with its options [r1-sandbox]"},
		{"jobs", 'j', OPT_INT, &o.jobs, "N", "completions scored at once; 0: one for each core", 0, 4096},
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there, not to stdout"},
		OPT_HEADING("Models that score"),
		{"reward-model", 0, OPT_LIST, &o.models, "SPEC", "add what a reward model gives, to what -r or the record says; may be repeated"},
		{"value-model", 0, OPT_STRING, &o.value_model, "DIR", "add `values`: what that model expects before each token"},
		{"template", 't', OPT_STRING, &o.template, "NAME", "how a question becomes the prompt of a model that runs here, as r1-sample's"},
		OPT_HEADING("Judge"),
		{"judge", 0, OPT_STRING, &j->model, "DIR|URL", "a model that is asked about answers, for the reward `judge`"},
		{"judge-template", 0, OPT_STRING, &j->template, "NAME", "what it is asked: correct, better, or a file"},
		{"votes", 0, OPT_INT, &j->votes, "N", "how often it is asked about each", 1, 1024},
		{"judge-temperature", 0, OPT_FLOAT, &j->temperature, "T", "softmax temperature; 0: greedy", 0, 1e6},
		{"judge-tokens", 0, OPT_INT, &j->max_tokens, "N", "longest vote, in tokens", 1, 1 << 30},
		{"judge-name", 0, OPT_STRING, &j->name, "NAME", "the model, as a server calls it [its only one]"},
		{"judge-key-file", 0, OPT_STRING, &j->key_file, "FILE", "a server's key is in FILE [in the environment: OPENAI_API_KEY]"},
		TOOL_OPTIONS_SEED(&t),
		TOOL_OPTIONS_COMPUTE(&t),
		TOOL_OPTIONS(&t),
		OPT_END};
	char *text = details();
	int rc;

	t.details = text;
	rc = tool_begin(&t, opts, &argc, &argv);
	j->chat = o.template;
	j->seed = t.seed;
	j->threads = t.threads;
	j->backend = t.backend;
	j->verbose = t.verbose;
	if (rc < 0)
		rc = check_models(&t, &o, opts);
	if (rc < 0)
		rc = run(&t, &o, argv, (size_t)argc);
	free(o.given.item);
	free(o.models.item);
	free(text);
	return rc;
}
