/* Sets of real numbers: intervals, their unions and complements, and what inequalities in one name say, as sorted pieces. */
#include <string.h>

#include "math_private.h"

enum { MOST_PIECES = 24 };

struct end {
	int infinite;                   /* -1, 1: at infinity; 0: at `at` */
	const struct node *at;
	bool in;
};

struct piece {
	struct end from, to;
};

struct region {
	struct piece piece[MOST_PIECES];
	size_t n;
	const char *name;               /* of what it is said; NULL: of none */
};

/* Reading a tree as a region: NO where it is none, UNKNOWN where that cannot be told */
static enum truth read_region(struct math *m, struct region *r, const struct node *t);

static const struct end low = {.infinite = -1}, high = {.infinite = 1};

/* -1, 0, 1 by place alone; 2 unknown */
static int compare(struct math *m, const struct end *a, const struct end *b)
{
	if (a->infinite || b->infinite)
		return a->infinite < b->infinite ? -1 : a->infinite > b->infinite;
	return math_order(m, a->at, b->at);
}

static bool add(struct math *m, struct region *r, struct end from, struct end to)
{
	if (r->n == MOST_PIECES) {
		m->fault = "too many pieces";
		return false;
	}
	r->piece[r->n++] = (struct piece){from, to};
	return true;
}

/* Empty pieces go, the others are put in order, and those that touch are joined. */
static bool settle(struct math *m, struct region *r)
{
	size_t i, j, n = 0;
	int c;

	for (i = 0; i < r->n; i++) {
		c = compare(m, &r->piece[i].from, &r->piece[i].to);
		if (c == 2)
			return false;
		if (c < 0 || (c == 0 && !r->piece[i].from.infinite && r->piece[i].from.in && r->piece[i].to.in))
			r->piece[n++] = r->piece[i];
	}
	r->n = n;
	for (i = 1; i < r->n; i++)
		for (j = i; j > 0; j--) {
			struct piece p = r->piece[j];

			c = compare(m, &p.from, &r->piece[j - 1].from);
			if (c == 2)
				return false;
			if (c > 0 || (c == 0 && (!p.from.in || r->piece[j - 1].from.in)))
				break;
			r->piece[j] = r->piece[j - 1];
			r->piece[j - 1] = p;
		}
	for (i = n = 0; i < r->n; i++) {
		struct piece *last = n ? &r->piece[n - 1] : NULL;

		if (last) {
			c = compare(m, &r->piece[i].from, &last->to);
			if (c == 2)
				return false;
			if (c < 0 || (c == 0 && (last->to.in || r->piece[i].from.in))) {
				c = compare(m, &r->piece[i].to, &last->to);
				if (c == 2)
					return false;
				if (c > 0 || (c == 0 && r->piece[i].to.in))
					last->to = r->piece[i].to;
				continue;
			}
		}
		r->piece[n++] = r->piece[i];
	}
	r->n = n;
	return true;
}

static bool complement(struct math *m, struct region *r)
{
	struct region c = {.name = r->name};
	struct end from = low;
	size_t i;

	for (i = 0; i < r->n; i++) {
		struct end to = r->piece[i].from;

		to.in = !to.in;
		if (to.infinite >= 0 && !add(m, &c, from, to))
			return false;
		from = r->piece[i].to;
		from.in = !from.in;
	}
	if (from.infinite <= 0 && !add(m, &c, from, high))
		return false;
	*r = c;
	return settle(m, r);
}

static bool unite(struct math *m, struct region *r, const struct region *with)
{
	size_t i;

	for (i = 0; i < with->n; i++)
		if (!add(m, r, with->piece[i].from, with->piece[i].to))
			return false;
	return settle(m, r);
}

static bool intersect(struct math *m, struct region *r, const struct region *with)
{
	struct region w = *with;

	return complement(m, r) && complement(m, &w) && unite(m, r, &w) && complement(m, r);
}

static bool real_end(struct end *e, const struct node *t, bool in)
{
	const bool minus = t->kind == N_NEGATE;

	if ((minus ? t->kid[0] : t)->kind == N_INFINITY)
		*e = minus ? low : high;
	else
		*e = (struct end){.at = t, .in = in};
	return !math_has_names(t);
}

/* ---- inequalities ---- */

/* The one name in a tree: false if there are two */
static bool one_name(const struct node *t, const char **name)
{
	size_t i;

	if (t->kind == N_NAME) {
		if (*name && strcmp(*name, t->name))
			return false;
		*name = t->name;
	}
	for (i = 0; i < t->n; i++)
		if (!one_name(t->kid[i], name))
			return false;
	return true;
}

static struct node *with(struct math *m, const struct node *t, struct node *by)
{
	struct node **kid, *c;
	size_t i;

	if (t->kind == N_NAME)
		return by;
	if (!t->n)
		return (struct node *)t;
	kid = math_alloc(m, t->n * sizeof *kid);
	for (i = 0; i < t->n; i++)
		kid[i] = with(m, t->kid[i], by);
	c = node_list(m, (enum node_kind)t->kind, kid, t->n);
	if (c) {
		c->code = t->code;
		c->unit = t->unit;
	}
	return c;
}

static struct node *minus(struct math *m, const struct node *a, const struct node *b)
{
	return node_new(m, N_ADD, 2, a, node_new(m, N_NEGATE, 1, b));
}

static struct node *quotient(struct math *m, const struct node *a, const struct node *b)
{
	return node_new(m, N_MULTIPLY, 2, a, node_new(m, N_INVERSE, 1, b));
}

/* t is slope x + at_0, with the slope not 0 */
static bool linear(struct math *m, const struct node *t, struct node **slope, struct node **at_0)
{
	const char *name = NULL;
	struct node *x;

	if (!one_name(t, &name) || !name)
		return false;
	*at_0 = with(m, t, node_integer(m, 0));
	x = with(m, t, node_integer(m, 1));
	*slope = *at_0 && x ? minus(m, x, *at_0) : NULL;
	x = node_new(m, N_NAME, 0);
	x->name = name;
	x = *slope ? node_new(m, N_ADD, 2, node_new(m, N_MULTIPLY, 2, *slope, x), *at_0) : NULL;
	return x && math_equal(m, t, x) == YES && math_equal(m, *slope, node_integer(m, 0)) == NO;
}

/* slope x + at_0 op bound, of <, >, L, G, =, ! */
static enum truth half_line(struct math *m, struct region *r, const struct node *slope, const struct node *at_0, char op, const struct node *bound)
{
	const struct node *x = quotient(m, minus(m, bound, at_0), slope);
	const int sign = math_order(m, slope, node_integer(m, 0));
	const bool in = op == 'L' || op == 'G' || op == '=', below = (op == '<' || op == 'L') == (sign > 0);
	struct end end = {.at = x, .in = in};

	if (!x || sign == 2 || sign == 0)
		return UNKNOWN;
	r->n = 0;
	if (op == '=' || op == '!') {
		end.in = true;
		return add(m, r, end, end) && (op == '=' || complement(m, r)) ? YES : UNKNOWN;
	}
	return (below ? add(m, r, low, end) : add(m, r, end, high)) ? YES : UNKNOWN;
}

static char turned(char op)
{
	return op == '<' ? '>' : op == '>' ? '<' : op == 'L' ? 'G' : op == 'G' ? 'L' : op;
}

/* l op r, with the name on one side or both; |x - 2| < 3 */
static enum truth inequality(struct math *m, struct region *r, const struct node *left, char op, const struct node *right)
{
	const struct node *t = left;
	struct node *slope, *at_0, *zero = node_integer(m, 0);
	struct region other = {0};
	enum truth a, b;
	char inner;

	if (right->kind == N_FUNCTION && right->code == F_ABS) {
		t = right;
		right = left;
		left = t;
		op = turned(op);
	}
	if (!(left->kind == N_FUNCTION && left->code == F_ABS)) {
		t = minus(m, left, right);
		return t && linear(m, t, &slope, &at_0) ? half_line(m, r, slope, at_0, op, zero) : NO;
	}
	if (math_has_names(right) || op == '=' || op == '!' || !linear(m, left->kid[0], &slope, &at_0))
		return NO;
	/* |u| < c: -c < u < c; |u| > c: not that */
	inner = op == '<' || op == 'G' ? '<' : 'L';
	a = half_line(m, r, slope, at_0, inner, right);
	b = half_line(m, &other, slope, at_0, turned(inner), node_new(m, N_NEGATE, 1, right));
	if (a != YES || b != YES || !settle(m, r) || !intersect(m, r, &other))
		return UNKNOWN;
	return op == inner || complement(m, r) ? YES : UNKNOWN;
}

/* 0 <= x < infinity: holds for all of the line */
static bool of_infinity(const struct node *l, char op, const struct node *r)
{
	if (op == '>' || op == 'G')
		return of_infinity(r, turned(op), l);
	return (op == '<' || op == 'L') && (r->kind == N_INFINITY || (l->kind == N_NEGATE && l->kid[0]->kind == N_INFINITY));
}

static enum truth relation(struct math *m, struct region *r, const struct node *t)
{
	const char *name = NULL;
	struct region one;
	enum truth is;
	size_t i;

	if (!one_name(t, &name) || !name || strchr(t->name, '~'))
		return NO;
	for (i = 0; i + 1 < t->n; i++) {
		one = (struct region){.name = name};
		if (of_infinity(t->kid[i], t->name[i], t->kid[i + 1]))
			is = add(m, &one, low, high) ? YES : UNKNOWN;
		else
			is = inequality(m, &one, t->kid[i], t->name[i], t->kid[i + 1]);
		if (is != YES)
			return is;
		if (!settle(m, &one) || (i && !intersect(m, r, &one)))
			return UNKNOWN;
		if (!i)
			*r = one;
	}
	r->name = name;
	return YES;
}

/* ---- all of them ---- */

/* Inequalities and nothing else */
static bool bounds(const struct node *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->kid[i]->kind != N_RELATION || !strpbrk(t->kid[i]->name, "<>LG!"))
			return false;
	return true;
}

/* x < 1 or x > 2; joined by "and" both hold. Of intervals, points and what commas join nothing may be in both: "or" was meant. */
static enum truth several(struct math *m, struct region *r, const struct node *t, bool both)
{
	struct region one, all = {0}, any = {0};
	size_t i;

	for (i = 0; i < t->n; i++) {
		enum truth is = read_region(m, &one, t->kid[i]);

		if (is != YES)
			return is;
		if (all.name && one.name && strcmp(all.name, one.name))
			return NO;
		if (!i)
			all = any = one;
		else if (!intersect(m, &all, &one) || !unite(m, &any, &one))
			return UNKNOWN;
	}
	*r = both && (all.n || (t->code == BY_AND && bounds(t))) ? all : any;
	return YES;
}

static enum truth points(struct math *m, struct region *r, const struct node *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct end e = {0};

		if (t->kid[i]->kind >= N_TUPLE || !real_end(&e, t->kid[i], true) || e.infinite)
			return NO;
		if (!add(m, r, e, e))
			return UNKNOWN;
	}
	return settle(m, r) ? YES : UNKNOWN;
}

static enum truth read_region(struct math *m, struct region *r, const struct node *t)
{
	struct region other;
	enum truth is;
	struct end from, to;

	*r = (struct region){0};
	switch (t->kind) {
	case N_TUPLE:
		if (t->n != 2 || t->open == ':' || t->kid[0]->kind >= N_TUPLE || t->kid[1]->kind >= N_TUPLE || !real_end(&from, t->kid[0], t->open == '[') ||
		    !real_end(&to, t->kid[1], t->close == ']'))
			return NO;
		return add(m, r, from, to) && settle(m, r) ? YES : UNKNOWN;
	case N_SET:
		return points(m, r, t);
	case N_UNION:
		return several(m, r, t, false);
	case N_INTERSECTION: case N_DIFFERENCE:
		is = read_region(m, r, t->kid[0]);
		if (is != YES || (is = read_region(m, &other, t->kid[1])) != YES)
			return is;
		return (t->kind == N_INTERSECTION || complement(m, &other)) && intersect(m, r, &other) ? YES : UNKNOWN;
	case N_IN:
		is = t->kid[0]->kind == N_NAME ? read_region(m, r, t->kid[1]) : NO;
		r->name = t->kid[0]->name;
		return is;
	case N_RELATION:
		return relation(m, r, t);
	case N_LIST:
		return several(m, r, t, t->code != BY_OR);
	default:
		return NO;
	}
}

/* Does it say by itself that it is about a region? */
static bool tells(const struct node *t)
{
	size_t i;

	if (t->kind == N_UNION || t->kind == N_INTERSECTION || t->kind == N_DIFFERENCE || t->kind == N_IN)
		return true;
	if (t->kind == N_RELATION)
		return strpbrk(t->name, "<>LG!");
	for (i = 0; t->kind == N_LIST && i < t->n; i++)
		if (tells(t->kid[i]))
			return true;
	return false;
}

bool math_regions(struct math *m, const struct node *a, const struct node *b, enum truth *same)
{
	struct region r, s;
	enum truth is, is_too;
	size_t i;

	if (!tells(a) && !tells(b))
		return false;
	is = read_region(m, &r, a);
	is_too = is == NO ? NO : read_region(m, &s, b);
	if (is == NO || is_too == NO)
		return false;
	*same = UNKNOWN;
	if (is == UNKNOWN || is_too == UNKNOWN)
		return true;
	*same = NO;
	if (r.n != s.n || (r.name && s.name && strcmp(r.name, s.name)))
		return true;
	for (i = 0; i < r.n; i++) {
		const struct piece *p = &r.piece[i], *q = &s.piece[i];
		const int x = compare(m, &p->from, &q->from), y = compare(m, &p->to, &q->to);

		if (x == 2 || y == 2)
			*same = UNKNOWN;
		if ((x && x != 2) || (y && y != 2) || (!p->from.infinite && p->from.in != q->from.in) || (!p->to.infinite && p->to.in != q->to.in)) {
			*same = NO;
			return true;
		}
	}
	if (*same != UNKNOWN)
		*same = YES;
	return true;
}
