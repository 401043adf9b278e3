/* r1-model - make, describe, compare, merge, pack and unpack checkpoints */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/tool.h"
#include "model/compare.h"
#include "model/merge.h"
#include "model/model.h"
#include "model/summary.h"
#include "model/trainer.h"
#include "record/archive.h"
#include "record/emit.h"

#define PIECE ((int64_t)1 << 20)        /* numbers made and written at a time */

struct options {
	const char *config, *adapter, *tokenizer, *dtype, *output;
	int64_t length, sequences, level;
	double shard_size;
	bool json, stats, force, optimizer;
	const struct tool *tool;
};

struct command {
	const char *name;
	int least, most;                /* arguments */
	bool output;                    /* needs --output */
	const char *takes;              /* options beside the common ones, each with a blank behind it */
	int (*run)(const struct options *o, int n, char **arg, struct err *e);         /* exit code, or -1 and e */
};

/* ---- numbers for people ---- */

static const char *format_size(char to[32], double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t u = 0;

	while (bytes >= 1024 && u + 1 < sizeof units / sizeof *units)
		bytes /= 1024, u++;
	snprintf(to, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
	return to;
}

static const char *format_count(char to[32], int64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n), i, at = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			to[at++] = ',';
		to[at++] = digits[i];
	}
	to[at] = 0;
	return to;
}

#define SIZE(bytes) format_size((char[32]){0}, (double)(bytes))
#define COUNT(n) format_count((char[32]){0}, n)

static void format_shape(struct buf *to, const int64_t *shape, int ndim)
{
	int i;

	buf_char(to, '[');
	for (i = 0; i < ndim; i++)
		buf_printf(to, "%s%lld", i ? ", " : "", (long long)shape[i]);
	buf_char(to, ']');
}

static void json_key(struct buf *b, const char *key)
{
	if (b->p[b->n - 1] != '{')
		buf_char(b, ',');
	emit_string(b, key, strlen(key));
	buf_char(b, ':');
}

static void json_int(struct buf *b, const char *key, int64_t n)
{
	json_key(b, key);
	emit_int(b, n);
}

static void json_number(struct buf *b, const char *key, double x)
{
	json_key(b, key);
	emit_number(b, x);
}

static void json_bool(struct buf *b, const char *key, bool x)
{
	json_key(b, key);
	buf_str(b, x ? "true" : "false");
}

static void json_string(struct buf *b, const char *key, const char *s)
{
	json_key(b, key);
	if (s)
		emit_string(b, s, strlen(s));
	else
		buf_str(b, "null");
}

static void print_line(struct buf *b)
{
	puts(b->p);
	buf_clear(b);
}

/* ---- new ---- */

static int add_tokenizer_file(struct checkpoint_writer *w, const char *path, const char *name, const struct config *c, struct err *e)
{
	struct buf text = {0};
	int64_t tokens = 0;
	int rc = file_read(path, &text, e);

	if (rc == 0 && !strcmp(name, "tokenizer.json")) {
		rc = summary_count_tokens(text.p, text.n, path, &tokens, e);
		if (rc == 0 && tokens > c->vocab_size)
			rc = err_set(e, "%s: has %lld tokens, but the configuration's 'vocab_size' is %lld", path, (long long)tokens,
				     (long long)c->vocab_size);
	}
	if (rc == 0)
		rc = checkpoint_add_file(w, name, text.p, text.n, e);
	buf_free(&text);
	return rc;
}

/* A file is the tokenizer.json; of a folder, all that goes with a model is taken. */
static int add_tokenizer(struct checkpoint_writer *w, const char *path, const struct config *c, struct err *e)
{
	static const char *const names[] = {CHECKPOINT_COMPANIONS};
	size_t i;
	int rc = 0;

	if (!file_is_dir(path))
		return add_tokenizer_file(w, path, "tokenizer.json", c, e);
	for (i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
		char *file = file_join(path, names[i]);

		if (file_exists(file))
			rc = add_tokenizer_file(w, file, names[i], c, e);
		else if (!strcmp(names[i], "tokenizer.json"))
			rc = err_errno(e, "%s", file);
		free(file);
	}
	return rc;
}

struct making {
	const struct model *m;
	const struct part *part;
	uint64_t seed;
	int64_t from;
	float *w;
};

static void make_numbers(void *arg, int64_t from, int64_t to, int worker)
{
	struct making *k = arg;

	(void)worker;
	model_init_part(k->m, k->part, k->seed, k->from + from, to - from, k->w + from);
}

static int write_weights(struct checkpoint_writer *w, const struct model *m, enum st_dtype dtype, const struct options *o, struct err *e)
{
	struct safetensors_writer *s = checkpoint_add_tensors(w, "model.safetensors", e);
	struct progress p = progress_new("making", o->tool->quiet ? 0 : m->params.count, "numbers");
	struct making k = {.m = m, .seed = o->tool->seed};
	struct pool *pool;
	int64_t done = 0;
	size_t i;

	if (!s)
		return -1;
	safetensors_shard(s, (int64_t)(1e9 * o->shard_size));
	params_declare(&m->params, s, "", dtype);
	pool = pool_new((int)o->tool->threads);
	k.w = xmalloc((size_t)PIECE * sizeof *k.w);
	for (i = 0; i < m->params.parts && !tool_interrupted(); i++) {
		int64_t n = part_count(&m->params.part[i]), piece;

		k.part = &m->params.part[i];
		for (k.from = 0; k.from < n && !tool_interrupted(); k.from += piece) {
			piece = n - k.from < PIECE ? n - k.from : PIECE;
			pool_run(pool, piece, 1 << 14, make_numbers, &k);
			safetensors_write(s, k.w, piece);
			done += piece;
			if (!o->tool->quiet)
				progress_set(&p, done, 0);
		}
	}
	progress_end(&p);
	free(k.w);
	pool_free(pool);
	if (!tool_interrupted())
		return safetensors_finish(s, e);
	safetensors_discard(s);
	return err_set(e, "interrupted");
}

static bool may_write(const struct options *o, struct err *e)
{
	if (!file_exists(o->output) || o->force)
		return true;
	err_set(e, "%s: is there already (--force replaces a checkpoint)", o->output);
	return false;
}

static int write_new(struct config *c, const struct options *o, struct err *e)
{
	enum st_dtype dtype = !strcmp(c->dtype, "bfloat16") ? ST_BF16 : !strcmp(c->dtype, "float16") ? ST_F16 : ST_F32;
	struct model *m = model_new(c, NULL, MODEL_SCORE, DTYPE_AUTO, e);
	struct checkpoint_writer *w;
	int rc;

	if (!m)
		return err_prefix(e, "%s", o->config);
	w = checkpoint_begin(o->output, e);
	rc = w ? checkpoint_add_config(w, c, e) : -1;
	if (rc == 0 && o->tokenizer)
		rc = add_tokenizer(w, o->tokenizer, c, e);
	if (rc == 0)
		rc = write_weights(w, m, dtype, o, e);
	if (rc == 0)
		rc = checkpoint_commit(w, e);
	else
		checkpoint_abandon(w);
	if (rc == 0)
		tool_note("%s: %s parameters, %s", o->output, COUNT(m->params.count), SIZE((double)m->params.count * (double)st_dtype_size(dtype)));
	model_free(m);
	return rc;
}

static int run_new(const struct options *o, int n, char **arg, struct err *e)
{
	struct config c;
	int rc;

	(void)n, (void)arg;
	if (!o->config)
		return tool_usage(o->tool, "'new' needs --config");
	if (!may_write(o, e))
		return -1;
	rc = config_read(&c, o->config, e);
	if (rc == 0 && o->dtype)
		snprintf(c.dtype, sizeof c.dtype, "%s", o->dtype);
	if (rc == 0)
		rc = write_new(&c, o, e);
	config_free(&c);
	return rc;
}

/* ---- info ---- */

static void info_json(const struct summary *s, struct buf *b)
{
	const struct memory *k = &s->memory;
	const struct config *c = &s->config;
	int i;

	buf_char(b, '{');
	json_string(b, "model", s->path);
	json_string(b, "model_type", c->model_type);
	json_int(b, "parameters", s->shapes->params.count);
	json_int(b, "active_parameters", model_active(s->shapes));
	json_int(b, "embedding_parameters", s->head);
	if (s->adapter)
		json_int(b, "adapter_parameters", s->adapter);
	json_string(b, "dtype", s->dtype);
	json_int(b, "bytes", s->bytes);
	json_int(b, "num_hidden_layers", c->layers);
	json_int(b, "hidden_size", c->hidden_size);
	json_int(b, "num_attention_heads", c->heads);
	json_int(b, "num_key_value_heads", c->kv_heads);
	json_int(b, "head_dim", c->head_dim);
	json_int(b, "intermediate_size", c->intermediate_size);
	json_int(b, "vocab_size", c->vocab_size);
	json_bool(b, "tie_word_embeddings", c->tie_word_embeddings);
	json_int(b, "max_position_embeddings", c->max_positions);
	json_number(b, "rms_norm_eps", c->rms_norm_eps);
	json_number(b, "rope_theta", c->rope_theta);
	json_key(b, "eos_token_id");
	for (i = 0; i < c->eos_count; i++)
		buf_printf(b, "%s%d", i ? "," : "[", (int)c->eos[i]);
	buf_str(b, i ? "]" : "[]");
	json_int(b, "tokenizer_tokens", s->tokens);
	json_bool(b, "chat_template", s->template);
	json_bool(b, "optimizer", s->optimizer);
	json_int(b, "step", s->state.step);
	json_int(b, "num_tokens", s->state.tokens);
	json_key(b, "memory");
	buf_char(b, '{');
	json_int(b, "length", k->length);
	json_int(b, "sequences", k->sequences);
	json_int(b, "sampler", k->sampler);
	json_int(b, "cache_per_token", k->cache_per_token);
	json_int(b, "sampling", k->sampling);
	json_int(b, "trainer", k->trainer);
	json_int(b, "activations", k->activations);
	json_int(b, "training", k->training);
	buf_str(b, "}}");
}

static void info_weights(const struct summary *s)
{
	const struct config *c = &s->config;
	int64_t n = s->shapes->params.count;
	int i;

	printf("  family       %s%s\n", c->model_type, c->tie_word_embeddings ? ", head tied to the embedding" : "");
	printf("  parameters   %s, of which %s in the embedding%s\n", COUNT(n), COUNT(s->head), c->tie_word_embeddings ? "" : " and the head");
	if (c->experts.count)
		printf("  active       %s for a token: %lld of %lld experts in %lld of the layers\n", COUNT(model_active(s->shapes)), (long long)c->experts.top,
		       (long long)c->experts.count, (long long)(c->layers - c->experts.dense_layers));
	printf("  shape        %lld layer%s, width %s, ", (long long)c->layers, c->layers == 1 ? "" : "s", COUNT(c->hidden_size));
	if (c->latent.kv_rank)
		printf("%lld heads of %lld and %lld rotated, values of %lld, latent of %lld", (long long)c->heads, (long long)c->latent.nope,
		       (long long)c->latent.rope, (long long)c->latent.value, (long long)c->latent.kv_rank);
	else
		printf("%lld query and %lld key/value heads of %lld", (long long)c->heads, (long long)c->kv_heads, (long long)c->head_dim);
	printf(", feed-forward %s\n", COUNT(c->intermediate_size));
	printf("  context      %s tokens\n", COUNT(c->max_positions));
	printf("  vocabulary   %s", COUNT(c->vocab_size));
	if (s->tokens)
		printf(" (%s in the tokenizer)", COUNT(s->tokens));
	for (i = 0; i < c->eos_count; i++)
		printf("%s%d", i ? ", " : "; ends with ", (int)c->eos[i]);
	putchar('\n');
	if (!s->ck)
		return;
	if (s->ck->base)
		printf("  adapter      LoRA of rank %lld, alpha %g, on %s: %s parameters\n", (long long)s->ck->lora.rank, s->ck->lora.alpha,
		       s->ck->base->path, COUNT(s->adapter));
	printf("  weights      %s, %s\n", s->dtype ? s->dtype : "none", SIZE(s->bytes));
	if (s->unused)
		printf("  unused       %zu tensor%s, the first is '%s'\n", s->unused, s->unused == 1 ? "" : "s", s->first_unused);
	printf("  with it      %s%s%s\n", s->tokens ? "tokenizer" : "no tokenizer", s->template ? ", chat template" : "",
	       s->optimizer ? ", optimizer's state" : "");
	if (s->state.step)
		printf("  trained      %s steps, %s tokens\n", COUNT(s->state.step), COUNT(s->state.tokens));
}

static void info_memory(const struct memory *k)
{
	printf("  to sample    %s: weights %s, cache %s for %s sequence%s of %s tokens (%s a token)\n", SIZE(k->sampling), SIZE(k->sampler),
	       SIZE(k->cache), COUNT(k->sequences), k->sequences == 1 ? "" : "s", COUNT(k->length), SIZE(k->cache_per_token));
	printf("  to train     %s: weights, gradients and AdamW %s, activations %s for %s tokens at once\n", SIZE(k->training),
	       SIZE(k->trainer), SIZE(k->activations), COUNT(k->length));
}

static int run_info(const struct options *o, int n, char **arg, struct err *e)
{
	struct buf b = {0};
	int i, rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		struct summary s;

		rc = summary_read(&s, arg[i], o->length, o->sequences, e);
		if (rc == 0 && o->json) {
			info_json(&s, &b);
			print_line(&b);
		} else if (rc == 0) {
			printf("%s%s\n", i ? "\n" : "", arg[i]);
			info_weights(&s);
			info_memory(&s.memory);
		}
		summary_free(&s);
	}
	buf_free(&b);
	return rc;
}

/* ---- a checkpoint, or a file of tensors alone ---- */

struct side {
	struct checkpoint *ck;
	struct safetensors *file, *optimizer;
	const struct safetensors *weights;
};

static int side_open(struct side *s, const char *path, struct err *e)
{
	static const char suffix[] = ".safetensors";
	size_t n = strlen(path), k = strlen(suffix);

	*s = (struct side){0};
	if (n > k && !strcmp(path + n - k, suffix)) {
		s->weights = s->file = safetensors_open(path, e);
		return s->file ? 0 : -1;
	}
	s->ck = checkpoint_open(path, e);
	if (!s->ck)
		return -1;
	s->weights = s->ck->base ? s->ck->adapter : s->ck->weights;
	e->msg[0] = 0;
	s->optimizer = checkpoint_tensors(s->ck, "optimizer/optimizer.safetensors", e);
	return !s->optimizer && e->msg[0] ? -1 : 0;
}

static void side_close(struct side *s)
{
	safetensors_close(s->optimizer);
	safetensors_close(s->file);
	checkpoint_close(s->ck);
}

/* ---- diff ---- */

struct diffing {
	const struct options *o;
	const char *prefix;             /* of the tensors' names: "", "optimizer/" */
	struct buf line;
	int64_t tensors, differ, others;        /* others: settings and files that do */
	double largest;
	char *where;                    /* the largest difference */
};

static const char *const kind_names[] = {
	[DIFFERENCE_VALUES] = "values", [DIFFERENCE_BYTES] = "bytes", [DIFFERENCE_SHAPE] = "shape", [DIFFERENCE_ONLY_A] = "only in the first",
	[DIFFERENCE_ONLY_B] = "only in the second",
};

static void diff_tensor_json(struct diffing *k, const struct difference *d, const char *name)
{
	struct buf *b = &k->line;

	buf_char(b, '{');
	json_string(b, "tensor", name);
	json_string(b, "difference", kind_names[d->kind]);
	if (d->kind == DIFFERENCE_VALUES) {
		json_int(b, "count", d->a->count);
		json_int(b, "differ", d->differ);
		json_number(b, "max_abs", d->max_abs);
		json_number(b, "relative", d->relative);
	}
	buf_char(b, '}');
	print_line(b);
}

static void diff_tensor_text(struct diffing *k, const struct difference *d, const char *name)
{
	struct buf *b = &k->line;

	buf_printf(b, "%s: ", name);
	if (d->a && d->b && d->a->dtype != d->b->dtype)
		buf_printf(b, "%s and %s, ", st_dtype_name(d->a->dtype), st_dtype_name(d->b->dtype));
	if (d->kind == DIFFERENCE_VALUES && !d->differ) {
		buf_str(b, "equal numbers");
	} else if (d->kind == DIFFERENCE_VALUES) {
		buf_printf(b, "%s of %s numbers differ, by %.3g at most, %.3g relative", COUNT(d->differ), COUNT(d->a->count), d->max_abs, d->relative);
	} else if (d->kind == DIFFERENCE_SHAPE) {
		buf_str(b, "shapes ");
		format_shape(b, d->a->shape, d->a->ndim);
		buf_str(b, " and ");
		format_shape(b, d->b->shape, d->b->ndim);
	} else {
		buf_str(b, d->kind == DIFFERENCE_BYTES ? "bytes differ" : kind_names[d->kind]);
	}
	print_line(b);
}

static void diff_tensor(void *arg, const struct difference *d)
{
	struct diffing *k = arg;
	char *name;

	k->tensors++;
	if (d->kind == DIFFERENCE_NONE)
		return;
	name = xasprintf("%s%s", k->prefix, d->name);
	(k->o->json ? diff_tensor_json : diff_tensor_text)(k, d, name);
	k->differ++;
	if (d->differ && (!k->where || isnan(d->max_abs) || d->max_abs > k->largest)) {
		free(k->where);
		k->where = name;
		k->largest = d->max_abs;
		return;
	}
	free(name);
}

/* A setting of config.json, or a whole file. Texts are JSON, or NULL where there is none. */
static void diff_other(struct diffing *k, const char *file, const char *setting, const char *a, const char *b)
{
	struct buf *line = &k->line;

	k->others++;
	if (k->o->json) {
		buf_char(line, '{');
		json_string(line, "file", file);
		if (setting) {
			json_string(line, "setting", setting);
			json_key(line, "first");
			buf_str(line, a ? a : "null");
			json_key(line, "second");
			buf_str(line, b ? b : "null");
		} else {
			json_string(line, "difference", !a ? kind_names[DIFFERENCE_ONLY_B] : !b ? kind_names[DIFFERENCE_ONLY_A] : "bytes");
		}
		buf_char(line, '}');
	} else if (setting) {
		buf_printf(line, "%s: %s: %s and %s", file, setting, a ? a : "nothing", b ? b : "nothing");
	} else {
		buf_printf(line, "%s: %s", file, !a ? kind_names[DIFFERENCE_ONLY_B] : !b ? kind_names[DIFFERENCE_ONLY_A] : "bytes differ");
	}
	print_line(line);
}

static void diff_setting(struct diffing *k, const char *key, const struct js *a, const struct js *b)
{
	struct buf x = {0}, y = {0};

	if (a)
		js_write(a, 0, &x);
	if (b)
		js_write(b, 0, &y);
	if (js_is_number(a) && js_is_number(b) ? js_number(a) != js_number(b) : !a || !b || strcmp(x.p, y.p) != 0)
		diff_other(k, "config.json", key, x.p, y.p);
	buf_free(&x);
	buf_free(&y);
}

static void diff_configs(struct diffing *k, const struct js *a, const struct js *b)
{
	struct js_iter it;

	for (it = js_each(a); js_next(&it);)
		diff_setting(k, it.key, it.value, js_get(b, it.key));
	for (it = js_each(b); js_next(&it);)
		if (!js_get(a, it.key))
			diff_setting(k, it.key, NULL, it.value);
}

static int diff_files(struct diffing *k, const struct checkpoint *a, const struct checkpoint *b, struct err *e)
{
	static const char *const names[] = {CHECKPOINT_COMPANIONS, "state.json", "optimizer/state.json"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		const struct checkpoint_file *x, *y;

		e->msg[0] = 0;
		x = checkpoint_file(a, names[i], e);
		if (!x && e->msg[0])
			return -1;
		y = checkpoint_file(b, names[i], e);
		if (!y && e->msg[0])
			return -1;
		if (x ? !y || x->n != y->n || memcmp(x->text, y->text, x->n) != 0 : y != NULL)
			diff_other(k, names[i], NULL, x ? x->text : NULL, y ? y->text : NULL);
	}
	return 0;
}

static int diff_sides(struct diffing *k, const struct side *a, const struct side *b, struct err *e)
{
	struct safetensors *none = safetensors_new();

	if (a->ck && b->ck) {
		diff_configs(k, a->ck->config.json, b->ck->config.json);
		if (diff_files(k, a->ck, b->ck, e) < 0) {
			safetensors_close(none);
			return -1;
		}
	}
	k->prefix = "";
	compare_tensors(a->weights, b->weights, diff_tensor, k);
	k->prefix = "optimizer/";
	if (a->ck && b->ck && (a->optimizer || b->optimizer))
		compare_tensors(a->optimizer ? a->optimizer : none, b->optimizer ? b->optimizer : none, diff_tensor, k);
	safetensors_close(none);
	if (!k->o->json && k->differ) {
		printf("%s of %s tensors differ", COUNT(k->differ), COUNT(k->tensors));
		if (k->where)
			printf(", most in %s", k->where);
		putchar('\n');
	}
	return k->differ || k->others ? 1 : 0;
}

static int run_diff(const struct options *o, int n, char **arg, struct err *e)
{
	struct diffing k = {.o = o};
	struct side a = {0}, b = {0};
	int rc = -1;

	(void)n;
	if (side_open(&a, arg[0], e) == 0 && side_open(&b, arg[1], e) == 0)
		rc = diff_sides(&k, &a, &b, e);
	side_close(&a);
	side_close(&b);
	buf_free(&k.line);
	free(k.where);
	if (rc >= 0)
		return rc;
	tool_fail(o->tool, e);          /* 1 says that they differ: trouble is 2, as with diff(1) */
	return 2;
}

/* ---- list ---- */

struct statistics {
	double mean, std, min, max;     /* of the finite numbers */
	int64_t wild;                   /* numbers that are NaN or infinite */
};

static int measure(const struct safetensors *s, const struct st_tensor *t, struct statistics *to, struct err *e)
{
	float *x = xmalloc((size_t)PIECE * sizeof *x);
	double sum = 0, squares = 0;
	int64_t at, n, i;
	int rc = 0;

	*to = (struct statistics){.min = INFINITY, .max = -INFINITY};
	for (at = 0; rc == 0 && at < t->count; at += n) {
		n = t->count - at < PIECE ? t->count - at : PIECE;
		rc = safetensors_floats(s, t, at, n, x, e);
		for (i = 0; rc == 0 && i < n; i++) {
			if (!isfinite(x[i])) {
				to->wild++;
				continue;
			}
			sum += (double)x[i];
			squares += (double)x[i] * (double)x[i];
			to->min = (double)x[i] < to->min ? (double)x[i] : to->min;
			to->max = (double)x[i] > to->max ? (double)x[i] : to->max;
		}
	}
	free(x);
	n = t->count - to->wild;
	to->mean = sum / (double)n;
	to->std = sqrt(fmax(0, squares / (double)n - to->mean * to->mean));
	return rc;
}

static int list_tensor(const struct options *o, const struct safetensors *s, const struct st_tensor *t, const char *prefix, struct buf *b,
		       struct err *e)
{
	struct statistics x = {0};
	int i;

	if (o->stats && measure(s, t, &x, e) < 0)
		return -1;
	if (o->json) {
		char *name = xasprintf("%s%s", prefix, t->name);

		buf_char(b, '{');
		json_string(b, "tensor", name);
		json_string(b, "dtype", st_dtype_name(t->dtype));
		json_key(b, "shape");
		buf_char(b, '[');
		for (i = 0; i < t->ndim; i++)
			buf_printf(b, "%s%lld", i ? "," : "", (long long)t->shape[i]);
		buf_char(b, ']');
		if (o->stats) {
			json_number(b, "mean", x.mean);
			json_number(b, "std", x.std);
			json_number(b, "min", x.min);
			json_number(b, "max", x.max);
			json_int(b, "not_finite", x.wild);
		}
		buf_char(b, '}');
		free(name);
	} else {
		buf_printf(b, "%s%s  %s ", prefix, t->name, st_dtype_name(t->dtype));
		format_shape(b, t->shape, t->ndim);
		if (o->stats)
			buf_printf(b, "  mean %.3g, std %.3g, from %.3g to %.3g", x.mean, x.std, x.min, x.max);
		if (o->stats && x.wild)
			buf_printf(b, ", %s not finite", COUNT(x.wild));
	}
	print_line(b);
	return 0;
}

static int run_list(const struct options *o, int n, char **arg, struct err *e)
{
	struct buf b = {0};
	struct side s;
	size_t i;
	int rc = side_open(&s, arg[0], e);

	(void)n;
	for (i = 0; rc == 0 && i < s.weights->n; i++)
		rc = list_tensor(o, s.weights, &s.weights->tensor[i], "", &b, e);
	for (i = 0; rc == 0 && s.optimizer && i < s.optimizer->n; i++)
		rc = list_tensor(o, s.optimizer, &s.optimizer->tensor[i], "optimizer/", &b, e);
	side_close(&s);
	buf_free(&b);
	return rc;
}

/* ---- merge ---- */

static int run_merge(const struct options *o, int n, char **arg, struct err *e)
{
	struct backend *be = NULL;
	struct checkpoint *ck;
	struct checkpoint_writer *w;
	int rc = -1;

	(void)n;
	if (!may_write(o, e))
		return -1;
	ck = o->adapter ? checkpoint_open_adapter(o->adapter, arg[0], e) : checkpoint_open(arg[0], e);
	if (!ck)
		return -1;
	w = NULL;
	if (!ck->base)
		err_set(e, "%s: is no adapter; with its base, name it by --adapter", arg[0]);
	else if ((be = backend_open("cpu", (int)o->tool->threads, e)) && (w = checkpoint_begin(o->output, e)))
		rc = model_merge(ck, be, o->dtype, (int64_t)(1e9 * o->shard_size), w, e);
	if (w && rc == 0)
		rc = checkpoint_commit(w, e);
	else
		checkpoint_abandon(w);
	checkpoint_close(ck);
	backend_close(be);
	return rc;
}

/* ---- pack and unpack ---- */

static bool for_use(const char *name)
{
	return strncmp(name, "optimizer/", 10) != 0 && strncmp(name, "reference/", 10) != 0 && strcmp(name, "state.json") != 0;
}

static int run_pack(const struct options *o, int n, char **arg, struct err *e)
{
	struct checkpoint *ck;

	(void)n;
	if (!file_is_dir(arg[0]))
		return err_set(e, "%s: not a folder", arg[0]);
	ck = checkpoint_open(arg[0], e);        /* what cannot be read is not worth packing */
	if (!ck)
		return -1;
	checkpoint_close(ck);
	return archive_pack(arg[0], o->output, (int)o->level, o->optimizer ? NULL : for_use, e);
}

/* An archive may hold the checkpoint's folder instead of what is in it: takes the name off. */
static int hoist(const char *staged, struct err *e)
{
	char *config = file_join(staged, "config.json"), *aside = xasprintf("%s.in", staged), *inner = NULL;
	struct dirent **list = NULL;
	int n, i, rc = 0;

	if (!file_exists(config)) {
		n = scandir(staged, &list, NULL, NULL);
		for (i = 0; i < n; i++) {
			if (n == 3 && strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
				inner = file_join(staged, list[i]->d_name);
			free(list[i]);
		}
		free(list);
	}
	if (inner && file_is_dir(inner)) {
		if (rename(inner, aside) < 0 || rmdir(staged) < 0 || rename(aside, staged) < 0)
			rc = err_errno(e, "%s", staged);
		else
			rc = hoist(staged, e);
	}
	free(inner);
	free(config);
	free(aside);
	return rc;
}

static int run_unpack(const struct options *o, int n, char **arg, struct err *e)
{
	struct checkpoint_writer *w;
	struct checkpoint *ck;
	struct err why;

	(void)n;
	if (!may_write(o, e))
		return -1;
	w = checkpoint_begin(o->output, e);
	if (!w)
		return -1;
	if (archive_unpack(arg[0], checkpoint_staged(w), e) < 0 || hoist(checkpoint_staged(w), e) < 0) {
		checkpoint_abandon(w);
		return -1;
	}
	ck = checkpoint_open(checkpoint_staged(w), &why);
	if (!ck) {
		size_t aside = strlen(checkpoint_staged(w));    /* the message begins with it, and nobody knows it */

		err_set(e, "%s%s", arg[0], why.msg + (strncmp(why.msg, checkpoint_staged(w), aside) ? 0 : aside));
		checkpoint_abandon(w);
		return -1;
	}
	checkpoint_close(ck);
	return checkpoint_commit(w, e);
}

/* ---- commands ---- */

static const struct command commands[] = {
	{"new", 0, 0, true, "config tokenizer dtype shard-size seed threads force output ", run_new},
	{"info", 1, 1 << 20, false, "json length sequences ", run_info},
	{"list", 1, 1, false, "json stats ", run_list},
	{"diff", 2, 2, false, "json ", run_diff},
	{"merge", 1, 1, true, "adapter dtype shard-size threads force output ", run_merge},
	{"pack", 1, 1, true, "output level optimizer ", run_pack},
	{"unpack", 1, 1, true, "output force ", run_unpack},
};

static const char details[] =
	"Commands:\n"
	"  new --config FILE -o DIR      a model with random weights\n"
	"  info MODEL...                 family, size, context, memory that it needs\n"
	"  list MODEL                    its tensors\n"
	"  diff MODEL MODEL              where two differ; 0: nowhere, 1: they do, 2: trouble\n"
	"  merge MODEL -o DIR            a model of an adapter (or --adapter) and its base\n"
	"  pack DIR -o FILE              an archive of it: .tar, .tar.zst, .tar.gz, .tar.xz, .tar.bz2, .zip\n"
	"  unpack FILE -o DIR            a folder of an archive\n"
	"A MODEL is a folder or an archive; for list and diff also a .safetensors file, for info a config.json.";

static int check_usage(const struct tool *t, const struct command *c, const struct opt *opts, const struct options *o, int n)
{
	for (; opts->type != OPT_TYPE_END; opts++) {
		const char *at = opts->given ? strstr(c->takes, opts->name) : c->takes;

		if (opts->given && strcmp(opts->name, "quiet") != 0 && strcmp(opts->name, "verbose") != 0 &&
		    (!at || at[strlen(opts->name)] != ' '))
			return tool_usage(t, "option '--%s' means nothing to '%s'", opts->name, c->name);
	}
	if (n < c->least)
		return tool_usage(t, "'%s' needs %s", c->name, c->least == 2 ? "two models" : "a name");
	if (n > c->most)
		return tool_usage(t, "'%s' has too many arguments", c->name);
	if (c->output && !o->output)
		return tool_usage(t, "'%s' needs --output", c->name);
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-model", .usage = "COMMAND [OPTION]... [ARGUMENT]...",
			 .summary = "Make, describe, compare, merge, pack and unpack checkpoints", .details = details};
	struct options o = {.sequences = 16, .shard_size = MODEL_SHARD_GB, .optimizer = true, .tool = &t};
	struct opt opts[] = {
		OPT_HEADING("new, merge"),
		{"config", 'c', OPT_STRING, &o.config, "FILE", "config.json that says the family and the sizes"},
		{"tokenizer", 't', OPT_STRING, &o.tokenizer, "FILE", "tokenizer.json, or a folder whose tokenizer and template are taken"},
		{"dtype", 0, OPT_CHOICE, &o.dtype, "float32|bfloat16|float16", "what weights are stored as, if not the config's torch_dtype"},
		TRAINER_SHARD_SIZE(&o.shard_size),
		{"adapter", 0, OPT_STRING, &o.adapter, "DIR", "adapter whose base is the model (merge)"},
		TOOL_OPTIONS_SEED(&t),
		{"threads", 0, OPT_INT, &t.threads, "N", "threads to compute with; 0: one for each core", 0, 4096},
		OPT_HEADING("new, merge, pack, unpack"),
		{"output", 'o', OPT_STRING, &o.output, "PATH", "what is to be written"},
		{"force", 'f', OPT_FLAG, &o.force, NULL, "replace a checkpoint that is there"},
		{"optimizer", 0, OPT_FLAG, &o.optimizer, NULL, "pack what only training needs, too"},
		{"level", 0, OPT_INT, &o.level, "N", "compression; 0: the format's usual one", 0, 22},
		OPT_HEADING("info, list, diff"),
		{"json", 0, OPT_FLAG, &o.json, NULL, "one JSON object a line instead of text"},
		{"length", 'l', OPT_INT, &o.length, "TOKENS", "memory for sequences of that many; 0: the context, up to 4096", 0, 1 << 30},
		{"sequences", 'n', OPT_INT, &o.sequences, "N", "memory to sample so many at once", 1, 1 << 20},
		{"stats", 0, OPT_FLAG, &o.stats, NULL, "mean, deviation and range of each tensor (list)"},
		OPT_HEADING("Common"),
		{"quiet", 'q', OPT_FLAG, &t.quiet, NULL, "no progress and no summary"},
		OPT_END};
	const struct command *c = commands, *end = commands + sizeof commands / sizeof *commands;
	int rc = tool_begin(&t, opts, &argc, &argv), code;
	struct err e = {""};

	if (rc >= 0)
		return rc;
	if (!argc)
		return tool_usage(&t, "no command");
	while (c < end && strcmp(c->name, argv[0]) != 0)
		c++;
	if (c == end)
		return tool_usage(&t, "unknown command '%s'", argv[0]);
	rc = check_usage(&t, c, opts, &o, argc - 1);
	if (rc)
		return rc;
	rc = c->run(&o, argc - 1, argv + 1, &e);
	if (rc < 0)
		return tool_fail(&t, &e);
	code = tool_end(&t);
	return code ? code : rc;
}
