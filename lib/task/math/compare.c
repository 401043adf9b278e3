/* Answers as wholes: what kind of thing they are, and whether two of them mean the same. */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "math_private.h"

enum { MOST_ITEMS = 64, MOST_SIGNS = 16 };

static enum truth same(struct math *m, const struct node *a, const struct node *b);

static bool is_container(const struct node *t)
{
	return t->kind == N_TUPLE || t->kind == N_SET || t->kind == N_LIST || t->kind == N_UNION || t->kind == N_INTERSECTION || t->kind == N_DIFFERENCE ||
		t->kind == N_MATRIX || t->kind == N_PIECES;
}

/* ---- +-: both readings of the sign, as a set ---- */

static struct node *with_sign(struct math *m, const struct node *t, bool minus)
{
	struct node *c, *kid[MOST_ITEMS];
	size_t i;

	if (!node_has(t, N_PM))
		return (struct node *)t;
	if (t->kind == N_PM) {
		c = with_sign(m, t->kid[0], minus);
		return c && minus != t->minus ? node_new(m, N_NEGATE, 1, c) : c;
	}
	if (t->n > MOST_ITEMS)
		return NULL;
	for (i = 0; i < t->n; i++)
		kid[i] = with_sign(m, t->kid[i], minus);
	c = node_list(m, (enum node_kind)t->kind, kid, t->n);
	if (c) {
		struct node made = *t;

		made.kid = c->kid;
		made.depth = c->depth;
		if (t->kind != N_NUMBER && t->kind != N_BASE)
			*c = made;
	}
	return c;
}

/* ---- several things ---- */

/* One of several comparisons: what could not be told before is no matter of this one, and remembered. */
static enum truth item(struct math *m, const struct node *a, const struct node *b, const char **fault)
{
	enum truth t;

	m->fault = NULL;
	t = same(m, a, b);
	if (t == UNKNOWN && !*fault)
		*fault = m->fault;
	m->fault = *fault;
	return t;
}

/* Each of a has its like among b; where `paired`, each of b serves once. */
static enum truth covered(struct math *m, const struct node *a, const struct node *b, bool paired)
{
	bool used[MOST_ITEMS] = {false};
	const char *fault = NULL;
	enum truth all = YES;
	size_t i, j;

	for (i = 0; i < a->n; i++) {
		enum truth found = NO;

		for (j = 0; j < b->n && found != YES; j++) {
			enum truth t;

			if (paired && used[j])
				continue;
			t = item(m, a->kid[i], b->kid[j], &fault);
			if (t == YES)
				used[j] = true;
			if (t != NO)
				found = t;
		}
		if (found == NO)
			return NO;
		if (found == UNKNOWN)
			all = UNKNOWN;
	}
	return all;
}

static enum truth any_order(struct math *m, const struct node *a, const struct node *b, bool sets)
{
	enum truth t, u;

	if (a->n > MOST_ITEMS || b->n > MOST_ITEMS) {
		m->fault = "too many items";
		return UNKNOWN;
	}
	if (!sets && a->n != b->n)
		return NO;
	t = covered(m, a, b, !sets);
	if (t == NO || (!sets && t == YES))
		return t;
	u = covered(m, b, a, !sets);
	return u == NO ? NO : t == YES && u == YES ? YES : UNKNOWN;
}

static enum truth in_order(struct math *m, const struct node *a, const struct node *b)
{
	const char *fault = NULL;
	enum truth all = YES;
	size_t i;

	if (a->n != b->n)
		return NO;
	for (i = 0; i < a->n && all != NO; i++) {
		enum truth t = item(m, a->kid[i], b->kid[i], &fault);

		if (t != YES)
			all = t;
	}
	return all;
}

/* 2:4:6 is 1:2:3 */
static enum truth ratios(struct math *m, const struct node *a, const struct node *b)
{
	struct node *zero = node_integer(m, 0);
	const char *fault = NULL;
	enum truth all = YES, t;
	size_t i;

	if (a->n != b->n)
		return NO;
	if (math_equal(m, a->kid[0], zero) != NO || math_equal(m, b->kid[0], zero) != NO)
		return in_order(m, a, b);
	for (i = 1; i < a->n && all != NO; i++) {
		struct node *x = node_new(m, N_MULTIPLY, 2, a->kid[i], b->kid[0]), *y = node_new(m, N_MULTIPLY, 2, b->kid[i], a->kid[0]);

		t = x && y ? item(m, x, y, &fault) : UNKNOWN;
		if (t != YES)
			all = t;
	}
	return all;
}

static bool in_words(const struct node *t)
{
	return t->kind == N_TUPLE && t->code == BY_TO;
}

static bool is_ratio(const struct node *t)
{
	return (t->kind == N_TUPLE && t->open == ':') || (t->kind == N_MULTIPLY && t->code == BY_COLON);
}

static bool is_clock(const struct node *t)
{
	return t->kind == N_TUPLE && t->code == BY_CLOCK;
}

/* Ratios by their numbers as they stand, 6:4 for no 3:2 */
static enum truth as_written(struct math *m, const struct node *a, const struct node *b)
{
	const struct node *ratio[2] = {a, b};
	struct node parts[2], *part[2][2];
	int i;

	for (i = 0; i < 2; i++) {
		if (!is_ratio(ratio[i]))
			return NO;
		if (ratio[i]->kind == N_TUPLE)
			continue;
		part[i][0] = ratio[i]->kid[0];
		part[i][1] = ratio[i]->kid[1]->kid[0];
		parts[i] = (struct node){.kind = N_TUPLE, .n = 2, .kid = part[i]};
		ratio[i] = &parts[i];
	}
	return in_order(m, ratio[0], ratio[1]);
}

/* "3 to 2" is 3:2, by its numbers as they stand: it may be said of a range, and is no quotient. */
static enum truth ratio_in_words(struct math *m, const struct node *a, const struct node *b)
{
	return is_clock(a) || is_clock(b) ? NO : as_written(m, a, b);
}

/* 10:15 a.m. is 10:15, too */
static enum truth times_of_day(struct math *m, const struct node *a, const struct node *b)
{
	return is_clock(a) && is_clock(b) && strcmp(a->name, b->name) ? NO : as_written(m, a, b);
}

static enum truth tuples(struct math *m, const struct node *a, const struct node *b)
{
	if (a->open == ':')
		return ratios(m, a, b);
	/* Of two, brackets tell whether the ends are in; of three and more they are but brackets. */
	if (a->n == 2 && (a->open != b->open || a->close != b->close))
		return NO;
	return in_order(m, a, b);
}

static bool is_vector(const struct node *t)
{
	return t->kind == N_MATRIX && (t->code == 1 || t->code == (int)t->n);
}

/* [[1, 2], [3, 4]] as a matrix */
static enum truth by_rows(struct math *m, const struct node *matrix, const struct node *rows)
{
	const size_t columns = matrix->n / (size_t)matrix->code;
	struct node row = {.kind = N_TUPLE, .n = columns};
	enum truth all = YES, t;
	size_t i;

	if (rows->n != (size_t)matrix->code)
		return NO;
	for (i = 0; i < rows->n && all != NO; i++) {
		row.kid = matrix->kid + i * columns;
		t = rows->kid[i]->kind == N_TUPLE ? in_order(m, &row, rows->kid[i]) : NO;
		if (t != YES)
			all = t;
	}
	return all;
}

/* 3, 4 and x = 3, y = 4 are the pair (3, 4), but say of no interval which ends are in it. */
static enum truth without_brackets(struct math *m, const struct node *list, const struct node *tuple)
{
	size_t i, equations = 0;

	for (i = 0; i < list->n; i++)
		equations += list->kid[i]->kind == N_RELATION;
	if ((tuple->n == 2 && (tuple->open != '(' || tuple->close != ')')) || node_has(tuple, N_INFINITY))
		return NO;
	if (equations ? equations < list->n : list->code != BY_COMMAS)
		return NO;
	list = math_by_names(m, list);
	return list ? in_order(m, list, tuple) : NO;
}

/* Of x = 4, y = 5 the values stand in the order of the names. */
static enum truth lists(struct math *m, const struct node *a, const struct node *b)
{
	const bool names = math_names_differ(a);

	if (names != math_names_differ(b)) {
		const struct node *named = math_by_names(m, names ? a : b);

		return named ? in_order(m, named, names ? b : a) : NO;
	}
	return m->options->ordered ? in_order(m, a, b) : any_order(m, a, b, false);
}

/* Is each name of a one of b? */
static bool names_within(const struct node *a, const struct node *b)
{
	size_t i;

	if (a->kind == N_NAME)
		return node_mentions(b, a->name);
	for (i = 0; i < a->n; i++)
		if (!names_within(a->kid[i], b))
			return false;
	return true;
}

static bool same_condition(struct math *m, const struct node *a, const struct node *b)
{
	const char *fault = NULL;

	if (a->kind == N_TEXT || b->kind == N_TEXT)
		return a->kind == b->kind && !strcmp(a->name, b->name);
	return names_within(a, b) && names_within(b, a) && item(m, a, b, &fault) == YES;
}

/* "n odd" and "n even", or regions of one name without a common point: it does not matter which stands first. "otherwise" is behind all others. */
static bool apart(struct math *m, const struct node *a, const struct node *b)
{
	const struct node nothing = {.kind = N_SET};
	const char *s, *e;
	struct node *both;
	enum truth empty;

	if (a->kind == N_TEXT && b->kind == N_TEXT) {
		s = strrchr(a->name, ' '), e = strrchr(b->name, ' ');
		return s && e && s - a->name == e - b->name && !memcmp(a->name, b->name, (size_t)(s - a->name))
		    && ((!strcmp(s, " odd") && !strcmp(e, " even")) || (!strcmp(s, " even") && !strcmp(e, " odd")));
	}
	if (a->kind == N_TEXT || b->kind == N_TEXT || !names_within(a, b) || !names_within(b, a))
		return false;
	both = node_new(m, N_INTERSECTION, 2, a, b);
	return both && math_regions(m, both, &nothing, &empty) && empty == YES;
}

static const struct node *first_name(const struct node *t)
{
	const struct node *name = t->kind == N_NAME ? t : NULL;
	size_t i;

	for (i = 0; i < t->n && !name; i++)
		name = first_name(t->kid[i]);
	return name;
}

static bool has_root(const struct node *t)
{
	size_t i;

	if (t->kind == N_POWER && (t->kid[1]->kind == N_NUMBER ? !fmpz_is_one(fmpq_denref(t->kid[1]->number)) : node_has(t->kid[1], N_INVERSE)))
		return true;
	for (i = 0; i < t->n; i++)
		if (has_root(t->kid[i]))
			return true;
	return false;
}

/* A value of a piece, where names may be negative: sqrt(x^2) is no x. An absolute value on both sides says so. */
static bool same_value(struct math *m, const struct node *a, const struct node *b)
{
	const struct node *name = first_name(a);
	const char *fault = NULL;
	struct node *x, *y, *size;

	if (is_container(a) || is_container(b) || a->kind >= N_RELATION || b->kind >= N_RELATION || item(m, a, b, &fault) != YES)
		return false;
	if (!name || !(has_root(a) || has_root(b)))
		return true;
	size = node_new(m, N_FUNCTION, 1, name);
	if (!size)
		return false;
	size->code = F_ABS;
	x = node_new(m, N_ADD, 2, a, size);
	y = node_new(m, N_ADD, 2, b, size);
	return x && y && math_equal(m, x, y) == YES;
}

/* Each piece has its like, in any order if no two of them could both hold */
static enum truth same_pieces(struct math *m, const struct node *a, const struct node *b)
{
	bool used[MOST_ITEMS] = {false}, moved = false;
	size_t i, j;

	if (a->n != b->n || a->n > MOST_ITEMS)
		return NO;
	for (i = 0; i < a->n; i += 2) {
		for (j = 0; j < b->n && (used[j] || !same_condition(m, a->kid[i + 1], b->kid[j + 1]) || !same_value(m, a->kid[i], b->kid[j])); j += 2)
			;
		if (j >= b->n)
			return NO;
		used[j] = true;
		moved |= i != j;
	}
	for (i = 0; moved && i < a->n; i += 2)
		for (j = i + 2; j < a->n; j += 2)
			if (!apart(m, a->kid[i + 1], a->kid[j + 1]) && !(j + 2 == a->n && same_condition(m, a->kid[j + 1], b->kid[j + 1])))
				return NO;
	return YES;
}

static enum truth containers(struct math *m, const struct node *a, const struct node *b)
{
	const struct node *one = a->kind == N_LIST ? a : b, *other = one == a ? b : a;

	if ((a->kind == N_TUPLE && a->open == ':') != (b->kind == N_TUPLE && b->open == ':'))
		return NO;
	if (a->kind == b->kind)
		switch (a->kind) {
		case N_TUPLE:
			return tuples(m, a, b);
		case N_MATRIX:
			return a->code == b->code ? in_order(m, a, b) : NO;
		case N_PIECES:
			return same_pieces(m, a, b);
		case N_SET:
			return any_order(m, a, b, true);
		case N_LIST:
			return lists(m, a, b);
		case N_UNION: case N_INTERSECTION:
			return any_order(m, a, b, true);
		default:
			return in_order(m, a, b);
		}
	if (a->kind == N_MATRIX || b->kind == N_MATRIX) {
		const struct node *matrix = a->kind == N_MATRIX ? a : b, *rest = matrix == a ? b : a;

		if (is_vector(matrix) && (rest->kind == N_TUPLE || (rest->kind == N_LIST && rest->code == BY_COMMAS)) && rest->n == matrix->n)
			return in_order(m, a, b);
		return rest->kind == N_TUPLE ? by_rows(m, matrix, rest) : NO;
	}
	if (one->kind == N_LIST && other->kind == N_TUPLE)
		return without_brackets(m, one, other);
	if (one->kind == N_LIST && other->kind == N_SET)
		return math_names_differ(one) ? NO : any_order(m, a, b, true);
	return NO;
}

/* ---- equations and inequalities ---- */

static struct node *moved_over(struct math *m, const struct node *t)
{
	return node_new(m, N_ADD, 2, t->kid[0], node_new(m, N_NEGATE, 1, t->kid[1]));
}

static char turned(char op)
{
	return op == '<' ? '>' : op == '>' ? '<' : op == 'L' ? 'G' : op == 'G' ? 'L' : op;
}

static enum truth relations(struct math *m, const struct node *a, const struct node *b)
{
	struct node *l, *r;
	enum truth t;
	int sign;
	size_t k;

	if (a->n != b->n)
		return NO;
	if (a->n == 2) {
		if (is_container(a->kid[0]) || is_container(a->kid[1]) || is_container(b->kid[0]) || is_container(b->kid[1])) {
			if (a->name[0] != b->name[0])
				return NO;
			t = in_order(m, a, b);
			return t != NO || a->name[0] != '=' ? t : same(m, a->kid[0], b->kid[1]) == YES && same(m, a->kid[1], b->kid[0]) == YES ? YES : NO;
		}
		l = moved_over(m, a);
		r = moved_over(m, b);
		if (!l || !r)
			return UNKNOWN;
		t = math_proportional(m, l, r, &sign);
		if (t != YES)
			return t;
		if (a->name[0] == '=' || a->name[0] == '!' || a->name[0] == '~')
			return a->name[0] == b->name[0] ? YES : NO;
		return sign && (sign > 0 ? b->name[0] : turned(b->name[0])) == a->name[0] ? YES : sign ? NO : UNKNOWN;
	}
	if (!strncmp(a->name, b->name, a->n - 1) && (t = in_order(m, a, b)) != NO)
		return t;
	for (k = 0; k + 1 < a->n; k++)
		if (turned(a->name[k]) != b->name[a->n - 2 - k])
			return NO;
	for (k = 0; k < a->n; k++)
		if ((t = same(m, a->kid[k], b->kid[a->n - 1 - k])) != YES)
			return t;
	return YES;
}

/* What is said against another answer: by its exact value, or rounded */
static enum truth said_same(struct math *m, const struct said *s, const struct node *t)
{
	const char *fault = NULL;
	enum truth is = item(m, s->exact, t, &fault);

	if (is != YES && s->rounded) {
		enum truth also = item(m, s->rounded, t, &fault);

		is = also == YES ? YES : is == UNKNOWN ? is : also;
	}
	return is;
}

static enum truth equations(struct math *m, const struct node *a, const struct node *b)
{
	const bool both = a->kind == N_RELATION && b->kind == N_RELATION;
	const char *fault = NULL;
	enum truth t, u;
	struct said x, y;

	if (!both) {
		if (!math_says(m, &x, a->kind == N_RELATION ? a : b))
			return m->fault ? UNKNOWN : NO;
		return said_same(m, &x, a->kind == N_RELATION ? b : a);
	}
	t = relations(m, a, b);
	if (t == YES)
		return t;
	fault = m->fault;
	m->fault = NULL;
	if (math_says(m, &x, a) && math_says(m, &y, b) && (!x.name || !y.name || math_names_agree(x.name, y.name))) {
		u = said_same(m, &x, y.exact);
		if (u == NO && y.rounded)
			u = said_same(m, &x, y.rounded);
		if (u != NO)
			return u;
	}
	m->fault = fault;
	return t;
}

/* ---- numerals in a base ---- */

static bool in_a_base(const struct node *t)
{
	t = t->kind == N_NEGATE ? t->kid[0] : t;
	return t->kind == N_BASE && t->spelled;
}

/* The digits that a numeral without a base is written in, "204" or "1A": where they end; NULL where it is none */
static char *digits_of(char *to, const char *end, const struct node *t, bool behind_digits)
{
	char text[24];
	size_t i, n;

	switch (t->kind) {
	case N_NUMBER:
		if (behind_digits || !t->spelled || !fmpz_is_one(fmpq_denref(t->number)) || !fmpz_fits_si(fmpq_numref(t->number)))
			return NULL;
		n = (size_t)snprintf(text, sizeof text, "%ld", (long)fmpz_get_si(fmpq_numref(t->number)));
		break;
	case N_NAME: case N_E:
		*text = t->kind == N_E ? 'E' : *t->name;
		n = 1;
		if (t->kind == N_NAME && (t->name[1] || *text < 'A' || *text > 'Z'))
			return NULL;
		break;
	case N_MULTIPLY:
		for (i = 0; to && i < t->n; i++)
			to = t->kid[i]->kind == N_MULTIPLY ? NULL : digits_of(to, end, t->kid[i], i && t->kid[i - 1]->kind == N_NUMBER);
		return to;
	default:
		return NULL;
	}
	if ((size_t)(end - to) < n)
		return NULL;
	memcpy(to, text, n);
	return to + n;
}

/* A numeral whose base is below the line: the same digits of the same base, or the digits alone. Its value in the usual notation is another answer,
 * mostly that of the question. */
static bool same_digits(const struct node *a, const struct node *b)
{
	const struct node *based, *other;
	const char *digits;
	char text[64], *end;

	if ((a->kind == N_NEGATE) != (b->kind == N_NEGATE))
		return false;
	if (a->kind == N_NEGATE)
		a = a->kid[0], b = b->kid[0];
	based = in_a_base(a) ? a : b;
	other = based == a ? b : a;
	if (other->kind == N_BASE)
		return a->code == b->code && fmpq_equal(a->number, b->number);
	end = digits_of(text, text + sizeof text, other, false);
	for (digits = based->name; *digits == '0' && digits[1]; digits++)
		;
	return end && strlen(digits) == (size_t)(end - text) && !memcmp(text, digits, (size_t)(end - text));
}

/* ---- quantities ---- */

static struct node *in_base_units(struct math *m, const struct node *t)
{
	return node_new(m, N_MULTIPLY, 2, t->kid[0], node_number(m, t->unit->factor));
}

static bool is_zero(const struct node *t)
{
	return t->kind == N_NUMBER && fmpq_is_zero(t->number);
}

/* Letters times 0, as in "isn't (0)": f(0) is no 0, either. */
static bool product_of_names(const struct node *t)
{
	t = t->kind == N_NEGATE ? t->kid[0] : t;
	return t->kind == N_MULTIPLY && math_has_names(t);
}

/* 6:00 and 0:30, which are no quotients */
static bool with_zero(const struct node *t)
{
	return t->kind == N_MULTIPLY && t->code == BY_COLON && (is_zero(t->kid[0]) || is_zero(t->kid[1]->kid[0]));
}

static enum truth values(struct math *m, const struct node *a, const struct node *b)
{
	if ((is_zero(a) && product_of_names(b)) || (is_zero(b) && product_of_names(a)))
		return NO;
	if (with_zero(a) || with_zero(b))
		return as_written(m, a, b);
	return m->options->tolerant && !math_has_names(a) && !math_has_names(b) ? math_near(m, a, b) : math_equal(m, a, b);
}

static bool is_small(struct math *m, const struct node *t)
{
	return !math_has_names(t) && math_order(m, t, node_integer(m, 1)) < 0 && math_order(m, t, node_integer(m, -1)) == 1;
}

static enum truth quantities(struct math *m, const struct node *a, const struct node *b)
{
	const struct node *q = a->kind == N_UNIT ? a : b, *plain = q == a ? b : a;
	struct node *x, *y;

	if (plain->kind == N_UNIT) {
		if (in_a_base(a->kid[0]) || in_a_base(b->kid[0]))
			return NO;
		if (!a->unit->label != !b->unit->label || (a->unit->label && strcmp(a->unit->label, b->unit->label)))
			return NO;
		if (a->unit->percent != b->unit->percent || memcmp(a->unit->dimension, b->unit->dimension, sizeof a->unit->dimension))
			return NO;
		x = in_base_units(m, a);
		y = in_base_units(m, b);
		return x && y ? values(m, x, y) : UNKNOWN;
	}
	if (is_container(plain) || plain->kind == N_RELATION)
		return NO;
	if (in_a_base(plain) || in_a_base(q->kid[0]))   /* counted things apart, a numeral in a base has no unit */
		return q->unit->label && same_digits(q->kid[0], plain) ? YES : NO;
	/* 50 % is 1/2, and where no % is written 50; 45 degrees is pi/4, and 45; 5 cm is 5 */
	if (q->unit->percent || unit_is(q->unit, ANGLE)) {
		enum truth t = values(m, q, plain);

		if (t == YES)
			return t;
		m->fault = NULL;
		/* pi/4 degrees are no pi/4, and 0.5 % no 0.5 */
		if (q->unit->percent ? is_small(m, q->kid[0]) : node_has(q->kid[0], N_PI))
			return NO;
	}
	return values(m, q->kid[0], plain);
}

/* ---- all of them ---- */

static enum truth endings(const struct node *a, const struct node *b)
{
	const bool minus_a = a->kind == N_NEGATE, minus_b = b->kind == N_NEGATE;

	a = minus_a ? a->kid[0] : a;
	b = minus_b ? b->kid[0] : b;
	return a->kind == N_INFINITY && b->kind == N_INFINITY && minus_a == minus_b ? YES : NO;
}

/* {5}, [5]; but a set that holds the empty set is not empty. */
static bool of_one(const struct node *t)
{
	return (t->kind == N_SET || t->kind == N_LIST || t->kind == N_TUPLE) && t->n == 1 && t->kid[0]->kind != N_SET;
}

/* "3/4 or 0.75", of one thing */
static bool each_is(struct math *m, const struct node *list, const struct node *t)
{
	const char *fault = NULL;
	size_t i;

	if (list->kind != N_LIST || list->code != BY_OR || (is_container(t) && t->kind != N_TUPLE))
		return false;
	for (i = 0; i < list->n && item(m, list->kid[i], t, &fault) == YES; i++)
		;
	return i == list->n;
}

/* The (A) of \text{(A)} */
static bool same_letter(const struct node *text, const struct node *name)
{
	return text->kind == N_TEXT && name->kind == N_NAME && strlen(text->name) == 1 && strlen(name->name) == 1 && *text->name == (*name->name | 0x20);
}

/* 7 in [0, 9], x^2 in [0, 9]: says nothing of what was asked for; x in 5 says nothing at all. */
static bool no_membership(const struct node *t)
{
	return t->kind == N_IN && (!math_is_name(t->kid[0]) || !(is_container(t->kid[1]) || math_has_names(t->kid[1])));
}

static enum truth same(struct math *m, const struct node *a, const struct node *b)
{
	enum truth t;

	if (node_equal(a, b) && !node_divides(a))
		return YES;
	if (node_has(a, N_PM) || node_has(b, N_PM)) {
		struct node *sa = node_has(a, N_PM) ? node_new(m, N_SET, 2, with_sign(m, a, false), with_sign(m, a, true)) : NULL;
		struct node *sb = node_has(b, N_PM) ? node_new(m, N_SET, 2, with_sign(m, b, false), with_sign(m, b, true)) : NULL;

		if ((!sa && math_names_differ(a)) || (!sb && math_names_differ(b)))
			return NO;
		if (node_has(a, N_PM) && !sa)
			return UNKNOWN;
		if (node_has(b, N_PM) && !sb)
			return UNKNOWN;
		if (!sa)
			sa = a->kind == N_SET || a->kind == N_LIST ? node_list(m, N_SET, a->kid, a->n) : node_new(m, N_SET, 1, a);
		if (!sb)
			sb = b->kind == N_SET || b->kind == N_LIST ? node_list(m, N_SET, b->kid, b->n) : node_new(m, N_SET, 1, b);
		return sa && sb ? any_order(m, sa, sb, true) : UNKNOWN;
	}
	if ((a->kind == N_TEXT && b->kind != N_RELATION) || (b->kind == N_TEXT && a->kind != N_RELATION))
		return same_letter(a, b) || same_letter(b, a) ? YES : NO;
	if (no_membership(a) || no_membership(b))
		return NO;
	if (each_is(m, a, b) || each_is(m, b, a))
		return YES;
	if ((in_words(a) || in_words(b)) && a->kind != N_RELATION && b->kind != N_RELATION)
		return ratio_in_words(m, a, b);
	if (math_regions(m, a, b, &t))
		return t;
	if (a->kind == N_IN && b->kind == N_IN && !node_equal(a->kid[0], b->kid[0]))
		return NO;
	if (a->kind == N_IN || b->kind == N_IN)
		return same(m, a->kind == N_IN ? a->kid[1] : a, b->kind == N_IN ? b->kid[1] : b);
	if (a->kind == N_RELATION || b->kind == N_RELATION)
		return equations(m, a, b);
	if (of_one(a) || of_one(b))
		return same(m, of_one(a) ? a->kid[0] : a, of_one(b) ? b->kid[0] : b);
	if (is_clock(a) || is_clock(b))
		return times_of_day(m, a, b);
	if (is_container(a) && is_container(b))
		return containers(m, a, b);
	if (is_container(a) || is_container(b))
		return NO;
	if (a->kind == N_UNIT || b->kind == N_UNIT)
		return quantities(m, a, b);
	if (node_has(a, N_INFINITY) || node_has(b, N_INFINITY))
		return endings(a, b);
	if (in_a_base(a) || in_a_base(b))
		return same_digits(a, b) ? YES : NO;
	return values(m, a, b);
}

enum truth math_same(struct math *m, const struct node *a, const struct node *b)
{
	return same(m, a, b);
}

/* The ways to read one of the answers; how many. parted: a list only because of what else parts thousands */
static int readings(struct math *m, const char *s, size_t n, struct node **to, bool *parted)
{
	bool number = true;
	int reading, ways = 0;

	m->ambiguous[0] = m->ambiguous[1] = false;
	for (reading = 0; reading < READINGS; reading++) {
		if ((reading & READ_LISTS && !m->ambiguous[0]) || (reading & READ_UNITS && !m->ambiguous[1]))
			continue;
		to[ways] = math_parse(m, s, n, reading);
		if (!to[ways])
			continue;
		if (!(reading & READ_LISTS))
			number = !is_container(to[ways]);
		parted[ways] = number && reading & READ_LISTS && to[ways]->kind == N_LIST;
		ways++;
	}
	return ways;
}

enum math_verdict math_compare(const char *a, size_t a_n, const char *b, size_t b_n, const struct math_options *options, struct buf *why)
{
	static const struct math_options usual = {0};
	struct math m = {.options = options ? options : &usual, .work = 3e6};
	struct node *x[READINGS], *y[READINGS];
	enum math_verdict verdict = MATH_DIFFERENT;
	bool parted[2][READINGS];
	const char *fault;
	int n, k, i, j;

	if (a_n > b_n || (a_n == b_n && a_n && memcmp(a, b, a_n) > 0))         /* one way round: the same verdict both ways */
		return math_compare(b, b_n, a, a_n, options, why);
	m.seed = hash_bytes(a, a_n) + hash_bytes(b, b_n);       /* the same either way round */
	n = readings(&m, a, a_n, x, parted[0]);
	k = readings(&m, b, b_n, y, parted[1]);
	fault = n && k ? NULL : m.fault;
	for (i = 0; i < n && verdict != MATH_SAME; i++)
		for (j = 0; j < k && verdict != MATH_SAME; j++) {
			enum truth t;

			if ((parted[0][i] && y[j]->kind == N_TUPLE) || (parted[1][j] && x[i]->kind == N_TUPLE))
				continue;       /* 123,456 is no (123, 456) */
			m.fault = NULL;
			t = math_same(&m, x[i], y[j]);
			if (t == YES)
				verdict = MATH_SAME;
			else if (t == UNKNOWN && !fault)
				fault = m.fault ? m.fault : "too close to tell";
		}
	if (verdict != MATH_SAME && fault) {
		verdict = MATH_UNDECIDED;
		if (why)
			buf_str(why, fault);
	}
	math_free(&m);
	return verdict;
}
