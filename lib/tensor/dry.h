/* dry.h - a backend that computes nothing: it tells how much memory a computation takes, on a machine that has none of it
 *
 *     struct backend *be = backend_dry_new(NULL);
 *     struct model *m = model_new(&config, be, MODEL_TRAIN, DTYPE_AUTO, &e);
 *     ... a pass ...
 *     size_t bytes = backend_dry_peak(be);
 *     model_free(m);
 *     backend_close(be);
 *
 * Its memory is addresses only: whoever reads or writes it crashes at once, as with the memory of a GPU. What is downloaded is zeros,
 * tokens that are sampled are 0.
 */
#ifndef TENSOR_DRY_H
#define TENSOR_DRY_H

#include "tensor/backend.h"

struct backend *backend_dry_new(const struct backend *like);     /* the memory that this one would take; NULL: the CPU */
size_t backend_dry_peak(const struct backend *be);      /* the most bytes that were allocated at once */
size_t backend_dry_used(const struct backend *be);      /* those that are allocated now */

#endif
