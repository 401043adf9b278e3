/* formal_private.h - what formal.c, angle.c and power.c share: numbers in the place of what is transcendental */
#ifndef TASK_MATH_FORMAL_PRIVATE_H
#define TASK_MATH_FORMAL_PRIVATE_H

#include "math_private.h"

enum { A_PI = 100, A_EXP, A_CIS, A_LOG, A_ANGLE };       /* pi; e^key; e^(i key); ln of a prime; the angle of a Gaussian prime */

/* A sum of rational multiples of keys, which may stand in an exponent */
struct term {
	fmpq_t times;
	bool imaginary;
	const struct node *key;         /* NULL: 1 */
};

struct terms {
	struct term term[24];
	size_t n;
};

/* All that give a bool: false if it cannot be computed, with ev->imprecise or m->fault set. */
bool formal_split(struct eval *ev, struct terms *s, const struct node *t, const fmpq_t times, bool imaginary);  /* adds times t, or i times t */
void formal_terms_free(struct terms *s);
bool formal_exponentials(struct eval *ev, struct value *v, const struct terms *s);                              /* e^(the sum) */
bool formal_exp(struct eval *ev, struct value *v, const struct node *t, bool imaginary);                        /* e^t, e^(i t) */
bool formal_pi(struct eval *ev, struct value *v);
bool formal_inverse(struct eval *ev, struct value *v, int f, const struct value *x);                           /* asin, acos, atan of x */
/* What f gives for the argument, with no equations but that the same argument gives the same */
bool formal_opaque(struct eval *ev, struct value *v, int f, const struct value *argument);
struct atom *formal_atom(struct eval *ev, int kind);                    /* a new one, without a value */
/* A rational near a number, where it is real and of usual size, that nobody could have guessed */
void formal_pick(struct eval *ev, fmpq_t q, const acb_t near);

/* In balls, whatever ev->formal says */
bool formal_call(struct eval *ev, acb_t z, const acb_t x, int f);
bool formal_numeric(struct eval *ev, struct value *v, int f, const struct node *of);
bool formal_positive(struct eval *ev, const struct node *t);            /* is it a real number above 0, as far as 80 bits tell? */
bool formal_in_range(struct eval *ev, const acb_t z);                   /* below 2^40, or a fault */

#endif
