/* Sums, products, powers, functions: by recursive descent, as deep as MAX_DEPTH. */
#include <string.h>

#include "base/mem.h"
#include "parse_private.h"

static struct node *power(struct parser *p);
static struct node *primary(struct parser *p);

bool parse_deeper(struct parser *p)
{
	if (++p->depth <= MAX_DEPTH)
		return true;
	p->m->fault = "too deeply nested";
	return false;
}

struct kids {
	struct node *stack[8], **kid;
	size_t n, cap;
};

static void add(struct parser *p, struct kids *k, struct node *t)
{
	if (!k->kid) {
		k->kid = k->stack;
		k->cap = 8;
	}
	if (k->n == k->cap) {
		struct node **more = math_alloc(p->m, 2 * k->cap * sizeof *more);

		memcpy(more, k->kid, k->n * sizeof *more);
		k->kid = more;
		k->cap *= 2;
	}
	k->kid[k->n++] = t;
}

struct node *parse_divide(struct parser *p, struct node *a, struct node *b)
{
	return a && b ? node_new(p->m, N_MULTIPLY, 2, a, node_new(p->m, N_INVERSE, 1, b)) : NULL;
}

/* a/b of whole numbers written in digits, with a and b above 0: what a mixed number ends in */
static bool plain_fraction(const struct node *t)
{
	return t && t->kind == N_MULTIPLY && t->n == 2 && t->kid[0]->kind == N_NUMBER && t->kid[0]->spelled && t->kid[1]->kind == N_INVERSE
	    && t->kid[1]->kid[0]->kind == N_NUMBER && t->kid[1]->kid[0]->spelled && !fmpq_is_zero(t->kid[0]->number)
	    && fmpq_cmp(t->kid[0]->number, t->kid[1]->kid[0]->number) < 0;
}

/* What stands behind \frac, ^ or a binomial without braces is one token, of a number one digit. */
static struct node *argument(struct parser *p)
{
	const struct token *t = p->t;
	struct token *rest;
	struct node *digit;

	if (t->kind != T_NUMBER || t->n < 2 || t->s[1] == '.')
		return primary(p);
	digit = parse_number(p, t->s, 1);
	rest = (struct token *)t;
	rest->s++;
	rest->n--;
	rest->spaced = false;
	return digit;
}

static struct node *fraction(struct parser *p)
{
	const struct token *t = p->t++;
	struct node *a, *b;

	if (t->code == 'v')
		return parse_divide(p, parse_number(p, t->s, 1), parse_number(p, t->s + 1, 1));
	a = argument(p);
	b = a ? argument(p) : NULL;
	return parse_divide(p, a, b);
}

static struct node *call(struct parser *p, int f, struct node *x)
{
	struct node *t = node_new(p->m, N_FUNCTION, 1, x);

	if (t)
		t->code = f;
	return t;
}

static struct node *half(struct parser *p, struct node *x, slong k)
{
	fmpq_t q;
	struct node *t;

	fmpq_init(q);
	fmpq_set_si(q, 1, (ulong)k);
	t = node_number(p->m, q);
	fmpq_clear(q);
	return x ? node_new(p->m, N_POWER, 2, x, t) : NULL;
}

static struct node *root(struct parser *p)
{
	struct node *index = NULL, *x;

	p->t++;
	if (p->t->kind == T_OPEN && p->t->code == '[') {
		p->t++;
		index = parse_sum(p);
		if (!index || p->t->kind != T_CLOSE || p->t->code != ']')
			return NULL;
		p->t++;
	}
	x = primary(p);
	if (!index)
		return half(p, x, 2);
	return x ? node_new(p->m, N_POWER, 2, x, node_new(p->m, N_INVERSE, 1, index)) : NULL;
}

static bool begins_factor(const struct parser *p)
{
	const struct token *t = p->t;

	switch (t->kind) {
	case T_NUMBER: case T_BASE: case T_NAME: case T_PI: case T_E: case T_I: case T_FUNCTION: case T_FRAC: case T_SQRT: case T_BINOM: case T_BEGIN:
		return true;
	case T_INFINITY:
		return true;
	case T_OPEN:
		return t->code != '[';
	case T_BAR:
		return p->bars == 0;
	default:
		return false;
	}
}

/* _5C_2, ^5C_2 and, with the braces of {}_5C_2 before it, too: the binomial; P: with the orders counted */
static bool begins_choice(const struct token *t)
{
	if (t->kind == T_OPEN && t->code == '{' && t[1].kind == T_CLOSE)
		t += 2;
	if (t->kind != T_SUB && t->kind != T_POWER)
		return false;
	t++;
	if (t->kind == T_OPEN && t->code == '{' && t[1].kind != T_END && t[2].kind == T_CLOSE)
		t += 2;
	else if (t->kind != T_NUMBER && t->kind != T_NAME)
		return false;
	return t[1].kind == T_NAME && t[1].n == 1 && (*t[1].s == 'C' || *t[1].s == 'P') && t[2].kind == T_SUB;
}

static struct node *choice(struct parser *p)
{
	struct node *n, *k, *x;
	bool orders;

	p->t += p->t->kind == T_OPEN ? 3 : 1;
	n = primary(p);
	orders = p->t->n && *p->t->s == 'P';
	p->t += 2;
	k = n ? primary(p) : NULL;
	x = k ? node_new(p->m, N_FUNCTION, 2, n, k) : NULL;
	if (x)
		x->code = F_BINOMIAL;
	return orders && x ? node_new(p->m, N_MULTIPLY, 2, x, call(p, F_FACTORIAL, k)) : x;
}

/* The argument of a function without brackets: a product without signs, up to the next function */
static struct node *bare_argument(struct parser *p)
{
	struct kids k = {0};
	struct node *t;

	if (p->t->kind == T_MINUS) {
		p->t++;
		t = bare_argument(p);
		return t ? node_new(p->m, N_NEGATE, 1, t) : NULL;
	}
	do {
		t = power(p);
		if (!t)
			return NULL;
		add(p, &k, t);
		while (p->t->kind == T_DIVIDE && !p->t->latex && k.n == 1 && (t->kind == N_PI || t->kind == N_NUMBER)) {        /* sin pi/6 */
			p->t++;
			t = power(p);
			if (!t)
				return NULL;
			add(p, &k, node_new(p->m, N_INVERSE, 1, t));
		}
	} while (begins_factor(p) && p->t->kind != T_FUNCTION && p->t->kind != T_OPEN);
	return k.n == 1 ? k.kid[0] : node_list(p->m, N_MULTIPLY, k.kid, k.n);
}

static struct node *subscript(struct parser *p)
{
	const struct token *t = p->t++;

	return t->code == 'u' ? parse_number(p, t->s, t->n) : primary(p);
}

/* What stands behind ^: signs and a primary, which may have an exponent of its own */
static struct node *exponent_of(struct parser *p)
{
	bool minus = false;
	struct node *x, *e;

	if (!parse_deeper(p))
		return NULL;
	for (; p->t->kind == T_MINUS || p->t->kind == T_PLUS; p->t++)
		minus ^= p->t->kind == T_MINUS;
	x = primary(p);
	if (x && p->t->kind == T_POWER && p->t[1].kind != T_DEGREE && !(p->t[1].kind == T_OPEN && p->t[2].kind == T_DEGREE)) {
		p->t++;
		e = exponent_of(p);
		x = e ? node_new(p->m, N_POWER, 2, x, e) : NULL;
	}
	p->depth--;
	return x && minus ? node_new(p->m, N_NEGATE, 1, x) : x;
}

static struct node *function(struct parser *p)
{
	int f = (p->t++)->code;
	struct node *exponent = NULL, *base = NULL, *x, *t, *a, *b;

	if (p->t->kind == T_SUB && !(base = subscript(p)))
		return NULL;
	if (p->t->kind == T_POWER) {
		p->t++;
		exponent = p->t->kind == T_OPEN ? parse_group(p) : exponent_of(p);
		if (!exponent)
			return NULL;
	} else if (p->t->kind == T_SUPER) {
		exponent = parse_number(p, p->t->s[0] == '-' ? p->t->s + 1 : p->t->s, p->t->n - (p->t->s[0] == '-'));
		if (exponent && p->t->s[0] == '-')
			exponent = node_new(p->m, N_NEGATE, 1, exponent);
		p->t++;
		if (!exponent)
			return NULL;
	}
	if (!base && p->t->kind == T_SUB && !(base = subscript(p)))
		return NULL;
	if (exponent && exponent->kind == N_NEGATE && exponent->kid[0]->kind == N_NUMBER && fmpq_is_one(exponent->kid[0]->number) && f >= F_SIN && f <= F_TAN) {
		f = f == F_SIN ? F_ASIN : f == F_COS ? F_ACOS : F_ATAN;
		exponent = NULL;
	}
	x = p->t->kind == T_OPEN ? parse_group(p) : bare_argument(p);
	if (!x)
		return NULL;
	if (x->kind == N_TUPLE && x->open == '(' && x->close == ')' && (f >= F_ABS || f == F_LOG)) {
		if (f == F_LOG && x->n == 2 && !base) {
			base = x->kid[1];
			x = x->kid[0];
		} else {
			t = node_list(p->m, N_FUNCTION, x->kid, x->n);
			if (t)
				t->code = f;
			return t;
		}
	}
	if (base && f != F_LOG)
		return NULL;
	if (f == F_CIS) {
		a = call(p, F_COS, x);
		b = call(p, F_SIN, x);
		t = a && b ? node_new(p->m, N_ADD, 2, a, node_new(p->m, N_MULTIPLY, 2, node_new(p->m, N_I, 0), b)) : NULL;
	} else if (f == F_LOG)
		t = node_new(p->m, N_FUNCTION, 2, x, base ? base : node_integer(p->m, 10));
	else
		t = f == F_EXP ? node_new(p->m, N_POWER, 2, node_new(p->m, N_E, 0), x) : f == F_SQRT ? half(p, x, 2) : f == F_CBRT ? half(p, x, 3) : call(p, f, x);
	if (t && f == F_LOG)
		t->code = F_LOG;
	return exponent && t ? node_new(p->m, N_POWER, 2, t, exponent) : t;
}

/* A name, with what stands below it: x, x_1, a_{n} */
struct node *parse_name(struct parser *p)
{
	const struct token *t = p->t++, *q;
	struct node *x = node_new(p->m, N_NAME, 0);
	size_t n = t->n + 1, depth = 0;
	char *name;

	if (t->code == 'B')
		n++;
	if (p->t->kind == T_SUB) {
		if (p->t->code == 'u') {
			n += p->t->n + 1;
			p->t++;
		} else {
			q = ++p->t;
			do {
				depth += q->kind == T_OPEN && q->code == '{';
				depth -= q->kind == T_CLOSE && q->code == '{';
				n += q->n + 1;
				if (q->kind == T_END)
					return NULL;
				q++;
			} while (depth > 0);
			p->t = q;
		}
	}
	name = math_alloc(p->m, n + 2);
	x->name = name;
	if (t->code == 'B')
		*name++ = '#';
	memcpy(name, t->s, t->n);
	name += t->n;
	for (q = t + 1; q < p->t; q++) {
		if (q->kind == T_SUB)
			*name++ = '_';
		if ((q->kind == T_SUB && q->code != 'u') || ((q->kind == T_OPEN || q->kind == T_CLOSE) && q->code == '{'))
			continue;
		memcpy(name, q->s, q->n);
		name += q->n;
	}
	return x;
}

static struct node *bars(struct parser *p)
{
	struct node *x;

	p->t++;
	p->bars++;
	x = parse_sum(p);
	p->bars--;
	if (!x || p->t->kind != T_BAR)
		return NULL;
	p->t++;
	return call(p, F_ABS, x);
}

static struct node *primary(struct parser *p)
{
	const struct token *t = p->t;
	struct node *x = NULL, *a, *b;
	int open = p->bars;

	if (!parse_deeper(p))
		return NULL;
	if (begins_choice(t)) {
		x = choice(p);
		p->depth--;
		return x;
	}
	switch (t->kind) {
	case T_NUMBER:
		p->t++;
		if (p->t->kind == T_SUB) {
			if (p->t->code == 'u') {
				int base = 0;
				size_t i;

				for (i = 0; i < p->t->n && base < 100; i++)
					base = base * 10 + p->t->s[i] - '0';
				p->t++;
				x = base >= 2 && base <= 36 ? parse_based(p, t, base) : NULL;
			}
			break;
		}
		x = parse_number(p, t->s, t->n);
		break;
	case T_BASE: p->t++; x = parse_based(p, t, t->code); break;
	case T_NAME: x = t[1].kind == T_WORD && (x = parse_words(p)) ? x : parse_name(p); break;       /* a dozen */
	case T_PI: p->t++; x = node_new(p->m, N_PI, 0); break;
	case T_E: p->t++; x = node_new(p->m, N_E, 0); break;
	case T_I: p->t++; x = node_new(p->m, N_I, 0); break;
	case T_INFINITY: p->t++; x = node_new(p->m, N_INFINITY, 0); break;
	case T_EMPTY: p->t++; x = node_new(p->m, N_SET, 0); break;
	case T_REALS: p->t++; x = parse_reals(p); break;
	case T_FRAC: x = fraction(p); break;
	case T_SQRT: x = root(p); break;
	case T_BINOM:
		p->t++;
		if (p->t->kind == T_OPEN && p->t->code == '(') {
			a = parse_group(p);
			x = a && a->kind == N_TUPLE && a->n == 2 ? node_new(p->m, N_FUNCTION, 2, a->kid[0], a->kid[1]) : NULL;
		} else {
			a = argument(p);
			b = a ? argument(p) : NULL;
			x = b ? node_new(p->m, N_FUNCTION, 2, a, b) : NULL;
		}
		if (x)
			x->code = F_BINOMIAL;
		break;
	case T_FUNCTION: x = function(p); break;
	case T_WORD: x = parse_words(p); break;
	case T_BAR: x = bars(p); break;
	case T_BEGIN: x = parse_matrix(p); break;
	case T_OPEN: p->bars = 0; x = parse_open_array(t) ? parse_matrix(p) : parse_group(p); p->bars = open; break;
	default: break;
	}
	p->depth--;
	return x;
}

static bool degree_sign(struct parser *p)
{
	const struct token *t = p->t + 1;

	if (t->kind == T_DEGREE) {
		p->t += 2;
		return true;
	}
	if (t->kind == T_OPEN && t->code == '{' && t[1].kind == T_DEGREE && t[2].kind == T_CLOSE) {
		p->t += 4;
		return true;
	}
	return false;
}

const char *temperature(const struct token *t)
{
	if (t->kind != T_NAME && t->kind != T_WORD)
		return NULL;
	if ((t->n == 1 && *t->s == 'C') || (t->n == 7 && !memcmp(t->s + 1, "elsius", 6)))
		return "celsius";
	return (t->n == 1 && *t->s == 'F') || (t->n == 10 && !memcmp(t->s + 1, "ahrenheit", 9)) ? "fahrenheit" : NULL;
}

static struct node *with_unit(struct parser *p, struct node *x, const char *name)
{
	struct node *t = x ? node_new(p->m, N_UNIT, 1, x) : NULL;

	if (!t)
		return NULL;
	t->unit = unit_new(p->m);
	if (!strcmp(name, "%")) {
		t->unit->percent = true;
		fmpq_set_si(t->unit->factor, 1, 100);
	} else if (!strcmp(name, "degree") && temperature(p->t)) {
		t->unit->label = temperature(p->t++);
	} else {
		unit_add(t->unit, name, strlen(name), 1);
	}
	return t;
}

/* A primary with what stands behind it: !, a degree sign, ^ and its exponent */
static struct node *power(struct parser *p)
{
	struct node *x, *e;

	if (!parse_deeper(p))
		return NULL;
	x = primary(p);
	while (x) {
		if (p->t->kind == T_FACTORIAL) {
			p->t++;
			x = call(p, F_FACTORIAL, x);
		} else if (p->t->kind == T_DEGREE) {
			p->t++;
			x = with_unit(p, x, "degree");
		} else if (p->t->kind == T_PERCENT) {
			p->t++;
			x = with_unit(p, x, "%");
		} else if (p->t->kind == T_POWER && degree_sign(p)) {
			x = with_unit(p, x, "degree");
		} else if (p->t->kind == T_POWER) {
			p->t++;
			e = exponent_of(p);
			x = e ? node_new(p->m, N_POWER, 2, x, e) : NULL;
		} else if (p->t->kind == T_SUPER) {
			const char *s = p->t->s;
			size_t n = p->t->n;

			p->t++;
			if (n == 1 && *s == 'n') {
				e = node_new(p->m, N_NAME, 0);
				e->name = "n";
			} else {
				bool minus = *s == '-';

				if (n == minus || memchr(s + minus, '-', n - minus) || memchr(s, 'n', n))
					return NULL;
				e = parse_number(p, s + minus, n - minus);
				if (e && minus)
					e = node_new(p->m, N_NEGATE, 1, e);
			}
			x = e ? node_new(p->m, N_POWER, 2, x, e) : NULL;
		} else if (p->t->kind == T_WORD && x->kind == N_NUMBER) {
			const slong part = part_word(p->t);
			const int to = power_word(p->t);
			slong times;

			if (to)                 /* 5 squared, 5 thirds, 5 million */
				x = node_new(p->m, N_POWER, 2, x, node_integer(p->m, to));
			else if (part)
				x = parse_divide(p, x, node_integer(p->m, part));
			else if (scale_word(p->t, &times))
				x = node_new(p->m, N_MULTIPLY, 2, x, node_integer(p->m, times));
			else
				break;
			p->t++;
		} else {
			break;
		}
	}
	p->depth--;
	return x;
}

/* Signs, as many as there are, and a factor. The sign goes inside a quantity: -$5 is $ -5. */
static struct node *unary(struct parser *p)
{
	const struct token *pm = NULL;
	bool minus = false;
	struct node *x, *in;

	for (;; p->t++) {
		if (p->t->kind == T_MINUS)
			minus = !minus;
		else if ((p->t->kind == T_PM || p->t->kind == T_MP) && !pm)
			pm = p->t;
		else if (p->t->kind != T_PLUS)
			break;
	}
	x = p->t->kind == T_CURRENCY ? NULL : power(p);
	if (!x || (!minus && !pm))
		return x;
	if (x->kind == N_MATRIX) {
		in = node_integer(p->m, -1);
		return pm ? NULL : node_matrix(p->m, x, &in, 1);
	}
	in = x->kind == N_UNIT ? x->kid[0] : x;
	if (minus)
		in = node_new(p->m, N_NEGATE, 1, in);
	if (pm && in) {
		in = node_new(p->m, N_PM, 1, in);
		if (in)
			in->minus = pm->kind == T_MP;
	}
	if (!in || x->kind != N_UNIT)
		return in;
	x->kid[0] = in;
	x->depth = in->depth + 1;
	return x->depth > MAX_DEPTH ? parse_fail(p, "too deeply nested") : x;
}

/* Two whole numbers and a stroke behind a whole number: 1 1/2 */
static struct node *mixed(struct parser *p, struct node *whole)
{
	const struct token *t = p->t;
	struct node *part = NULL;

	if (t->kind == T_NUMBER && t->spaced && t[1].kind == T_DIVIDE && !t[1].latex && t[2].kind == T_NUMBER) {
		part = parse_divide(p, parse_number(p, t->s, t->n), parse_number(p, t[2].s, t[2].n));
		if (!plain_fraction(part))
			return NULL;
		p->t += 3;
	} else if (t->kind == T_FRAC) {
		part = fraction(p);
		if (!plain_fraction(part) || p->t->kind == T_POWER || p->t->kind == T_SUPER)
			return part ? node_new(p->m, N_MULTIPLY, 2, whole, part) : NULL;
	}
	return part ? node_new(p->m, N_ADD, 2, whole, part) : NULL;
}

/* The last factor's degrees or per cent are those of the whole product. */
static struct node *product(struct parser *p, struct kids *k)
{
	struct node *last = k->kid[k->n - 1], *t;
	size_t i;

	if (k->n == 1)
		return last;
	for (i = 0; i < k->n && k->kid[i]->kind != N_MATRIX; i++)
		;
	if (i < k->n) {
		const struct node *matrix = k->kid[i];

		memmove(&k->kid[i], &k->kid[i + 1], (--k->n - i) * sizeof *k->kid);
		return node_matrix(p->m, matrix, k->kid, k->n);
	}
	if (last->kind == N_UNIT) {
		k->kid[k->n - 1] = last->kid[0];
		t = node_list(p->m, N_MULTIPLY, k->kid, k->n);
		t = t ? node_new(p->m, N_UNIT, 1, t) : NULL;
		if (t)
			t->unit = last->unit;
		return t;
	}
	return node_list(p->m, N_MULTIPLY, k->kid, k->n);
}

static bool is_omega(const struct token *t)
{
	return t->n == 5 && !memcmp(t->s, "Omega", 5);
}

/* The m of 5 m, at the end of all: a unit in one reading */
static bool lone_unit(const struct parser *p, const struct kids *k)
{
	const struct token *t = p->t;

	return t->kind == T_NAME && ((t->spaced && t->n == 1 && strchr("msghLlVB", *t->s)) || is_omega(t)) && k->n && k->kid[k->n - 1]->kind != N_NAME
	    && (t[1].kind == T_END || ((t[1].kind == T_POWER || t[1].kind == T_SUPER || t[1].kind == T_DIVIDE)));
}

enum { MOST_PARTS = 16 };

/* 10:15, in front of a.m. or p.m.: with what stands there as its name */
static struct node *time_of_day(struct parser *p, struct node *x)
{
	const struct node *said = parse_unit(p, x, NULL);

	if (!said || !said->unit->label)
		return NULL;
	x->code = BY_CLOCK;
	x->name = said->unit->label;
	return x;
}

/* 2:4:6, from the factors and the places of colons among them: [2, 4, 6] */
static struct node *ratio(struct parser *p, struct kids *k, const size_t *colon, size_t colons)
{
	struct node *part[MOST_PARTS], *x;
	size_t i, from = 0, to;

	if (colons >= MOST_PARTS)
		return parse_fail(p, "too many items");
	for (i = 0; i <= colons; i++, from = to) {
		to = i < colons ? colon[i + 1] : k->n;
		if (i)                  /* what a colon stands before was turned into 1/x */
			k->kid[from] = k->kid[from]->kid[0];
		part[i] = to - from > 1 ? node_list(p->m, N_MULTIPLY, k->kid + from, to - from) : k->kid[from];
	}
	x = node_list(p->m, N_TUPLE, part, colons + 1);
	if (!x)
		return NULL;
	x->open = x->close = ':';
	return half_word(p->t) ? time_of_day(p, x) : x;
}

/* With its sign, and what of a mixed number follows */
static struct node *first_factor(struct parser *p, bool minus)
{
	struct node *x, *t;

	x = unary(p);
	if (!x)
		return NULL;
	if (minus && !(x = node_new(p->m, N_NEGATE, 1, x)))
		return NULL;
	t = x;
	if (t->kind == N_NEGATE)
		t = t->kid[0];
	if (t->kind == N_NUMBER && t->spelled && (p->t->kind == T_FRAC || (p->t->kind == T_NUMBER && p->t->spaced))) {
		t = mixed(p, t);
		if (!t)
			return NULL;
		if (p->t->kind == T_PERCENT) {
			p->t++;
			t = with_unit(p, t, "%");
		}
		x = x->kind == N_NEGATE ? node_new(p->m, N_NEGATE, 1, t) : t;
		if (!x)
			return NULL;
	}
	return x;
}

/* V = \pi r^2 h = 42 goes on with letters, y = 7^2 h = 42 does not. */
static bool any_names(const struct kids *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (math_has_names(k->kid[i]))
			return true;
	return false;
}

/* What has been read of a term */
struct term {
	struct kids k;
	size_t colon[MOST_PARTS], colons;       /* [n]: the factors in front of the n-th colon */
	bool call_like;                         /* f(x) */
	bool spelled;                           /* side by side, without a sign between factors */
};

/* A factor behind a sign of multiplication or division */
static struct node *signed_factor(struct parser *p, struct term *t)
{
	const struct token *op = p->t++;
	struct node *x = unary(p);

	if (op->kind == T_COLON && ++t->colons < MOST_PARTS)
		t->colon[t->colons] = t->k.n;
	t->spelled = false;
	return x && op->kind != T_TIMES ? node_new(p->m, N_INVERSE, 1, x) : x;
}

/* A factor beside the last one, with nothing between them */
static struct node *next_factor(struct parser *p, struct term *t)
{
	const struct token *op = p->t;
	struct node *last = t->k.kid[t->k.n - 1], *x;

	/* "7 vs 0" is no product of v and s */
	if (op->kind == T_NUMBER && (last->kind == N_NUMBER || last->kind == N_NAME || last->kind == N_I || last->kind == N_E || last->kind == N_UNIT))
		return NULL;
	if (parse_next_equation(p) && !any_names(&t->k))
		return NULL;
	t->spelled = t->spelled && !(op->kind == T_NAME && op->spaced && last->kind == N_NAME);       /* AB CD */
	x = power(p);
	t->call_like = t->k.n == 1 && op->kind == T_OPEN && op->code == '(' && p->t[-1].kind == T_CLOSE && (last->kind == N_NAME || last->kind == N_POWER);
	if (x && x->kind == N_TUPLE && x->n == 2 && last->kind == N_NAME && !strcmp(last->name, "C")) {
		x = node_new(p->m, N_FUNCTION, 2, x->kid[0], x->kid[1]);
		if (x)
			x->code = F_BINOMIAL;
		t->k.n--;
	}
	return x;
}

/* The factors behind the first one. False: it is no term. */
static bool other_factors(struct parser *p, struct term *t)
{
	for (;;) {
		const struct token *op = p->t;
		struct node *last = t->k.kid[t->k.n - 1], *x;

		if (micro(op) && last->kind != N_NAME)
			return true;
		if (lone_unit(p, &t->k)) {
			p->m->ambiguous[1] = true;
			if (p->reading & READ_UNITS)
				return true;
		}
		if (last->kind == N_NUMBER && op->kind == T_OPEN && op->code == '(' && op[1].kind == T_WORD) {  /* 5 (five) */
			x = parse_group(p);
			if (!x || x->kind != N_NUMBER || t->k.n > 1 || !fmpq_equal(x->number, last->number))
				return false;
			continue;
		}
		if (op->kind == T_DIVIDE && op[1].kind == T_WORD && !(p->reading & READ_LISTS)) {       /* per hour */
			t->spelled = false;
			return true;
		}
		if (op->kind == T_TIMES || op->kind == T_DIVIDE || op->kind == T_COLON)
			x = signed_factor(p, t);
		else if (begins_factor(p))
			x = next_factor(p, t);
		else
			return true;
		if (!x)
			return false;
		add(p, &t->k, x);
	}
}

static struct node *term(struct parser *p)
{
	const struct token *currency = NULL;
	struct term t = {.spelled = true};
	struct node *x;
	bool minus = false;

	if (p->t->kind == T_CURRENCY || ((p->t->kind == T_MINUS || p->t->kind == T_PLUS) && p->t[1].kind == T_CURRENCY)) {
		minus = p->t->kind == T_MINUS;
		p->t += p->t->kind != T_CURRENCY;
		currency = p->t++;
	}
	x = first_factor(p, minus);
	if (!x)
		return NULL;
	add(p, &t.k, x);
	if (!other_factors(p, &t))
		return NULL;
	if (t.colons > 1 || (t.colons && !currency && half_word(p->t)))
		return ratio(p, &t.k, t.colon, t.colons);
	x = product(p, &t.k);
	if (!x)
		return NULL;
	if (t.call_like && x->kind == N_MULTIPLY && x->n == 2)
		x->code = APPLIED;
	else if (t.colons && x->kind == N_MULTIPLY && x->n == 2)
		x->code = BY_COLON;
	if (x->kind == N_MULTIPLY && t.k.n > 1)
		x->spelled = t.spelled;
	if (!currency && to_word(p->t))
		return x;
	if (currency || p->t->kind == T_WORD || p->t->kind == T_CURRENCY || (p->t->kind == T_DIVIDE && p->t[1].kind == T_WORD) || micro(p->t) || lone_unit(p, &t.k))
		return parse_unit(p, x, currency);
	return x;
}

struct node *parse_sum(struct parser *p)
{
	struct kids k = {0};
	struct node *x, *last = NULL;
	bool units = false;

	if (!parse_deeper(p))
		return NULL;
	do {
		int kind = p->t->kind;

		p->t += k.n && kind != T_PM && kind != T_MP;
		x = term(p);
		if (!x)
			return NULL;
		units |= last && last->kind == N_UNIT;
		last = x;
		if (k.n && kind == T_MINUS) {
			struct node *in = x->kind == N_UNIT ? x->kid[0] : x;

			in = node_new(p->m, N_NEGATE, 1, in);
			if (!in)
				return NULL;
			if (x->kind == N_UNIT)
				x->kid[0] = in, x->depth = in->depth + 1;
			else
				x = in;
		}
		add(p, &k, x);
	} while (p->t->kind == T_PLUS || p->t->kind == T_MINUS || p->t->kind == T_PM || p->t->kind == T_MP);
	p->depth--;
	if (k.n == 1)
		return k.kid[0];
	if (k.n == 2 && k.kid[0]->kind == N_TUPLE && k.kid[1]->kind == N_NEGATE && k.kid[1]->kid[0]->kind == N_SET)     /* R - {2} */
		return node_new(p->m, N_DIFFERENCE, 2, k.kid[0], k.kid[1]->kid[0]);
	if (last->kind == N_UNIT && !units && !last->unit->percent) {   /* 11 sqrt(5) + 11 cm */
		k.kid[k.n - 1] = last->kid[0];
		x = node_list(p->m, N_ADD, k.kid, k.n);
		x = x ? node_new(p->m, N_UNIT, 1, x) : NULL;
		if (x)
			x->unit = last->unit;
		return x;
	}
	return node_list(p->m, N_ADD, k.kid, k.n);
}
