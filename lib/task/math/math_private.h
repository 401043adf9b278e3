/* math_private.h - inside of task/math: tokens, trees, values */
#ifndef TASK_MATH_PRIVATE_H
#define TASK_MATH_PRIVATE_H

#include <stdint.h>

#include "task/math.h"

/* FLINT 3 has Arb in it; before that Arb is a library of its own. */
#if __has_include(<flint/acb.h>)
#include <flint/acb.h>
#include <flint/fmpq.h>
#include <flint/fmpz_factor.h>
#else
#include <acb.h>
#include <flint/fmpq.h>
#include <flint/fmpz_factor.h>
#endif

/* gcc 12 takes the halves of FLINT 2's fractions for smaller than they are. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

/* fmpq_set_fmpz(), which FLINT has from 2.9 on only */
static inline void set_integer(fmpq_t q, const fmpz_t n)
{
	fmpz_set(fmpq_numref(q), n);
	fmpz_one(fmpq_denref(q));
}

/* ---- tokens (lex.c) ---- */

enum token_kind {
	T_END, T_BAD, T_NUMBER, T_BASE, T_NAME, T_PI, T_E, T_I, T_INFINITY, T_REALS, T_EMPTY, T_FUNCTION, T_FRAC, T_SQRT, T_BINOM,
	T_PLUS, T_MINUS, T_PM, T_MP, T_TIMES, T_DIVIDE, T_POWER, T_SUPER, T_SUB, T_FACTORIAL, T_OPEN, T_CLOSE, T_BAR,
	T_COMMA, T_SEMICOLON, T_COLON, T_RELATION, T_IN, T_CUP, T_CAP, T_SETMINUS, T_AND, T_PERCENT, T_DEGREE, T_CURRENCY,
	T_SCALE, T_WORD, T_BEGIN, T_FINISH, T_AMPERSAND, T_ROW, T_OVERLINE, T_OVER
};

struct token {
	uint8_t kind;
	bool spaced;                    /* blanks stand before it */
	bool latex;                     /* was a command; T_BASE: 0x1F */
	int code;                       /* function, character of a bracket or relation, base; T_AND: it is "or"; T_OVER: it is \choose */
	const char *s;                  /* n bytes: digits, a name, a word (in the arena) */
	size_t n;
};

/* Ways to read what has two usual readings */
enum { READ_LISTS = 1,                  /* 1,234 is two numbers */
       READ_UNITS = 2,                  /* the m of 5 m is a unit */
       READINGS = 4 };

enum { MAX_DEPTH = 60, MAX_TOKENS = 6000, MAX_BITS = 100000, MATH_DIGITS = 12000 };

struct math {                           /* one comparison: what is made for it lives as long */
	struct chunk *chunks;
	struct node *numbers;           /* whose value is to be cleared */
	struct unit *units;
	const char *fault;              /* why a reading or a comparison was given up: in a few words; NULL */
	bool ambiguous[2];              /* something was read in one of two ways: by commas, by units */
	const struct math_options *options;
	uint64_t seed;
	double work;                    /* what is left */
};

void *math_alloc(struct math *m, size_t n);             /* cleared */
void math_free(struct math *m);
/* Tokens of s, the last T_END; NULL with m->fault. */
struct token *math_lex(struct math *m, const char *s, size_t n, int reading);

/* ---- trees (parse.c) ---- */

enum node_kind {
	N_NUMBER, N_NAME, N_PI, N_E, N_I, N_INFINITY, N_ADD, N_MULTIPLY, N_INVERSE, N_NEGATE, N_PM, N_POWER, N_FUNCTION,
	N_TUPLE, N_SET, N_LIST, N_UNION, N_INTERSECTION, N_DIFFERENCE, N_MATRIX, N_RELATION, N_IN, N_TEXT, N_UNIT, N_BASE,
	N_PIECES                        /* value, condition, value, condition ... */
};

enum function {
	F_NONE, F_SIN, F_COS, F_TAN, F_COT, F_SEC, F_CSC, F_ASIN, F_ACOS, F_ATAN, F_SINH, F_COSH, F_TANH, F_CIS, F_LN, F_LOG, F_EXP,
	F_ABS, F_FACTORIAL, F_BINOMIAL, F_FLOOR, F_CEILING, F_GCD, F_LCM, F_MAX, F_MIN, F_MOD, F_SQRT, F_CBRT
};

enum { DIMENSIONS = 8 };                /* see LENGTH */

struct unit {
	fmpq_t factor;                  /* to the base unit */
	int8_t dimension[DIMENSIONS];
	bool percent;
	const char *label;              /* another thing that is counted ("apples"); NULL */
	struct unit *next;              /* of m->units */
};

struct node {
	uint8_t kind, depth;
	bool minus;                     /* N_PM: this is the one that begins with a minus */
	bool spelled;                   /* N_MULTIPLY: a product by juxtaposition; N_NUMBER: an integer in digits; N_BASE: the base below the line */
	char open, close;               /* N_TUPLE */
	int code;                       /* N_FUNCTION: which; N_MATRIX: rows; N_BASE: base; N_LIST: enum joined; N_MULTIPLY: APPLIED, BY_COLON or 0; N_TUPLE: BY_TO, BY_CLOCK or 0 */
	size_t n;
	struct node **kid;              /* (n) */
	fmpq_t number;                  /* N_NUMBER, N_BASE */
	const char *name;               /* N_NAME, N_TEXT, N_TUPLE: what stands behind a time of day, N_BASE: digits; N_RELATION: n-1 characters of =<L>G!~ (L, G: or equal) */
	struct unit *unit;              /* N_UNIT */
	struct node *next;              /* of m->numbers */
};

enum joined { BY_COMMAS, BY_AND, BY_OR, BY_SEMICOLONS };
enum { APPLIED = 1,                     /* f(x), if f is a function: a name, and brackets behind it */
       BY_COLON,                        /* 3:2, the quotient of two */
       BY_TO,                           /* 3 to 2, as a tuple whose brackets are colons */
       BY_CLOCK };                      /* 10:15 a.m., so, too, with "am" for a name */

struct node *node_new(struct math *m, enum node_kind kind, size_t n, ...);     /* n kids; NULL if one is NULL or all is too deep */
struct node *node_list(struct math *m, enum node_kind kind, struct node **kid, size_t n);
struct node *node_number(struct math *m, const fmpq_t q);
struct node *node_integer(struct math *m, slong k);
struct node *node_matrix(struct math *m, const struct node *t, struct node **factor, size_t n);     /* the matrix t with n factors to each entry */
bool node_equal(const struct node *a, const struct node *b);                    /* the same tree */
bool node_has(const struct node *t, enum node_kind kind);                       /* it, or a part of it, is of that kind */
bool node_mentions(const struct node *t, const char *name);                     /* a name of it */

/* NULL: not mathematics, or m->fault is set. */
struct node *math_parse(struct math *m, const char *s, size_t n, int reading);

bool word_denies(const char *s, size_t n);              /* "not": what stands beside it is not what is said; small letters */

bool word_changes(const char *s, size_t n);             /* "twice": what stands behind it is another thing */

struct unit *unit_new(struct math *m);
bool unit_add(struct unit *u, const char *name, size_t n, int power);           /* times the unit of that name to a power; false: there is none */
void unit_micro(struct unit *u, int power);                                     /* times a millionth to a power, of at most two digits */
bool unit_is(const struct unit *u, int dimension);                              /* of that dimension alone, to the power 1 */
enum { LENGTH, MASS, TIME, MONEY, ANGLE, INFORMATION, VOLTS, OHMS };

/* ---- values (value.c, formal.c, equal.c) ---- */

enum truth { NO, YES, UNKNOWN };

/* An exact rational, or a ball that encloses the number. In formal mode the number is U/L for algebraic integers all of whose conjugates
 * are at most 2^u and 2^l. */
struct value {
	bool rational;
	fmpq_t q;
	acb_t z;
	double u, l;
};

enum { POINTS = 4 };                    /* of which two are enough, unless names are whole numbers */

struct name {
	const char *name;
	bool part;                      /* no whole number where others are: what goes round would come back */
	fmpq_t at[POINTS];              /* its value at each point */
};

struct atom {                           /* a number that is taken for independent of all others, in formal mode */
	int kind;                       /* a function, or one of the kinds of formal.c */
	const struct node *key;         /* NULL: 1 */
	fmpz_t prime;
	slong below;                    /* powers of it are by 1/below */
	int point;
	struct value argument, value;
};

struct radical {
	fmpz_t of;                      /* 0: of what stands in the tree at `node` */
	const struct node *node;
	int point;
	ulong index;
};

struct eval {                           /* one way to put numbers for names and for what is transcendental */
	struct math *m;
	bool formal, again;             /* again: an atom's root was needed after the atom had its value */
	bool whole;                     /* names are whole numbers */
	bool imprecise;                 /* more precision may help */
	int point;
	slong prec;
	double degree;                  /* of a field in which all is */
	struct name *name;
	struct atom *atom;
	struct radical *radical;
	size_t names, atoms, radicals, atoms_cap, radicals_cap;
	uint64_t seed;
};

void value_init(struct value *v);
void value_clear(struct value *v);
void value_set(struct value *v, const struct value *a);
void value_rational(struct value *v, const fmpq_t q);
bool value_integer(const struct value *v, slong *k);                    /* a small one */
/* All of these: false if it cannot be computed, with ev->imprecise or m->fault set. v may be an operand. */
bool value_add(struct eval *ev, struct value *v, const struct value *a, const struct value *b);
bool value_subtract(struct eval *ev, struct value *v, const struct value *a, const struct value *b);
bool value_multiply(struct eval *ev, struct value *v, const struct value *a, const struct value *b);
bool value_invert(struct eval *ev, struct value *v, const struct value *a);
bool value_power(struct eval *ev, struct value *v, const struct value *a, slong k);
bool value_root(struct eval *ev, struct value *v, const struct value *a, ulong k, const struct node *from);
bool value_power_rational(struct eval *ev, struct value *v, const struct value *a, const fmpq_t e, const struct node *from);
bool value_imaginary(struct eval *ev, struct value *v);                 /* i */
void value_ball(struct eval *ev, acb_t z, const struct value *v);
enum truth value_zero(struct eval *ev, const struct value *v, slong *need);     /* need: bits of precision that would tell; 0: none would */
bool eval_node(struct eval *ev, struct value *v, const struct node *t);
bool eval_spend(struct eval *ev, double bits, double times);            /* accounts for work on numbers of so many bits */
bool eval_fail(struct eval *ev, const char *why);
bool eval_function(struct eval *ev, struct value *v, const struct node *t);     /* functions of analysis, and pi: formal.c */
bool eval_power(struct eval *ev, struct value *v, const struct node *base, const struct node *exponent);
bool node_transcendental(const struct node *t);                         /* has pi, e, a logarithm or the like in it */
void factor_small(fmpz_factor_t f, const fmpz_t n);                     /* into primes as far as that is cheap; n > 0 */

/* Do the expressions have the same value? UNKNOWN with m->fault. */
enum truth math_equal(struct math *m, const struct node *a, const struct node *b);
bool node_divides(const struct node *t);                /* it may have no value: 1/0 is not even itself */
/* Is a = c b for a number c other than 0, for all values of the names? sign: of c, where it is real */
enum truth math_proportional(struct math *m, const struct node *a, const struct node *b, int *sign);
enum truth math_near(struct math *m, const struct node *a, const struct node *b);       /* within the tolerances */
/* -1, 0, 1 as a real constant is below, at or above another; 2 unknown */
int math_order(struct math *m, const struct node *a, const struct node *b);
bool math_has_names(const struct node *t);

/* Are both of them sets of real numbers, and one of them no mere pair? Then whether they are the same. (region.c) */
bool math_regions(struct math *m, const struct node *a, const struct node *b, enum truth *same);

struct said {
	const struct node *name;        /* of what it is said; NULL: of none */
	const struct node *exact, *rounded;     /* what it is; rounded, or NULL */
};
/* What an equation says that something is; false where it says no such thing (naming.c) */
bool math_says(struct math *m, struct said *s, const struct node *t);
bool math_is_name(const struct node *t);                 /* may it stand in front of an equals sign, or of "is in"? */
bool math_names_agree(const struct node *a, const struct node *b);       /* the same, or x and x_1, y and f(x) */
/* A list of what several things are, x = 1, y = 2? Not x = 1, x = 2, nor x_1 = 1, x_2 = 2, which is of one. */
bool math_names_differ(const struct node *list);
/* y = 2, x = 1 in the order of x and y; any other list as it is. NULL: the same name twice. */
struct node *math_by_names(struct math *m, const struct node *list);

/* Are the answers the same? (compare.c) */
enum truth math_same(struct math *m, const struct node *a, const struct node *b);

#endif
