#include "record/parquet.h"

#include <stdlib.h>
#include <string.h>

#include "record/parquet/private.h"

#define BLOCK ((size_t)256 << 10)       /* as much text is given out at once, about */

struct parquet {
	struct pq_input in;
	struct pq_footer footer;
	struct pq_schema schema;
	size_t group;                   /* the one that is read; the number of groups at the end */
	bool open;
	int64_t row;                    /* of the group: the next one */
	struct buf out;
	size_t begin;                   /* where the row that is being written begins there */
	size_t longest;                 /* of rows */
	bool failed;
	struct err why;
};

bool parquet_is(const char *begin, size_t n)
{
	return n >= 4 && (!memcmp(begin, "PAR1", 4) || !memcmp(begin, "PARE", 4));
}

static int column_error(struct parquet *q, const struct pq_column *c)
{
	return err_prefix(&q->why, "column '%s', row group %zu", c->name, q->group);
}

/* ---- rows from columns ---- */

/* The next entry of a column: its definition level, or -1. It must begin at the repetition level `rep` and be there down to `least`. */
static int peek(struct parquet *q, struct pq_column *c, unsigned rep, unsigned least)
{
	if (c->level_at == c->levels) {
		int rc = pq_column_more(c, &q->why);

		if (rc == 0)
			err_set(&q->why, "ends before the row group does");
		if (rc <= 0)
			return column_error(q, c);
	}
	if (c->rep[c->level_at] != rep || c->def[c->level_at] < least) {
		err_set(&q->why, "its levels do not fit together");
		return column_error(q, c);
	}
	return (int)c->def[c->level_at];
}

/* What lies in `node` is not there: one entry in each of its columns says so. */
static int pass_over(struct parquet *q, const struct pq_node *node, unsigned rep, unsigned def)
{
	size_t i;

	for (i = node->first; i < node->first + node->columns; i++) {
		struct pq_column *c = q->schema.column[i];
		int seen = peek(q, c, rep, def);

		if (seen < 0)
			return -1;
		if ((unsigned)seen != def) {
			err_set(&q->why, "its levels do not fit those of other columns");
			return column_error(q, c);
		}
		c->level_at++;
	}
	return 0;
}

static int put_value(struct parquet *q, const struct pq_node *node, unsigned rep, unsigned least)
{
	struct pq_column *c = q->schema.column[node->first];
	int def = peek(q, c, rep, least);

	if (def < 0)
		return -1;
	c->level_at++;
	if ((unsigned)def < node->def) {
		buf_add(&q->out, "null", 4);
		return 0;
	}
	if (c->value_at == c->values && pq_column_values(c, &q->why) < 0)
		return column_error(q, c);
	if (q->out.n - q->begin > q->longest)
		err_set(&q->why, "row %lld of it is longer than %zu MB", (long long)q->row + 1, q->longest >> 20);
	else if (pq_value_put(&q->out, node, c, &c->value[c->value_at++]) < 0)
		err_set(&q->why, "row %lld of it has a value that its type cannot have", (long long)q->row + 1);
	else
		return 0;
	return column_error(q, c);
}

static int put(struct parquet *q, const struct pq_node *node, unsigned rep, unsigned least);

/* An object, which is there from the definition level `least` on */
static int put_fields(struct parquet *q, const struct pq_node *node, unsigned rep, unsigned least)
{
	size_t i;

	for (i = 0; i < node->n; i++) {
		buf_char(&q->out, i ? ',' : '{');
		buf_add(&q->out, node->child[i].key.p, node->child[i].key.n);
		if (put(q, &node->child[i], rep, least) < 0)
			return -1;
	}
	buf_char(&q->out, '}');
	return 0;
}

/* A key and its value in an object */
static int put_pair(struct parquet *q, const struct pq_node *node, unsigned rep)
{
	size_t key = q->out.n;

	if (put(q, &node->child[0], rep, node->item_def) < 0)
		return -1;
	if (q->out.p[key] != '"') {
		err_set(&q->why, "a key is null");
		return column_error(q, q->schema.column[node->first]);
	}
	buf_char(&q->out, ':');
	if (node->n == 2)
		return put(q, &node->child[1], rep, node->item_def);
	buf_add(&q->out, "null", 4);
	return 0;
}

/* The items of a list or a map, one of which is there at least */
static int put_items(struct parquet *q, const struct pq_node *node, unsigned rep)
{
	struct pq_column *c = q->schema.column[node->first];
	int rc;

	buf_char(&q->out, node->shape == PQ_OBJECT ? '{' : '[');
	for (;; rep = node->item_rep, buf_char(&q->out, ',')) {
		rc = node->shape == PQ_ARRAY ? put(q, node->child, rep, node->item_def) :
			node->shape == PQ_OBJECT ? put_pair(q, node, rep) : put_fields(q, node, rep, node->item_def);
		if (rc < 0)
			return -1;
		if (q->out.n - q->begin > q->longest) {
			err_set(&q->why, "row %lld of it is longer than %zu MB", (long long)q->row + 1, q->longest >> 20);
			return column_error(q, c);
		}
		if (c->level_at == c->levels && (rc = pq_column_more(c, &q->why)) < 0)
			return column_error(q, c);
		if (c->level_at == c->levels || c->rep[c->level_at] < node->item_rep)
			break;
	}
	buf_char(&q->out, node->shape == PQ_OBJECT ? '}' : ']');
	return 0;
}

/* What a field or an item holds. rep: the level that its first entry begins at; least: the definition level of what it is in. */
static int put(struct parquet *q, const struct pq_node *node, unsigned rep, unsigned least)
{
	int def;

	if (node->shape == PQ_VALUE)
		return put_value(q, node, rep, least);
	if ((def = peek(q, q->schema.column[node->first], rep, least)) < 0)
		return -1;
	if ((unsigned)def < node->def) {
		buf_add(&q->out, "null", 4);
		return pass_over(q, node, rep, (unsigned)def);
	}
	if (node->shape == PQ_STRUCT)
		return put_fields(q, node, rep, node->def);
	if ((unsigned)def < node->item_def) {
		buf_str(&q->out, node->shape == PQ_OBJECT ? "{}" : "[]");
		return pass_over(q, node, rep, (unsigned)def);
	}
	return put_items(q, node, rep);
}

/* ---- row groups ---- */

static int begin_group(struct parquet *q)
{
	const struct pq_group *g = &q->footer.group[q->group];
	size_t i;

	if (g->rows < 0 || g->n != q->schema.columns)
		return err_set(&q->why, "row group %zu: what the footer says of it is damaged", q->group);
	for (i = 0; g->rows && i < g->n; i++) {
		struct pq_column *c = q->schema.column[i];

		if (pq_column_begin(c, &q->in, &g->chunk[i], q->footer.at, &q->why) < 0)
			return column_error(q, c);
		if (!c->max_rep && c->left != g->rows) {
			err_set(&q->why, "has %lld values for %lld rows", (long long)c->left, (long long)g->rows);
			return column_error(q, c);
		}
	}
	q->row = 0;
	q->open = true;
	return 0;
}

static int end_group(struct parquet *q)
{
	size_t i;

	for (i = 0; q->row && i < q->schema.columns; i++) {
		struct pq_column *c = q->schema.column[i];

		if (c->level_at < c->levels || c->page_left || c->left) {
			err_set(&q->why, "goes on behind the end of the row group");
			return column_error(q, c);
		}
	}
	q->open = false;
	q->group++;
	return 0;
}

struct parquet *parquet_open(int fd, const char *bytes, uint64_t n, size_t longest, struct err *e)
{
	struct parquet *q = xcalloc(1, sizeof *q);

	q->longest = longest;
	q->in = (struct pq_input){fd, (const unsigned char *)bytes, n};
	if (pq_footer_read(&q->footer, &q->in, e) == 0 && pq_schema_make(&q->schema, &q->footer, e) == 0)
		return q;
	parquet_close(q);
	return NULL;
}

void parquet_close(struct parquet *q)
{
	if (!q)
		return;
	pq_schema_free(&q->schema);
	pq_footer_free(&q->footer);
	buf_free(&q->out);
	free(q);
}

static int put_row(struct parquet *q)
{
	q->begin = q->out.n;
	if (put_fields(q, &q->schema.root, 0, 0) < 0) {
		q->out.n = q->begin;    /* what was whole before goes out */
		return -1;
	}
	buf_char(&q->out, '\n');
	q->row++;
	return 0;
}

ssize_t parquet_read(struct parquet *q, const char **text, struct err *e)
{
	int rc = 0;

	buf_clear(&q->out);
	while (!q->failed && q->out.n < BLOCK && (q->open || q->group < q->footer.groups)) {
		if (!q->open)
			rc = begin_group(q);
		else
			rc = q->row < q->footer.group[q->group].rows ? put_row(q) : end_group(q);
		q->failed = rc < 0;
	}
	*text = q->out.p;
	if (q->failed && !q->out.n)
		return err_set(e, "%s", q->why.msg);
	return (ssize_t)q->out.n;
}
