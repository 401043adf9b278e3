/* Equations that say what something is: x = 3, AB = 5, (x, y) = (1, 2), 8 + 4 = 12, sqrt(2) ~ 1.414.
 *
 * An answer may stand behind the name of what was asked for. 2x = 5 does not say what x is, so the left side has to be a name: a variable, what a
 * function of no known kind gives, a segment, an angle, words. Without any name both sides have to be equal. */
#include <string.h>

#include "math_private.h"

enum { MOST_NAMES = 16 };

static bool capital(const struct node *t)
{
	return t->kind == N_NAME && *t->name >= 'A' && *t->name <= 'Z';
}

static bool of_angle(const struct node *t)
{
	return t->kind == N_NAME && !strncmp(t->name, "angle ", 6);
}

/* AB, ABC: of points. xy and AB \cdot CD are products. */
static bool points(const struct node *t)
{
	size_t i;

	for (i = 0; t->kind == N_MULTIPLY && i < t->n; i++)
		if (t->code || !t->spelled || !capital(t->kid[i]))
			return false;
	return t->kind == N_MULTIPLY || capital(t);
}

/* AB and longer ones */
static bool segment(const struct node *t)
{
	return t->kind == N_MULTIPLY && points(t);
}

static bool known_angle(const struct node *t)
{
	static const char *const greek[] = {"alpha", "beta", "gamma", "theta", "phi", "varphi"};
	size_t i;

	for (i = 0; t->kind == N_NAME && i < sizeof greek / sizeof *greek; i++)
		if (!strcmp(t->name, greek[i]))
			return true;
	return of_angle(t) || points(t);
}

/* f(x), P(A), phi(n), f^{-1}(2), but not x(x + 1), n(3) or a(b + c) */
static bool applied(const struct node *t)
{
	const struct node *f = t->kid[0], *x = t->kid[1];

	if (f->kind == N_POWER && f->kid[1]->kind == N_NEGATE && f->kid[1]->kid[0]->kind == N_NUMBER && fmpq_is_one(f->kid[1]->kid[0]->number))
		f = f->kid[0];
	if (f->kind != N_NAME || node_mentions(x, f->name))
		return false;
	if (f->name[1] && f->name[1] != '_')
		return true;
	if (x->kind == N_UNION || x->kind == N_INTERSECTION || points(x))
		return true;
	return !strchr("xzijkmn", *f->name) && (x->kind != N_ADD || !strchr("abcdlo", *f->name));
}

/* dy, or d alone */
static bool differential(const struct node *t)
{
	if (t->kind == N_MULTIPLY && t->n == 2 && t->kid[1]->kind == N_NAME)
		t = t->kid[0];
	return t->kind == N_NAME && !strcmp(t->name, "d");
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

/* Are the words of another thing than what stands beside them? "not", "twice", "the square of", "at least"; but "area of the square" */
static bool says_no(const char *words)
{
	bool of = false, at = false, opposite = false;
	size_t n;

	for (; *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (word_denies(words, n) || word_changes(words, n))
			return true;
		if (!of && (is_word(words, n, "square") || is_word(words, n, "cube")))
			return true;
		if (at && (is_word(words, n, "least") || is_word(words, n, "most")))
			return true;
		if (opposite && is_word(words, n, "of"))
			return true;
		of |= is_word(words, n, "of");
		at = is_word(words, n, "at");
		opposite = is_word(words, n, "opposite");
	}
	return false;
}

/* Of the functions that are known, those of an angle or of sizes: what is asked for is rarely what stands within. */
static bool known(const struct node *t)
{
	const struct node *x = t->kid[0];

	switch (t->code) {
	case F_SIN: case F_COS: case F_TAN: case F_COT: case F_SEC: case F_CSC:
		return known_angle(x);
	case F_ABS:             /* a length, how many there are in a set; of a complex number */
		return points(x) || (x->kind == N_NAME && (!strcmp(x->name, "z") || !strcmp(x->name, "w")));
	case F_GCD: case F_LCM: case F_MAX: case F_MIN:
		return math_has_names(t);
	default:
		return false;
	}
}

bool math_is_name(const struct node *t)
{
	size_t i;

	switch (t->kind) {
	case N_NAME: case N_I: case N_E:
		return true;
	case N_TEXT:
		return !says_no(t->name);
	case N_FUNCTION:
		return known(t);
	case N_TUPLE:           /* [ABC], an area */
		return t->n == 1 && t->open == '[' && points(t->kid[0]);
	case N_MULTIPLY:
		if (t->code == APPLIED)
			return applied(t);
		if (t->n == 2 && t->kid[1]->kind == N_INVERSE) {
			const struct node *above = t->kid[0], *below = t->kid[1]->kid[0];

			return (differential(above) && below->kind == N_MULTIPLY && differential(below)) || (segment(above) && segment(below));
		}
		if (t->n == 2 && t->kid[0]->kind == N_NAME && ((!strcmp(t->kid[0]->name, "m") && of_angle(t->kid[1])) || !strcmp(t->kid[0]->name, "Delta")))
			return true;
		for (i = 1; i < t->n && t->kid[i]->kind == N_NAME; i++)         /* the area of ABC */
			;
		return points(t) || (i == t->n && t->kid[0]->kind == N_TEXT && math_is_name(t->kid[0]));
	default:
		return false;
	}
}

/* a/b, a:b of two variables, to which a ratio is said to be equal: 3/2, 3:4. xy = 6 and x/y = 6 say of neither what it is. */
static bool is_ratio(const struct node *t, const struct node *value)
{
	const struct node *above, *below;

	if (t->kind != N_MULTIPLY || t->n != 2 || t->kid[1]->kind != N_INVERSE)
		return false;
	above = t->kid[0];
	below = t->kid[1]->kid[0];
	if (above->kind != N_NAME || below->kind != N_NAME || !strcmp(above->name, below->name))
		return false;
	return (value->kind == N_MULTIPLY && value->n == 2 && value->kid[1]->kind == N_INVERSE) || (value->kind == N_TUPLE && value->code == BY_TO && value->n == 2);
}

/* ---- names in their usual order ---- */

/* Where a name stands in its row, and which row that is: x, y, z or x_1, x_2, x_3; -1: in none */
static int place(const struct node *t, int *row)
{
	const char *s = t->kind == N_NAME ? t->name : t->kind == N_E ? "e" : t->kind == N_I ? "i" : "";
	int k = 0;

	if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z')))
		return -1;
	*row = 0;
	if (!s[1])
		return *s;
	*row = *s;
	if (s[1] != '_' || !s[2])
		return -1;
	for (s += 2; *s >= '0' && *s <= '9' && k < 1000; s++)
		k = 10 * k + *s - '0';
	return *s ? -1 : k;
}

/* The items in the order of their names, if these follow each other in their row; else as they stand. NULL: a name stands twice. */
static struct node **in_usual_order(struct math *m, struct node **item, struct node **name, size_t n)
{
	struct node **to = math_alloc(m, (n + 1) * sizeof *to);
	int at[MOST_NAMES], row[MOST_NAMES], least;
	bool run = n <= MOST_NAMES;
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			if (node_equal(name[i], name[j]))
				return NULL;
	for (i = 0; run && i < n; i++) {
		at[i] = place(name[i], &row[i]);
		run = at[i] >= 0 && row[i] == row[0];
	}
	for (least = run ? at[0] : 0, i = 1; run && i < n; i++)
		least = at[i] < least ? at[i] : least;
	for (i = 0; run && i < n; i++)
		run = at[i] - least < (int)n;
	for (i = 0; i < n; i++)
		to[run ? (size_t)(at[i] - least) : i] = item[i];
	return to;
}

static size_t stem(const struct node *t)
{
	return strcspn(t->name, "_");
}

/* x of x_1 */
static bool without_index(const struct node *a, const struct node *b)
{
	return a->kind == N_NAME && b->kind == N_NAME && !a->name[stem(a)] && stem(a) == stem(b) && !memcmp(a->name, b->name, stem(a));
}

/* y of f(x) */
static bool of_graph(const struct node *a, const struct node *b)
{
	return a->kind == N_NAME && !strcmp(a->name, "y") && b->kind == N_MULTIPLY && b->code == APPLIED && b->kid[1]->kind == N_NAME;
}

bool math_names_agree(const struct node *a, const struct node *b)
{
	return node_equal(a, b) || without_index(a, b) || without_index(b, a) || of_graph(a, b) || of_graph(b, a);
}

bool math_names_differ(const struct node *list)
{
	bool differ = false;
	size_t i;

	if (list->kind != N_LIST)
		return false;
	for (i = 0; i < list->n; i++) {
		const struct node *t = list->kid[i], *first = list->kid[0]->n ? list->kid[0]->kid[0] : NULL;

		if (t->kind != N_RELATION || *t->name != '=' || !math_is_name(t->kid[0]))
			return false;
		t = t->kid[0];
		if (t->kind == N_NAME && first->kind == N_NAME)
			differ |= stem(t) != stem(first) || memcmp(t->name, first->name, stem(t));
		else
			differ |= !node_equal(t, first);
	}
	return differ;
}

struct node *math_by_names(struct math *m, const struct node *list)
{
	struct node **kid, *t;
	size_t i;

	if (list->n > MOST_NAMES)
		return (struct node *)list;
	kid = math_alloc(m, (list->n + 1) * sizeof *kid);
	for (i = 0; i < list->n; i++) {
		t = list->kid[i];
		if (t->kind != N_RELATION || *t->name != '=' || !math_is_name(t->kid[0]))
			return (struct node *)list;
		kid[i] = t->kid[0];
	}
	kid = in_usual_order(m, list->kid, kid, list->n);
	return kid ? node_list(m, N_LIST, kid, list->n) : NULL;
}

/* (y, x) = (2, 1): (1, 2); NULL where there are not as many of one as of the other */
static const struct node *of_names(struct math *m, const struct node *names, const struct node *t)
{
	struct node **kid, *c;

	if (t->kind == N_SET)
		return t;
	if ((t->kind != N_TUPLE && t->kind != N_MATRIX) || t->n != names->n)
		return NULL;
	kid = in_usual_order(m, t->kid, names->kid, t->n);
	c = kid ? node_list(m, (enum node_kind)t->kind, kid, t->n) : NULL;
	if (c)
		c->open = t->open, c->close = t->close, c->code = t->code;
	return c;
}

static bool are_names(const struct node *t)
{
	size_t i;

	for (i = 0; (t->kind == N_TUPLE || t->kind == N_MATRIX) && i < t->n; i++)
		if (!math_is_name(t->kid[i]))
			return false;
	return (t->kind == N_TUPLE || t->kind == N_MATRIX) && t->n > 1;
}

/* ---- what is rounded ---- */

/* 10^-k for the k decimals of a number; else a hundredth of it */
static struct node *last_place(struct math *m, const struct node *t)
{
	fmpq_t q;
	fmpz_t power;
	struct node *x = NULL;
	int k;

	fmpq_init(q);
	fmpz_init(power);
	fmpz_one(power);
	for (k = 0; t->kind == N_NUMBER && !x && k < 40; k++) {
		if (fmpz_divisible(power, fmpq_denref(t->number))) {
			fmpq_one(q);
			fmpq_div_fmpz(q, q, power);
			x = node_number(m, q);
		}
		fmpz_mul_ui(power, power, 10);
	}
	if (!x) {
		fmpq_set_si(q, 1, 100);
		x = node_new(m, N_FUNCTION, 1, t);
		if (x)
			x->code = F_ABS;
		x = node_new(m, N_MULTIPLY, 2, x, node_number(m, q));
	}
	fmpq_clear(q);
	fmpz_clear(power);
	return x;
}

/* |exact - t| <= times / out_of of `size` */
static bool within(struct math *m, const struct node *exact, const struct node *t, const struct node *size, slong times, ulong out_of)
{
	struct node *d = node_new(m, N_FUNCTION, 1, node_new(m, N_ADD, 2, exact, node_new(m, N_NEGATE, 1, t))), *most = node_new(m, N_FUNCTION, 1, size);
	fmpq_t q;

	if (!d || !most)
		return false;
	d->code = most->code = F_ABS;
	fmpq_init(q);
	fmpq_set_si(q, times, out_of);
	most = node_new(m, N_MULTIPLY, 2, most, node_number(m, q));
	fmpq_clear(q);
	return most && math_order(m, d, most) <= 0;
}

/* Is t the number, correctly rounded to its last place? Behind a mere = to a decimal fraction, and well. *close: so well that it may stand for the
 * number, where that is said to at least two digits */
static bool rounds(struct math *m, const struct node *exact, const struct node *t, bool said, bool *close)
{
	const struct node *unit;

	if (exact->kind == N_UNIT)
		exact = exact->kid[0];
	if (t->kind == N_UNIT)
		t = t->kid[0];
	if (exact->kind >= N_TUPLE || t->kind >= N_TUPLE || math_has_names(exact) || math_has_names(t))
		return false;
	unit = last_place(m, t->kind == N_NEGATE ? t->kid[0] : t);
	if (!unit || (!said && (t->kind == N_NEGATE ? t->kid[0] : t)->kind != N_NUMBER))
		return false;
	*close = said ? within(m, unit, node_integer(m, 0), t, 1, 10) : within(m, exact, t, exact, 1, 200);
	return within(m, exact, t, unit, 1, 2) && (said || *close);
}

/* ---- all of it ---- */

/* Of numerals by their values: 54 = 204_5 */
static bool equal_sides(struct math *m, const struct node *a, const struct node *b)
{
	return (a->kind == N_BASE || b->kind == N_BASE ? math_equal(m, a, b) : math_same(m, a, b)) == YES;
}

bool math_says(struct math *m, struct said *s, const struct node *t)
{
	const struct node *side;
	bool bare = true;               /* no names at all */
	bool rounded = false, close;
	size_t i;

	*s = (struct said){0};
	if (t->kind != N_RELATION || strspn(t->name, "=~") != t->n - 1)
		return false;
	for (i = 0; i < t->n; i++) {
		bare = bare && !math_has_names(t->kid[i]);
		if (t->kid[i]->kind == N_RELATION || t->kid[i]->kind == N_IN)
			return false;           /* nested ones would be compared again and again */
	}
	if (math_is_name(t->kid[0]) || are_names(t->kid[0]) || (t->n == 2 && is_ratio(t->kid[0], t->kid[1]))) {
		s->name = t->kid[0];
	} else if (t->n == 2 && math_is_name(t->kid[1])) {
		s->name = t->kid[1];
		s->exact = t->kid[0];
		return true;
	} else if (!bare) {
		return false;
	}
	s->exact = t->kid[s->name != NULL];
	for (i = s->name ? 2 : 1; i < t->n; i++) {
		side = t->kid[i];
		if (s->name && s->name->kind == N_NAME && node_mentions(t->kid[i - 1], s->name->name))
			return false;           /* x = 7x = 42 */
		if (rounded || t->name[i - 1] == '~') {
			if (!rounds(m, s->exact, side, true, &close))
				return false;
			rounded = true;
			s->rounded = close ? side : NULL;
		} else if (math_has_names(s->exact) || math_has_names(side) || equal_sides(m, s->exact, side)) {
			s->exact = side;
		} else if (rounds(m, s->exact, side, false, &close)) {
			rounded = true;
			s->rounded = side;
		} else {
			return false;
		}
	}
	if (s->name && are_names(s->name))
		s->exact = of_names(m, s->name, s->exact);
	return s->exact != NULL;
}
