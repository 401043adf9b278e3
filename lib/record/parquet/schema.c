#include <stdlib.h>
#include <string.h>

#include "record/emit.h"
#include "record/parquet/private.h"

struct build {
	struct pq_schema *to;
	const struct pq_footer *from;
	size_t at;                      /* the next element */
	struct buf path;                /* of the field that is being made, for messages */
};

static int make_value(struct build *b, struct pq_node *node, const struct pq_element *s, unsigned def, unsigned rep, int depth, struct err *e);

/* ---- what a value is ---- */

static bool fits_decimal(const struct pq_element *s, int64_t scale)
{
	return (s->type == PQ_INT32 || s->type == PQ_INT64 || s->type == PQ_BYTE_ARRAY || s->type == PQ_FIXED) && scale >= 0 && scale <= 1000;
}

static void form_of_number(struct pq_node *v, const struct pq_element *s)
{
	static const int digits[] = {0, 3, 6, 9};
	int64_t kind = s->logical.kind, unit = s->logical.unit > 0 && s->logical.unit < 4 ? s->logical.unit : 3;
	bool is_int = s->type == PQ_INT32 || s->type == PQ_INT64;

	if (is_int && (kind == PQ_LOGICAL_TIME || kind == PQ_LOGICAL_TIMESTAMP)) {
		v->form = kind == PQ_LOGICAL_TIME ? PQ_AS_TIME : PQ_AS_TIMESTAMP;
		v->scale = digits[unit];
		v->utc = s->logical.utc;
	} else if (is_int && (s->converted == PQ_TIME_MILLIS || s->converted == PQ_TIME_MICROS)) {
		v->form = PQ_AS_TIME;
		v->scale = s->converted == PQ_TIME_MILLIS ? 3 : 6;
	} else if (is_int && (s->converted == PQ_TIMESTAMP_MILLIS || s->converted == PQ_TIMESTAMP_MICROS)) {
		v->form = PQ_AS_TIMESTAMP;
		v->scale = s->converted == PQ_TIMESTAMP_MILLIS ? 3 : 6;
		v->utc = true;
	} else if (s->type == PQ_INT32 && (kind == PQ_LOGICAL_DATE || s->converted == PQ_DATE)) {
		v->form = PQ_AS_DATE;
	} else if (is_int && ((kind == PQ_LOGICAL_INTEGER && !s->logical.is_signed) || (kind < 0 && s->converted >= PQ_UINT_8 && s->converted <= PQ_UINT_64))) {
		v->form = PQ_AS_UINT;
	} else if (kind == PQ_LOGICAL_DECIMAL && fits_decimal(s, s->logical.scale)) {
		v->form = PQ_AS_DECIMAL;
		v->scale = (int)s->logical.scale;
	} else if (kind < 0 && s->converted == PQ_DECIMAL && fits_decimal(s, s->scale)) {
		v->form = PQ_AS_DECIMAL;
		v->scale = (int)s->scale;
	}
}

static int make_leaf(struct build *b, struct pq_node *node, const struct pq_element *s, unsigned rep, struct err *e)
{
	static const enum pq_form plain[PQ_TYPES] = {PQ_AS_BOOL, PQ_AS_INT, PQ_AS_INT, PQ_AS_INT96, PQ_AS_FLOAT, PQ_AS_DOUBLE, PQ_AS_STRING, PQ_AS_STRING};
	static const size_t size[PQ_TYPES] = {1, 4, 8, 12, 4, 8, 0, 0};
	struct pq_schema *to = b->to;
	struct pq_column *c;

	if (s->type < 0 || s->type >= PQ_TYPES)
		return err_set(e, "column '%s': type %lld is not known", b->path.p, (long long)s->type);
	if (s->type == PQ_FIXED && (s->length <= 0 || s->length > INT32_MAX))
		return err_set(e, "column '%s': %lld bytes are no length of values", b->path.p, (long long)s->length);
	if (s->converted == PQ_INTERVAL)
		return err_set(e, "column '%s': is of INTERVAL, which is not read", b->path.p);
	if (to->columns == PQ_MOST_COLUMNS)
		return err_set(e, "the Parquet file has more than %d columns", PQ_MOST_COLUMNS);
	c = xcalloc(1, sizeof *c);
	c->name = xstrdup(b->path.p);
	c->type = (enum pq_type)s->type;
	c->size = s->type == PQ_FIXED ? (size_t)s->length : size[s->type];
	c->max_def = node->def;
	c->max_rep = rep;
	to->column = xgrow(to->column, &to->cap, to->columns + 1, sizeof *to->column);
	to->column[to->columns++] = c;
	node->shape = PQ_VALUE;
	node->form = plain[s->type];
	form_of_number(node, s);
	if (s->logical.kind == PQ_LOGICAL_UNKNOWN)
		node->form = PQ_AS_NULL;
	else if (s->logical.kind == PQ_LOGICAL_UUID && s->type == PQ_FIXED && s->length == 16)
		node->form = PQ_AS_UUID;
	else if (s->logical.kind == PQ_LOGICAL_FLOAT16 && s->type == PQ_FIXED && s->length == 2)
		node->form = PQ_AS_FLOAT16;
	return 0;
}

/* ---- the tree ---- */

/* The element that is next in the tree, or NULL and e. */
static const struct pq_element *next_element(struct build *b, int depth, struct err *e)
{
	if (b->at == b->from->elements || depth > PQ_DEEPEST) {
		err_set(e, b->at == b->from->elements ? "the schema is cut off" : "the schema is more than %d levels deep", PQ_DEEPEST);
		return NULL;
	}
	return &b->from->element[b->at++];
}

static bool is_group(const struct pq_element *s)
{
	return s->type < 0;
}

static bool is_annotated(const struct pq_element *s, int logical, int converted)
{
	return is_group(s) && (s->logical.kind == logical || (s->logical.kind < 0 && s->converted == converted));
}

/* The path for messages: one line, whatever the name. */
static void add_to_path(struct build *b, const struct pq_element *s)
{
	size_t i = b->path.n;

	if (i)
		buf_char(&b->path, '.');
	utf8_clean(&b->path, (const char *)s->name, s->name_len < 200 ? s->name_len : 200);
	for (; i < b->path.n; i++)
		if ((unsigned char)b->path.p[i] < 32 || b->path.p[i] == 127)
			b->path.p[i] = '?';
}

/* A field with its name; `repeated` fields that are in no list are lists themselves. */
static int make_field(struct build *b, struct pq_node *node, const struct pq_element *s, unsigned def, unsigned rep, int depth, struct err *e)
{
	size_t path = b->path.n;
	int rc;

	if (s->repetition < PQ_REQUIRED || s->repetition > PQ_REPEATED)
		return err_set(e, "the schema is damaged");
	add_to_path(b, s);
	emit_string(&node->key, (const char *)s->name, s->name_len);
	buf_char(&node->key, ':');
	if (s->repetition == PQ_REPEATED) {
		node->shape = PQ_ARRAY;
		node->def = def;
		node->item_def = def + 1;
		node->item_rep = rep + 1;
		node->first = b->to->columns;
		node->child = xcalloc(1, sizeof *node->child);
		node->n = 1;
		rc = make_value(b, node->child, s, def + 1, rep + 1, depth, e);
		node->columns = b->to->columns - node->first;
	} else {
		rc = make_value(b, node, s, def + (s->repetition == PQ_OPTIONAL), rep, depth, e);
	}
	b->path.n = path;
	if (b->path.p)
		b->path.p[path] = 0;
	return rc;
}

static int make_children(struct build *b, struct pq_node *node, const struct pq_element *s, unsigned def, unsigned rep, int depth, struct err *e)
{
	int64_t i;

	if (s->children <= 0)
		return err_set(e, "'%s' is a group without fields", b->path.p ? b->path.p : "");
	if ((uint64_t)s->children > b->from->elements - b->at)
		return err_set(e, "the schema is cut off");
	node->child = xcalloc((size_t)s->children, sizeof *node->child);
	node->n = (size_t)s->children;
	for (i = 0; i < s->children; i++) {
		const struct pq_element *field = next_element(b, depth + 1, e);

		if (!field || make_field(b, &node->child[i], field, def, rep, depth + 1, e) < 0)
			return -1;
	}
	return 0;
}

/* The repeated field in a list is the item itself, not a layer around it (LogicalTypes.md, backward-compatibility rules). */
static bool is_item(const struct build *b, const struct pq_element *list, const struct pq_element *s)
{
	if (!is_group(s) || s->children != 1 || b->at == b->from->elements || b->from->element[b->at].repetition == PQ_REPEATED)
		return true;
	return (s->name_len == 5 && !memcmp(s->name, "array", 5)) ||
		(s->name_len == list->name_len + 6 && !memcmp(s->name, list->name, list->name_len) && !memcmp(s->name + list->name_len, "_tuple", 6));
}

static int make_list(struct build *b, struct pq_node *node, const struct pq_element *list, unsigned rep, int depth, struct err *e)
{
	const struct pq_element *s = next_element(b, depth + 1, e), *item = s;

	if (!s)
		return -1;
	node->shape = PQ_ARRAY;
	node->item_def = node->def + 1;
	node->item_rep = rep + 1;
	node->child = xcalloc(1, sizeof *node->child);
	node->n = 1;
	if (is_item(b, list, s))
		return make_value(b, node->child, s, node->item_def, node->item_rep, depth + 1, e);
	if (!(item = next_element(b, depth + 2, e)))
		return -1;
	return make_field(b, node->child, item, node->item_def, node->item_rep, depth + 2, e);
}

static int make_map(struct build *b, struct pq_node *node, unsigned rep, int depth, struct err *e)
{
	const struct pq_element *s = next_element(b, depth + 1, e), *key;
	size_t i;

	if (!s)
		return -1;
	key = b->at < b->from->elements ? &b->from->element[b->at] : s;
	node->shape = key->type == PQ_BYTE_ARRAY && key->repetition != PQ_REPEATED ? PQ_OBJECT : PQ_PAIRS;
	node->item_def = node->def + 1;
	node->item_rep = rep + 1;
	if (make_children(b, node, s, node->item_def, node->item_rep, depth + 1, e) < 0)
		return -1;
	if (node->shape == PQ_OBJECT && node->child[0].form != PQ_AS_STRING)
		node->shape = PQ_PAIRS;
	for (i = 0; i < node->n; i++) {
		buf_clear(&node->child[i].key);
		buf_str(&node->child[i].key, i ? "\"value\":" : "\"key\":");
	}
	return 0;
}

/* What a field holds: def and rep are those at which it is there. */
static int make_value(struct build *b, struct pq_node *node, const struct pq_element *s, unsigned def, unsigned rep, int depth, struct err *e)
{
	const struct pq_element *inner = b->at < b->from->elements ? &b->from->element[b->at] : NULL;
	bool wraps = inner && s->children == 1 && inner->repetition == PQ_REPEATED;
	int rc;

	node->def = def;
	node->first = b->to->columns;
	if (!is_group(s) && s->children > 0)
		return err_set(e, "the schema is damaged");
	if (!is_group(s))
		rc = make_leaf(b, node, s, rep, e);
	else if (wraps && is_annotated(s, PQ_LOGICAL_LIST, PQ_LIST))
		rc = make_list(b, node, s, rep, depth, e);
	else if (wraps && (is_annotated(s, PQ_LOGICAL_MAP, PQ_MAP) || is_annotated(s, PQ_LOGICAL_MAP, PQ_MAP_KEY_VALUE)) && is_group(inner) &&
		 (inner->children == 1 || inner->children == 2))
		rc = make_map(b, node, rep, depth, e);
	else {
		node->shape = PQ_STRUCT;
		rc = make_children(b, node, s, def, rep, depth, e);
	}
	node->columns = b->to->columns - node->first;
	return rc;
}

int pq_schema_make(struct pq_schema *s, const struct pq_footer *f, struct err *e)
{
	struct build b = {.to = s, .from = f};
	const struct pq_element *root = next_element(&b, 0, e);
	int rc = -1;

	if (root && root->children <= 0)
		err_set(e, "the Parquet file has no columns");
	else if (root) {
		s->root.shape = PQ_STRUCT;
		rc = make_children(&b, &s->root, root, 0, 0, 0, e);
		s->root.columns = s->columns;
		if (rc == 0 && b.at != f->elements)
			rc = err_set(e, "the schema is damaged");
	}
	buf_free(&b.path);
	return rc;
}

static void node_free(struct pq_node *node)
{
	size_t i;

	for (i = 0; i < node->n; i++)
		node_free(&node->child[i]);
	free(node->child);
	buf_free(&node->key);
}

void pq_schema_free(struct pq_schema *s)
{
	size_t i;

	node_free(&s->root);
	for (i = 0; i < s->columns; i++)
		pq_column_free(s->column[i]);
	free(s->column);
}
