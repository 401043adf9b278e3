/* Answers: lists, equations, sets, intervals, matrices, units. */
#include <string.h>

#include "parse_private.h"

bool micro(const struct token *t)
{
	return t->kind == T_NAME && t->n == 2 && !memcmp(t->s, "mu", 2) && t[1].kind == T_WORD;
}

struct items {
	struct node **kid;
	size_t n, cap;
};

static void add(struct parser *p, struct items *k, struct node *t)
{
	if (k->n == k->cap) {
		struct node **more = math_alloc(p->m, (2 * k->cap + 8) * sizeof *more);

		if (k->n)
			memcpy(more, k->kid, k->n * sizeof *more);
		k->kid = more;
		k->cap = 2 * k->cap + 8;
	}
	k->kid[k->n++] = t;
}

/* The words between the tokens, n bytes with the blanks, as a label: in small letters, one apple like two apples */
static const char *unit_label(struct parser *p, const struct token *from, const struct token *currency, size_t n)
{
	char *const text = math_alloc(p->m, n + 8), *label = text;
	const struct token *t;

	if (from < p->t && from + 2 == p->t && from->n >= 6 && !memcmp(from->s, "degree", 6) && temperature(from + 1))
		return temperature(from + 1);
	if (currency)
		*label++ = (char)currency->code;
	for (t = from; t < p->t; t++) {
		size_t i, len = t->kind == T_WORD || t->kind == T_CURRENCY || t->kind == T_NAME ? t->n : 0;

		if (t->kind == T_CURRENCY) {
			*label++ = (char)t->code;
			continue;
		}
		if (len && label > text)
			*label++ = ' ';
		for (i = 0; i < len; i++)
			*label++ = t->s[i] >= 'A' && t->s[i] <= 'Z' ? (char)(t->s[i] | 0x20) : t->s[i];
		if (len > 3 && label[-1] == 's')
			*--label = 0;
	}
	return text;
}

/* Behind the unit's name t: ^2, ^{-2}, squared. The last token of it; t where there is none. */
static const struct token *unit_exponent(const struct token *t, int *power)
{
	const struct token *e = t + 1, *last;
	bool braces, minus;

	if (e->kind == T_SUPER) {
		minus = e->n > 1 && *e->s == '-';
		*power = e->n == (size_t)minus + 1 && e->s[minus] >= '2' - minus && e->s[minus] <= '9' ? e->s[minus] - '0' : 99;
		*power = minus ? -*power : *power;
		return e;
	}
	if (power_word(e)) {
		*power = power_word(e);
		return e;
	}
	if (e->kind != T_POWER)
		return t;
	e++;
	braces = e->kind == T_OPEN && e->code == '{';
	e += braces;
	minus = e->kind == T_MINUS;
	e += minus;
	last = e + braces;
	if (e->kind != T_NUMBER || (braces && (last->kind != T_CLOSE || last->code != '{')))
		return t;
	*power = e->n == 1 ? *e->s - '0' : 99;
	*power = minus ? -*power : *power;
	return last;
}

/* 3 cm^2, 5 miles per hour, $4 million, 12 apples: the words behind a quantity. */
struct node *parse_unit(struct parser *p, struct node *of, const struct token *currency)
{
	const struct token *from = p->t, *t;
	struct unit *u = unit_new(p->m);
	int side = 1, power = 1, next = 0;
	bool known = true, any = false, small = false;
	struct node *x;
	size_t n = 1;
	slong times;

	if (currency && scale_word(p->t, &times)) {
		of = node_new(p->m, N_MULTIPLY, 2, of, node_integer(p->m, times));
		from = ++p->t;
	}
	for (;; p->t++) {
		t = p->t;
		power = next;
		next = 0;
		if (t->kind == T_DIVIDE && (t[1].kind == T_WORD || t[1].kind == T_NAME)) {
			side = -1;
		} else if (t->kind == T_TIMES && any && t[1].kind == T_WORD) {  /* N m, with a dot */
			continue;
		} else if (micro(t)) {
			small = true;
			n += t->n + 1;
		} else if (t->kind == T_WORD || t->kind == T_CURRENCY || (t->kind == T_NAME && (p->reading & READ_UNITS || (t > from && t[-1].kind == T_DIVIDE)))) {
			if (t->n == 3 && !memcmp(t->s, "per", 3)) {
				side = -1;
				n += t->n + 1;
				continue;
			}
			n += t->n + 1;
			if (t->kind == T_WORD && no_unit(t))
				return NULL;
			if ((t->n == 6 && !memcmp(t->s, "square", 6)) || (t->n == 2 && !memcmp(t->s, "sq", 2)) || (t->n == 7 && !memcmp(t->s, "squared", 7) && !any)) {
				next = 2;
				continue;
			}
			if (t->n == 5 && !memcmp(t->s, "cubic", 5)) {
				next = 3;
				continue;
			}
			any = true;
			if (!power)
				power = 1;
			p->t = unit_exponent(t, &power);
			if (t->kind == T_CURRENCY && t->code != '$')
				known = false;
			known = known && unit_add(u, t->s, t->n, side * power);
			if (known && small)
				unit_micro(u, side * power);
			small = false;
		} else {
			break;
		}
	}
	if (p->t->kind == T_DIVIDE)
		return NULL;
	if (currency && currency->code == '$')          /* $5 dollars are dollars, too */
		known = known && ((unit_is(u, MONEY) && fmpq_is_one(u->factor)) || unit_add(u, "$", 1, 1));
	else if (currency)
		known = false;
	if (!any && !currency)
		return NULL;
	if (!known) {
		fmpq_one(u->factor);
		memset(u->dimension, 0, sizeof u->dimension);
		u->label = unit_label(p, from, currency, n);
	}
	x = of ? node_new(p->m, N_UNIT, 1, of) : NULL;
	if (x)
		x->unit = u;
	return x;
}

/* A number of a known unit, above 0 */
static bool counts(const struct node *t)
{
	return t->kind == N_UNIT && !t->unit->label && !t->unit->percent && t->kid[0]->kind == N_NUMBER && fmpq_sgn(t->kid[0]->number) > 0;
}

/* Each is less than 1 of the unit before it: 20 minutes than an hour. */
struct node *parse_compound(struct parser *p, struct node *x)
{
	const struct unit *last = x ? x->unit : NULL;
	struct node *y;
	fmpq_t part;
	bool less = true;

	fmpq_init(part);
	while (x && counts(x) && less) {
		const struct token *back = p->t, *behind = p->t + (p->t->kind == T_AND && !p->t->code);

		if (behind->kind != T_NUMBER || behind[1].kind != T_WORD)
			break;
		p->t = behind;
		y = parse_sum(p);
		less = y && counts(y) && !memcmp(last->dimension, y->unit->dimension, sizeof last->dimension);
		if (less) {
			fmpq_mul(part, y->kid[0]->number, y->unit->factor);
			less = fmpq_cmp(part, last->factor) < 0;
		}
		if (!less) {
			p->t = back;
			break;
		}
		fmpq_div(part, part, x->unit->factor);
		fmpq_add(part, part, x->kid[0]->number);
		last = y->unit;
		y = node_new(p->m, N_UNIT, 1, node_number(p->m, part));
		y->unit = x->unit;
		x = y;
	}
	fmpq_clear(part);
	return x;
}

static bool word_is(const struct token *t, const char *word)
{
	return t->kind == T_WORD && t->n == strlen(word) && (t->s[0] | 0x20) == word[0] && !memcmp(t->s + 1, word + 1, t->n - 1);
}

static bool ends_row(const struct token *t)
{
	return t->kind == T_ROW || t->kind == T_FINISH;
}

static bool closes(const struct parser *p)
{
	return p->t->kind == T_CLOSE || p->t->kind == T_END || p->t->kind == T_OVER || p->t->kind == T_AMPERSAND || p->t->kind == T_ROW || p->t->kind == T_FINISH;
}

static struct node *unions(struct parser *p)
{
	struct items k = {0};
	struct node *x = parse_compound(p, parse_sum(p));

	while (x && (p->t->kind == T_CUP || p->t->kind == T_CAP || p->t->kind == T_SETMINUS)) {
		int kind = (p->t++)->kind;
		struct node *y;

		if (kind == T_CUP) {
			if (!k.n)
				add(p, &k, x);
			y = parse_sum(p);
			if (!y)
				return NULL;
			add(p, &k, y);
			continue;
		}
		y = parse_sum(p);
		if (k.n)
			k.kid[k.n - 1] = y ? node_new(p->m, kind == T_CAP ? N_INTERSECTION : N_DIFFERENCE, 2, k.kid[k.n - 1], y) : NULL;
		else
			x = y ? node_new(p->m, kind == T_CAP ? N_INTERSECTION : N_DIFFERENCE, 2, x, y) : NULL;
		if (k.n && !k.kid[k.n - 1])
			return NULL;
	}
	return k.n ? node_list(p->m, N_UNION, k.kid, k.n) : x;
}

/* The x of x = 7 x = 42, which says twice what something is, and not that x is 7x. The r of 2 \pi r = 6 is another thing. */
bool parse_next_equation(const struct parser *p)
{
	const struct token *t = p->t, *before = t - 1;
	int depth = 0;

	if (!p->chain || !t->spaced || t->kind != T_NAME)
		return false;
	if (before->kind != T_NUMBER && before->kind != T_CLOSE && before->kind != T_FACTORIAL && before->kind != T_BASE && before->kind != T_PERCENT
	    && before->kind != T_DEGREE)
		return false;
	t += t->n == 1 && *t->s == 'm' && t[1].kind == T_NAME && t[1].n > 6 && !memcmp(t[1].s, "angle ", 6);
	for (t++; t->kind == T_NAME && !t->spaced && t[-1].n == 1 && *t[-1].s >= 'A' && *t[-1].s <= 'Z'; t++)
		;
	if (t->kind == T_SUB)
		t += t->code == 'u' ? 1 : 2;
	if (t->kind == T_OPEN || t[-1].kind == T_OPEN)
		for (depth = t[-1].kind == T_OPEN; t->kind != T_END && t->kind != T_RELATION; t++) {
			depth += (t->kind == T_OPEN) - (t->kind == T_CLOSE);
			if (depth < 0)
				break;
		}
	return t->kind == T_RELATION && depth == 0;
}

/* 3 to 2, 1 to 2 to 3: of plain numbers, behind the first one */
static struct node *to_others(struct parser *p, struct node *x)
{
	struct items k = {0};

	add(p, &k, x);
	while (x && to_word(p->t)) {
		p->t++;
		x = parse_sum(p);
		add(p, &k, x);
		if (!x || x->kind > N_NEGATE)
			return NULL;
	}
	if (!x || k.kid[0]->kind > N_NEGATE)
		return NULL;
	x = node_list(p->m, N_TUPLE, k.kid, k.n);
	if (x) {
		x->open = x->close = ':';
		x->code = BY_TO;
	}
	return x;
}

/* What may stand on a side of a relation */
static struct node *side(struct parser *p)
{
	struct node *x = unions(p);

	return x && to_word(p->t) ? to_others(p, x) : x;
}

struct node *parse_item(struct parser *p)
{
	struct items k = {0};
	struct node *x, *in;
	char *ops = NULL;
	size_t cap = 0;
	const bool chain = p->chain;

	if (!parse_deeper(p))
		return NULL;
	p->chain = false;
	x = side(p);
	if (x && p->t->kind == T_IN) {
		p->t++;
		in = unions(p);
		x = in ? node_new(p->m, N_IN, 2, x, in) : NULL;
	}
	while (x && p->t->kind == T_RELATION) {
		if (!k.n)
			add(p, &k, x);
		if (k.n + 1 >= cap) {
			char *more = math_alloc(p->m, cap = 2 * cap + 8);

			if (ops)
				memcpy(more, ops, k.n);
			ops = more;
		}
		ops[k.n - 1] = (char)(p->t++)->code;
		if (p->t->kind == T_END && ops[k.n - 1] == '=')
			return NULL;
		p->chain = true;
		x = side(p);
		if (!x)
			return NULL;
		add(p, &k, x);
	}
	p->depth--;
	p->chain = chain;
	if (!k.n)
		return x;
	x = node_list(p->m, N_RELATION, k.kid, k.n);
	if (x)
		x->name = ops;
	return x;
}

struct node *parse_items(struct parser *p, enum node_kind kind)
{
	struct items k = {0};
	bool separated = false;
	int joined = BY_COMMAS;
	struct node *x;

	while (!closes(p)) {
		if (k.n && !separated)
			return NULL;
		x = parse_item(p);
		if (!x)
			return NULL;
		add(p, &k, x);
		separated = false;
		while (p->t->kind == T_COMMA || p->t->kind == T_SEMICOLON || p->t->kind == T_AND) {
			if (separated && p->t->kind != T_AND)
				return NULL;
			separated = true;
			if (p->t->kind == T_AND)
				joined = p->t->code ? BY_OR : BY_AND;
			else if (p->t->kind == T_SEMICOLON && joined == BY_COMMAS)
				joined = BY_SEMICOLONS;
			p->t++;
		}
	}
	if (separated && k.n && ((p->t->kind != T_END && !ends_row(p->t)) || p->t[-1].kind == T_AND))
		return NULL;
	if (k.n == 1 && kind == N_LIST)
		return k.kid[0];
	x = k.n || kind == N_SET ? node_list(p->m, kind, k.kid, k.n) : NULL;
	if (x && kind == N_LIST)
		x->code = joined;
	return x;
}

/* Items up to what closes them, or a \over b, a \choose b */
static struct node *over(struct parser *p, enum node_kind kind)
{
	struct node *a = parse_items(p, kind), *b;
	bool choose;

	if (!a || p->t->kind != T_OVER)
		return a;
	choose = (p->t++)->code;
	b = parse_items(p, N_LIST);
	if (!choose || !b)
		return parse_divide(p, a, b);
	a = node_new(p->m, N_FUNCTION, 2, a, b);
	if (a)
		a->code = F_BINOMIAL;
	return a;
}

struct node *parse_reals(struct parser *p)
{
	struct node *end = node_new(p->m, N_INFINITY, 0), *x = node_new(p->m, N_TUPLE, 2, node_new(p->m, N_NEGATE, 1, end), end);

	if (x)
		x->open = '(', x->close = ')';
	return x;
}

/* Behind the bar or colon t of { x | x > 3 }: is there a relation before the brace is closed? Looked for ahead, since to read twice what is nested
 * would take forever. */
static bool says_of(const struct token *t)
{
	int depth = 0;

	for (; t->kind != T_END && depth >= 0; t++) {
		if (!depth && (t->kind == T_RELATION || t->kind == T_IN))
			return true;
		depth += (t->kind == T_OPEN) - (t->kind == T_CLOSE);
	}
	return false;
}

/* Is it { x | x > 3 }, { x in R : x > 3 }, from behind the brace on? bar: where that stands */
static bool begins_builder(const struct token *t, const struct token **bar)
{
	if (t->kind != T_NAME)
		return false;
	t++;
	if (t->kind == T_IN && t[1].kind == T_REALS)
		t += 2;
	*bar = t;
	return (t->kind == T_BAR || t->kind == T_COLON) && says_of(t + 1);
}

/* What is said of x in { x | x > 3 } */
static struct node *set_builder(struct parser *p, const struct token *open, const struct token *bar)
{
	struct node *of = parse_name(p), *x;
	size_t i;

	if (!of)
		return NULL;
	p->t = bar + 1;
	x = parse_items(p, N_LIST);
	if (!x || p->t->kind != T_CLOSE || p->t->code != open->code || !node_mentions(x, of->name))
		return NULL;
	p->t++;
	for (i = 0; x->kind == N_LIST && i < x->n; i++)
		if (x->kid[i]->kind != N_RELATION && x->kid[i]->kind != N_IN)
			return NULL;
	return x->kind == N_RELATION || x->kind == N_IN || x->kind == N_LIST ? x : NULL;
}

struct node *parse_group(struct parser *p)
{
	const struct token *open = p->t++, *close, *bar;
	struct node *x;

	if ((open->code == '{' || open->code == 'S') && begins_builder(p->t, &bar))
		return set_builder(p, open, bar);
	x = over(p, open->code == 'S' ? N_SET : N_LIST);
	close = p->t;
	if (!x && open->code == '{' && close == open + 1 && close->kind == T_CLOSE)
		x = node_new(p->m, N_SET, 0);
	if (!x || close->kind != T_CLOSE)
		return NULL;
	p->t++;
	if (open->code == '{' || open->code == 'S') {
		if (close->code != '{' && close->code != 'S')
			return NULL;
		if (x->kind == N_LIST)
			x->kind = N_SET;
		return x;
	}
	if (open->code == 'f' || open->code == 'c') {
		if (close->code != open->code || !(x = node_new(p->m, N_FUNCTION, 1, x)))
			return NULL;
		x->code = open->code == 'f' ? F_FLOOR : F_CEILING;
		return x;
	}
	if (close->code != ')' && close->code != ']')
		return NULL;
	if (x->kind != N_LIST) {
		if (open->code == '(' && close->code == ')') {
			if (x->kind == N_NUMBER)
				x->spelled = false;
			return x;
		}
		x = node_new(p->m, N_TUPLE, 1, x);
		if (!x || open->code != '[' || close->code != ']')
			return NULL;
	}
	x->kind = N_TUPLE;
	x->open = (char)open->code;
	x->close = (char)close->code;
	return x;
}

/* "n \text{ is even}", "otherwise": the words of a condition up to the end of its row, in small letters, each once apart; NULL: there is more than words */
static struct node *words_of_row(struct parser *p)
{
	const struct token *t;
	struct node *x;
	size_t n = 1, i;
	char *to;

	for (t = p->t; t->kind == T_WORD || t->kind == T_NAME; t++)
		n += t->n + 1;
	if (t == p->t || !ends_row(t))
		return NULL;
	x = node_new(p->m, N_TEXT, 0);
	x->name = to = math_alloc(p->m, n);
	for (; p->t < t; p->t++) {
		if (word_is(p->t, "is"))
			continue;
		if (to > x->name)
			*to++ = ' ';
		for (i = 0; i < p->t->n; i++)
			*to++ = p->t->kind == T_WORD && p->t->s[i] >= 'A' && p->t->s[i] <= 'Z' ? (char)(p->t->s[i] | 0x20) : p->t->s[i];
	}
	if (!strcmp(x->name, "else") || !strcmp(x->name, "elsewhere"))
		x->name = "otherwise";
	return x;
}

/* "if x > 0", "x = 1, 2", "n even", with the comma behind it */
static struct node *condition(struct parser *p)
{
	struct node *x;
	size_t i;

	p->t += word_is(p->t, "if") || word_is(p->t, "for") || word_is(p->t, "when");
	x = words_of_row(p);
	if (x)
		return x;
	x = parse_items(p, N_LIST);
	for (i = 0; x && x->kind == N_LIST && i < x->n; i++)
		if (x->kid[i]->kind != N_RELATION && x->kid[i]->kind != N_IN)
			return NULL;
	return x && (x->kind == N_LIST || x->kind == N_RELATION || x->kind == N_IN) ? x : NULL;
}

/* x & x > 0 \\ -x & x < 0, from the first row on: what a function is in each of several cases */
static struct node *pieces(struct parser *p)
{
	struct items k = {0};
	struct node *x;

	while (p->t->kind != T_FINISH) {
		x = parse_item(p);
		p->t += x && p->t->kind == T_COMMA;
		if (!x || p->t->kind != T_AMPERSAND)
			return NULL;
		p->t++;
		add(p, &k, x);
		x = condition(p);
		if (!x || !ends_row(p->t))
			return NULL;
		add(p, &k, x);
		p->t += p->t->kind == T_ROW;
	}
	p->t++;
	return k.n ? node_list(p->m, N_PIECES, k.kid, k.n) : NULL;
}

/* Is there an & in the first row behind \begin{cases}, and no relation before it, as of an equation? */
static bool begins_pieces(const struct token *t)
{
	int depth = 0;

	for (; t->kind != T_END && depth >= 0 && !(depth == 0 && ends_row(t)); t++) {
		if (!depth && (t->kind == T_AMPERSAND || t->kind == T_RELATION))
			return t->kind == T_AMPERSAND && t[1].kind != T_RELATION;
		depth += (t->kind == T_BEGIN) - (t->kind == T_FINISH);
	}
	return false;
}

static bool is_array(const struct token *t)
{
	return t->kind == T_BEGIN && t->n == 5 && !memcmp(t->s, "array", 5);
}

bool parse_open_array(const struct token *t)
{
	int depth = 0;

	if (t->kind != T_OPEN || t->code != 'S' || !is_array(t + 1))
		return false;
	for (t++; t->kind != T_END; t++) {
		depth += (t->kind == T_BEGIN) - (t->kind == T_FINISH);
		if (!depth)
			return t[1].kind != T_CLOSE;
	}
	return false;
}

struct node *parse_matrix(struct parser *p)
{
	const struct token *begin = p->t++;
	const bool open = begin->kind == T_OPEN;
	/* a list of equations */
	const bool system = open || (begin->n == 5 && !memcmp(begin->s, "cases", 5)) || (begin->n == 6 && !memcmp(begin->s, "dcases", 6));
	struct items k = {0};
	size_t columns = 0, in_row = 0, rows = 0;
	struct node *x;

	if (!system && !(begin->n >= 6 && !memcmp(begin->s + begin->n - 6, "matrix", 6) && *begin->s != 'v' && *begin->s != 'V')
	    && !is_array(begin))
		return NULL;
	p->t += open;
	if (system && begins_pieces(p->t))
		return pieces(p);
	while (p->t->kind != T_FINISH) {
		x = parse_item(p);
		if (!x || (system && x->kind != N_RELATION))
			return NULL;
		add(p, &k, x);
		in_row++;
		p->t += system && p->t->kind == T_COMMA;
		if (p->t->kind == T_AMPERSAND && !system) {
			p->t++;
			continue;
		}
		if (p->t->kind != T_ROW && p->t->kind != T_FINISH)
			return NULL;
		if (columns && in_row != columns)
			return NULL;
		columns = in_row;
		in_row = 0;
		rows++;
		p->t += p->t->kind == T_ROW;
	}
	p->t++;
	if (!k.n || in_row)
		return NULL;
	x = node_list(p->m, system ? N_LIST : N_MATRIX, k.kid, k.n);
	if (x)
		x->code = system ? BY_COMMAS : (int)rows;
	return x;
}

/* "is", "are", "equals", "is equal to", "is approximately", with a colon behind it or alone: where it ends; NULL. *about: it says approximately */
static struct token *verb(struct token *t, bool *about)
{
	struct token *p = t;

	if (!word_is(t, "is") && !word_is(t, "are") && !word_is(t, "equals"))
		return t->kind == T_COLON ? t + 1 : NULL;
	p++;
	p += word_is(p, "equal") && word_is(p + 1, "to") ? 2 : 0;
	*about = word_is(p, "approximately");
	p += *about;
	return p + (p->kind == T_COLON);
}

/* "Therefore, x = 3": behind the first word; "The value of x is 3", "x equals 3", "Total: 3": with a sign in the place of the verb */
static struct token *sentence(struct token *t)
{
	struct token *begin = t, *p, *q, *end;
	bool about = false, words = true, says;

	if (word_is(t, "therefore") || word_is(t, "thus") || word_is(t, "hence") || word_is(t, "so")) {
		begin = t + 1;
		begin += begin->kind == T_COMMA;
		if (begin->kind == T_END || (begin->kind == T_WORD && !word_is(begin, "the")))
			begin = t;
	}
	for (p = begin; (p->kind == T_WORD && !verb(p, &about)) || p->kind == T_NAME; p++)
		words = words && p->kind == T_WORD;
	q = verb(p, &about);
	if (p->kind == T_COLON)
		says = words && p > begin;
	else
		says = word_is(begin, "the") ? p > begin + 1 : p == begin + 1 && begin->kind == T_NAME;
	if (q && q->kind != T_END && says) {
		p->kind = T_RELATION;
		p->code = about ? '~' : '=';
		for (end = q; end->kind != T_END; end++)
			;
		memmove(p + 1, q, (size_t)(end + 1 - q) * sizeof *q);
	}
	return begin;
}

struct node *math_parse(struct math *m, const char *s, size_t n, int reading)
{
	struct parser p = {.m = m, .reading = reading};
	struct token *t;
	struct node *x;

	if (n > MATH_BYTES) {
		m->fault = "too long";
		return NULL;
	}
	t = math_lex(m, s, n, reading);
	if (!t)
		return NULL;
	p.t = sentence(t);
	while (p.t->kind == T_RELATION && (p.t->code == '=' || p.t->code == '~'))
		p.t++;
	if (p.t->kind == T_OPEN && p.t[1].kind == T_WORD && p.t[1].n == 1 && p.t[2].kind == T_CLOSE && p.t[3].kind != T_END)
		p.t += 3;                       /* \text{(a) } 3/4: the option and what it says */
	x = over(&p, N_LIST);
	return x && p.t->kind == T_END ? x : NULL;
}
