/* shares.h - what of a model's numbers each process of a team updates, keeping all that the optimizer has of them (ZeRO, stage 1:
 * Rajbhandari et al., arXiv 1910.02054)
 *
 *     params_alloc_trained(&m->params, be, KEPT_BF16);        // p->own, p->owned: this process's share; `low` and moments are of these alone
 *     ... every process adds its examples' gradients to p->grad ...
 *     shares_sum(p);                                          // own numbers of p->grad become the sum over all processes
 *     ... own numbers are updated ...
 *     shares_spread(p, p->half, sizeof *p->half);             // and everybody has all of them again
 *
 * A sum is made in the order of the ranks, ((g_0 + g_1) + g_2) + ..., and nothing else hangs on where the cuts are: so the bits are those of one process
 * that has it all. Devices speak by NCCL, if all can, else by way of the hosts. A process alone owns everything, and nothing is done here.
 */
#ifndef MODEL_SHARES_H
#define MODEL_SHARES_H

#include "model/params.h"

/* Where process r's share of `size` numbers begins; where r is the team's size: `size`. A multiple of SQUARES (backend.h), or `size`. */
int64_t shares_begin(int64_t size, int r);
/* Whether the devices of all processes could be joined. Every process must ask. */
bool shares_join(struct backend *be);

void shares_sum(struct params *p);                      /* p->grad [p->size]; what is not the own share is of no use behind it */
void shares_spread(const struct params *p, void *x, size_t bytes);      /* x [p->size] of `bytes` each */
/* For writing, in every process: of x [p->owned] (backend memory), of `bytes` each, what is of numbers at .. at+n-1 of all p->size comes to the first, to
 * `host` [n]; these must be of one process. */
void shares_bring(const struct params *p, const void *x, size_t bytes, int64_t at, int64_t n, void *host);
int64_t shares_end(const struct params *p, int64_t at); /* where the share that number `at` is in ends */

#endif
