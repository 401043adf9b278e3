/* replicas.h - data parallelism: a step's examples are dealt to replicas of the model, whose gradients are added up
 *
 *     struct replicas *r = replicas_new(&m->params, n);       // n: asked for; 0: one for each process of the team
 *     replicas_deal(r, tokens, count);                        // r->from[k] .. r->from[k+1] are replica k's examples
 *     for (k = 0; k < r->n; k++)
 *             if (replicas_mine(k)) {
 *                     ... passes of its examples, whose gradients are added to m->params.grad; sums[k] ...
 *                     replicas_turn(r, k);
 *             }
 *     replicas_share(r, sums, sizeof *sums);                  // everybody has all sums
 *     optimizer_step(o, lr);                                  // by the gradient of all examples
 *
 * A replica is a process of the team (base/team.h), and the optimizer adds their gradients up (shares.h); or there is one process that is all of
 * them by turns, which takes one gradient's memory more. Either way a replica's gradient is made from nothing, by the same passes, and they are added
 * in the order of their numbers:
 *     grad = ((g_0 + g_1) + g_2) + ...
 * so that n processes come to the bits that one comes to. With n = 1 nothing is added to what passes give.
 */
#ifndef MODEL_REPLICAS_H
#define MODEL_REPLICAS_H

#include "model/params.h"

struct replicas {
	int64_t n;
	int64_t *from;                  /* [n+1] of the examples dealt last */
	struct params *p;
	float *sum;                     /* backend [p->size] where one process is several of them; made when needed */
};

/* Whether as many replicas can be: those of a team are its processes. */
int replicas_check(int64_t n, struct err *e);
struct replicas *replicas_new(struct params *p, int64_t n);
void replicas_free(struct replicas *r);                 /* NULL is fine */

/* Examples 0 .. count-1 in their order, in n parts of about as many tokens. */
void replicas_deal(struct replicas *r, const int64_t *tokens, int64_t count);
bool replicas_mine(int64_t k);                          /* whether replica k is (also) this process */
void replicas_turn(struct replicas *r, int64_t k);      /* its gradient is made: in one process the next one's turn comes */
/* x[n] of `bytes` each: x[k] as replica k has it */
void replicas_share(const struct replicas *r, void *x, size_t bytes);
/* Floats on the host, offset[i] .. offset[i+1] of them for example i of those dealt last: each replica has made its examples' */
void replicas_gather(const struct replicas *r, float *x, const int64_t *offset);

#endif
