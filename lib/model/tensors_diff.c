#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "model/compare.h"
#include "model/tensors.h"
#include "record/emit.h"

struct diffing {
	bool json;
	void (*print)(void *arg, const char *text);
	void *arg;
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

static void print_line(struct diffing *k)
{
	k->print(k->arg, k->line.p);
	buf_clear(&k->line);
}

static void diff_tensor_json(struct diffing *k, const struct difference *d, const char *name)
{
	struct buf *b = &k->line;

	buf_char(b, '{');
	emit_member_string(b, "tensor", name);
	emit_member_string(b, "difference", kind_names[d->kind]);
	if (d->kind == DIFFERENCE_VALUES) {
		emit_member_int(b, "count", d->a->count);
		emit_member_int(b, "differ", d->differ);
		emit_member_number(b, "max_abs", d->max_abs);
		emit_member_number(b, "relative", d->relative);
	}
	buf_char(b, '}');
	print_line(k);
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
		buf_printf(b, "%s of %s numbers differ, by %.3g at most, %.3g relative", HUMAN_COUNT(d->differ), HUMAN_COUNT(d->a->count), d->max_abs, d->relative);
	} else if (d->kind == DIFFERENCE_SHAPE) {
		buf_str(b, "shapes ");
		tensor_shape(b, d->a->shape, d->a->ndim);
		buf_str(b, " and ");
		tensor_shape(b, d->b->shape, d->b->ndim);
	} else {
		buf_str(b, d->kind == DIFFERENCE_BYTES ? "bytes differ" : kind_names[d->kind]);
	}
	print_line(k);
}

static void diff_tensor(void *arg, const struct difference *d)
{
	struct diffing *k = arg;
	char *name;

	k->tensors++;
	if (d->kind == DIFFERENCE_NONE)
		return;
	name = xasprintf("%s%s", k->prefix, d->name);
	(k->json ? diff_tensor_json : diff_tensor_text)(k, d, name);
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
	if (k->json) {
		buf_char(line, '{');
		emit_member_string(line, "file", file);
		if (setting) {
			emit_member_string(line, "setting", setting);
			emit_key(line, "first");
			buf_str(line, a ? a : "null");
			emit_key(line, "second");
			buf_str(line, b ? b : "null");
		} else {
			emit_member_string(line, "difference", !a ? kind_names[DIFFERENCE_ONLY_B] : !b ? kind_names[DIFFERENCE_ONLY_A] : "bytes");
		}
		buf_char(line, '}');
	} else if (setting) {
		buf_printf(line, "%s: %s: %s and %s", file, setting, a ? a : "nothing", b ? b : "nothing");
	} else {
		buf_printf(line, "%s: %s", file, !a ? kind_names[DIFFERENCE_ONLY_B] : !b ? kind_names[DIFFERENCE_ONLY_A] : "bytes differ");
	}
	print_line(k);
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
	static const char *const names[] = {CHECKPOINT_COMPANIONS, RUN_STATE, OPTIMIZER_STATE};
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

static int diff_sides(struct diffing *k, const struct tensors *a, const struct tensors *b, struct err *e)
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
	if (!k->json && k->differ) {
		buf_printf(&k->line, "%s of %s tensors differ", HUMAN_COUNT(k->differ), HUMAN_COUNT(k->tensors));
		if (k->where)
			buf_printf(&k->line, ", most in %s", k->where);
		print_line(k);
	}
	return k->differ || k->others ? 1 : 0;
}

int tensors_diff(const struct tensors *a, const struct tensors *b, bool json, void (*line)(void *arg, const char *text), void *arg, struct err *e)
{
	struct diffing k = {.json = json, .print = line, .arg = arg};
	int rc = diff_sides(&k, a, b, e);

	buf_free(&k.line);
	free(k.where);
	return rc;
}
