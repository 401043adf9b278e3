/* parse_private.h - the two halves of the reader of answers: expressions (expression.c), what is made of them (parse.c) */
#ifndef TASK_MATH_PARSE_PRIVATE_H
#define TASK_MATH_PARSE_PRIVATE_H

#include "math_private.h"

struct parser {
	struct math *m;
	const struct token *t;          /* the next one */
	int depth, bars;                /* nesting; open |...| */
	int reading;
	bool chain;                     /* behind an = of the item */
};

/* All give NULL for what is no mathematics, or with m->fault. */
struct node *parse_items(struct parser *p, enum node_kind kind);        /* items up to what closes them; one alone is itself if kind is N_LIST */
struct node *parse_item(struct parser *p);                              /* equations, unions */
bool parse_next_equation(const struct parser *p);                       /* an equation of its own begins, behind another one */
struct node *parse_sum(struct parser *p);
struct node *parse_name(struct parser *p);                              /* with what stands below it: x, x_1 */
struct node *parse_group(struct parser *p);                             /* from an opening bracket on */
bool parse_open_array(const struct token *t);                           /* \{\begin{array} ... \end{array} without a brace behind it: cases */
struct node *parse_matrix(struct parser *p);
struct node *parse_unit(struct parser *p, struct node *of, const struct token *currency);     /* words behind a quantity */
struct node *parse_compound(struct parser *p, struct node *x);          /* x, 3 hours, with what follows: 20 minutes */
struct node *parse_fail(struct parser *p, const char *why);             /* NULL, with that fault */
struct node *parse_number(struct parser *p, const char *s, size_t n);   /* 1234.5e6, 0.1(3) (numeral.c) */
struct node *parse_based(struct parser *p, const struct token *t, int base);    /* digits of that base */
struct node *parse_words(struct parser *p);                             /* a number in words, or a text (words.c) */
const char *temperature(const struct token *t);                         /* the label of C and F behind a degree sign; NULL */
bool micro(const struct token *t);                                      /* the mu of \mu\text{m} */
struct node *parse_reals(struct parser *p);                             /* the line: (-infinity, infinity) */
bool scale_word(const struct token *t, slong *times);                   /* million */
slong part_word(const struct token *t);                                 /* thirds: 3; 0: none. A quarter is a coin, too. */
int power_word(const struct token *t);                                  /* squared: 2, cubed: 3; 0 */
bool to_word(const struct token *t);                                     /* the "to" of 3 to 2, in front of a number */
bool half_word(const struct token *t);                                  /* am, pm */
bool no_unit(const struct token *t);                                    /* no word that stands behind a quantity: "not", "three"; t[-1] is read */
bool parse_deeper(struct parser *p);                                    /* one level down: p->depth++, or false with the fault set */

struct node *parse_divide(struct parser *p, struct node *a, struct node *b);

#endif
