#include "model/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/human.h"
#include "base/rng.h"
#include "base/team.h"
#include "base/tool.h"
#include "model/lora.h"
#include "model/pass.h"
#include "model/replicas.h"

/* An adapter that is there must be of the rank that is asked for; otherwise one is put on the base. */
static int ask_for_adapter(struct trainer *t, const char *path, struct err *e)
{
	const struct trainer_args *a = t->args;
	double alpha = a->lora_alpha > 0 ? a->lora_alpha : 2 * (double)a->lora;

	if (!t->ck->base) {
		t->ck = checkpoint_new_adapter(t->ck, adapter_config_new(path, a->lora, alpha, a->lora_targets));
		t->state = (struct state){0};
		return 0;
	}
	if (t->ck->lora.rank != a->lora)
		return err_set(e, "%s: is an adapter of rank %lld, not %lld", path, (long long)t->ck->lora.rank, (long long)a->lora);
	if (a->lora_alpha > 0 && t->ck->lora.alpha != alpha)
		return err_set(e, "%s: is an adapter with alpha %g, not %g", path, t->ck->lora.alpha, alpha);
	return 0;
}

int trainer_check(const struct trainer_args *a, const char *model, const char *output, struct err *e)
{
	if (a->lora && output && !strcmp(model, output))
		return err_set(e, "--lora writes an adapter, for which its base must stay: name another folder by --output");
	if (!a->lora && (a->lora_alpha > 0 || strcmp(a->lora_targets, "all") != 0))
		return err_set(e, "--lora-%s is of --lora, which is missing", a->lora_alpha > 0 ? "alpha" : "targets");
	return 0;
}

int trainer_join(const struct trainer_args *a, const struct opt *opts, struct err *e)
{
	static const char *const own[] = {"model", "output", "threads", "quiet", "verbose", NULL};

	return team_join(e) < 0 || team_same(opt_hash(opts, own), "the options", e) < 0 ? -1 : team_agree(replicas_check(a->replicas, e), e);
}

static int open_here(struct trainer *t, const char *path, struct backend *be, const struct trainer_args *a, struct err *e)
{
	struct config *c;

	*t = (struct trainer){.args = a, .be = be, .tokens = a->tokens ? a->tokens : pass_tokens(be), .ck = checkpoint_open(path, e)};
	if (!t->ck || state_read(t->ck, &t->state, e) < 0)
		return -1;
	if (a->lora && ask_for_adapter(t, path, e) < 0)
		return -1;
	c = &t->ck->config;
	if (!a->scalar && c->scalar)
		return err_set(e, "%s: has a scalar head: it scores texts and predicts no tokens", path);
	if (a->scalar && t->ck->base)
		return err_set(e, "%s: a scalar head is not trained by a low-rank adapter", path);
	if (a->scalar)
		config_make_scalar(c);
	if (!t->ck->base && strcmp(a->dtype, "auto") != 0)
		snprintf(c->dtype, sizeof c->dtype, "%s", a->dtype);
	if (!t->ck->base && config_check_dtype(c, e) < 0)
		return err_prefix(e, "%s/config.json", path);
	t->model = model_from_checkpoint(t->ck, be, MODEL_TRAIN, model_dtype(a->dtype), e);
	if (!t->model)
		return -1;
	if (t->ck->base && !t->ck->adapter)
		lora_init(t->model, a->seed);
	return 0;
}

/* Of all that is read of it: folders may not be shared, or not yet the same on all machines. */
static uint64_t model_hash(const struct trainer *t)
{
	static const char *const name[] = {"config.json", CHECKPOINT_COMPANIONS};
	const struct checkpoint *ck = t->ck;
	uint64_t h = hash_mix(checkpoint_hash(ck), (uint64_t)t->state.step);
	struct err none;
	size_t i;

	for (i = 0; i < sizeof name / sizeof *name; i++) {
		const struct checkpoint_file *f = checkpoint_file(ck, name[i], &none);

		h = hash_mix(h, f ? hash_bytes(f->text, f->n) : 0);
	}
	return h;
}

int trainer_open(struct trainer *t, const char *path, struct backend *be, const struct trainer_args *a, struct err *e)
{
	if (team_agree(open_here(t, path, be, a, e), e) < 0)
		return -1;
	return team_size() > 1 ? team_same(model_hash(t), path, e) : 0;
}

int trainer_begin(struct trainer *t, bool resume, struct err *e)
{
	const struct trainer_args *a = t->args;
	struct optimizer_args oa = {.beta1 = a->beta1, .beta2 = a->beta2, .eps = a->eps, .weight_decay = a->weight_decay, .clip = a->max_grad_norm,
				    .half_moments = !strcmp(a->moments, "bfloat16"), .seed = a->seed};

	if (resume && !strcmp(a->moments, "auto") && optimizer_half_moments(t->ck, &oa.half_moments, e) < 0)
		return -1;
	t->optimizer = optimizer_new(model_trained(t->model), &oa);
	return resume ? optimizer_load(t->optimizer, t->ck, e) : 0;
}

/* What one process takes to be several replicas */
static double sum_bytes(const struct trainer *t)
{
	return t->args->replicas > 1 && team_size() == 1 ? 4.0 * (double)model_trained(t->model)->size : 0;
}

static void warn_machine(const struct trainer *t, int64_t tokens)
{
	const bool recompute = t->args->recompute;
	struct params *p = model_trained(t->model);
	double moment = t->optimizer ? (double)st_dtype_size(t->optimizer->dtype) : 4;
	double rest = (double)p->size * (4 + 4) + (double)p->owned * 2 * moment + sum_bytes(t) + (p == &t->model->params ? 0 : 2.0 * (double)t->model->params.size);
	double pass = (double)pass_measure(&t->ck->config, NULL, tokens, recompute ? PASS_RECOMPUTES : 0);
	double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

	if (pass + rest > all)
		tool_warn("a pass of %s tokens will take %.1f GiB beside the model's %.1f, and this machine has %.1f: lower --tokens%s", HUMAN_COUNT(tokens),
			  pass / 0x1p30, rest / 0x1p30, all / 0x1p30, recompute ? "" : " or add --recompute");
}

/* On a device everything but the passes' own memory is there by now: what is free is for them. */
static double device_pass(const struct trainer *t, int64_t tokens, bool recompute)
{
	return PASS_COPIES * (double)pass_measure(&t->ck->config, t->be, tokens, PASS_SCORES | (recompute ? PASS_RECOMPUTES : 0));
}

static void warn_device(const struct trainer *t, int64_t tokens)
{
	double pass = device_pass(t, tokens, t->args->recompute), room = fmax(0, (double)t->be->room(t->be) - sum_bytes(t)), less;
	struct buf advice = {0};

	if (pass <= room)
		return;
	less = t->args->recompute ? pass : device_pass(t, tokens, true);
	if (less > room)
		buf_printf(&advice, "%slower --tokens, to %s at most", less < pass ? "add --recompute and " : "",
			   HUMAN_COUNT((int64_t)(room / less * (double)tokens)));
	else
		buf_printf(&advice, "lower --tokens, to %s at most, or add --recompute (%.1f GiB)", HUMAN_COUNT((int64_t)(room / pass * (double)tokens)),
			   less / 0x1p30);
	tool_warn("needs %.1f GiB at %s tokens per micro-batch; %.1f free: %s", pass / 0x1p30, HUMAN_COUNT(tokens), room / 0x1p30, advice.p);
	buf_free(&advice);
}

void trainer_warn_memory(const struct trainer *t, int64_t all, int64_t longest)
{
	int64_t tokens = longest > t->tokens ? longest : t->tokens;

	tokens = all < tokens ? all : tokens;
	if (t->be->room)
		warn_device(t, tokens);
	else
		warn_machine(t, tokens);
}

static int write_adapter(const struct trainer *t, struct checkpoint_writer *w, struct err *e)
{
	struct buf text = {0};
	const char *const *module;
	size_t n;
	int rc;

	if (lora_check(t->model, e) < 0)
		return err_prefix(e, "%s", t->ck->path);
	module = lora_modules(t->model, &n);
	adapter_config_write(&t->ck->lora, module, n, t->ck->config.experts.count ? ".*\\.experts\\..*" : NULL, &text);
	rc = checkpoint_add_file(w, ADAPTER_CONFIG, text.p, text.n, e);
	buf_free(&text);
	return rc < 0 ? -1 : model_save(t->model, w, ADAPTER_WEIGHTS, 0, e);
}

static int write_all(const struct trainer *t, struct checkpoint_writer *w, struct err *e)
{
	int rc = checkpoint_add_companions(w, t->ck, e);

	if (rc == 0 && t->ck->base)
		rc = write_adapter(t, w, e);
	else if (rc == 0)
		rc = model_save(t->model, w, MODEL_WEIGHTS, (int64_t)(1e9 * t->args->shard_size), e);
	if (rc == 0)
		rc = optimizer_save(t->optimizer, w, e);
	return rc < 0 ? -1 : state_write(w, &t->state, t->run, t->since, e);
}

static int save_here(const struct trainer *t, const char *path, int (*also)(void *, struct checkpoint_writer *, struct err *), void *arg, struct err *e)
{
	struct checkpoint_writer *w = checkpoint_begin(path, e);

	if (!w)
		return -1;
	if (write_all(t, w, e) == 0 && (!also || also(arg, w, e) == 0))
		return checkpoint_commit(w, e);
	checkpoint_abandon(w);
	return -1;
}

int trainer_save(const struct trainer *t, const char *path, int (*also)(void *arg, struct checkpoint_writer *w, struct err *e), void *arg, struct err *e)
{
	return team_agree(team_rank() == 0 ? save_here(t, path, also, arg, e) : optimizer_save(t->optimizer, NULL, e), e);
}

void trainer_close(struct trainer *t)
{
	optimizer_free(t->optimizer);
	model_free(t->model);
	checkpoint_close(t->ck);
	*t = (struct trainer){0};
}
