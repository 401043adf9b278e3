/* safetensors.h - tensors in files of the safetensors format: read by mmap, written as a stream
 *
 *     struct safetensors *s = safetensors_open("run/policy/model.safetensors", &e);   // or a model.safetensors.index.json
 *     const struct st_tensor *t = safetensors_find(s, "model.norm.weight");
 *     if (t && safetensors_floats(s, t, 0, t->count, w, &e) < 0) ...                  // any of F32, F16, BF16, F8_E4M3 to float
 *     safetensors_close(s);
 *
 *     struct safetensors_writer *w = safetensors_create("model.safetensors", &e);
 *     safetensors_declare(w, "model.norm.weight", ST_F32, (int64_t[]){C}, 1);         // all of them first, in the file's order
 *     safetensors_write(w, x, C);                                                     // then the numbers, in the same order, in any pieces
 *     if (safetensors_finish(w, &e) < 0) ...                                          // frees w; says the first thing that went wrong
 *
 * A file is: the header's length (8 bytes, little endian), the header (a JSON object, padded by blanks so that the data begin at a multiple
 * of 8), the data. Nothing in a file is believed before it is checked: the header's length against the file's, every offset against the data,
 * each tensor's size against its shape and type, and that the tensors cover the data without overlap or hole.
 *
 * A tensor in F8_E4M3 (1 sign, 4 exponent, 3 fraction bits; no infinities) stands for numbers with a scale for each block of rows and columns:
 * those of "X" are in "X_scale_inv" [ceil(rows / block), ceil(columns / block)], which its numbers are multiplied by, in float32.
 *
 * What is written depends only on names, types, shapes and numbers: the same bytes each time. "__metadata__" is {"format": "pt"}, which
 * other readers ask for. The machine must be little endian.
 */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum st_dtype { ST_BOOL, ST_U8, ST_I8, ST_F8_E4M3, ST_F8_E5M2, ST_I16, ST_U16, ST_F16, ST_BF16, ST_I32, ST_U32, ST_F32, ST_F64, ST_I64, ST_U64 };

#define ST_DIMS 8

struct st_tensor {
	const char *name;
	enum st_dtype dtype;
	int ndim;                       /* 0: a single number */
	int64_t shape[ST_DIMS];
	int64_t count;                  /* numbers: the product of the shape */
	const unsigned char *data;      /* in the mapping; aligned to nothing */
	size_t bytes;
	int file;                       /* which of the files it is in */
};

struct safetensors {
	struct st_tensor *tensor;       /* [n] by file, and in a file by where their data lie */
	size_t n;
	struct safetensors_private *private;
};

/* NULL and e on error. A name that ends in ".json" is an index: {"weight_map": {tensor: file beside it}}, and every tensor must be in
 * the file that it names. */
struct safetensors *safetensors_open(const char *path, struct err *e);
void safetensors_close(struct safetensors *s);

/* The same in steps. `name` is for messages. _add takes [p, p+n) as it is: it must outlive s. _add_fd maps the file, and the descriptor
 * may be closed then. _add_index calls open(arg, s, file, e) once for every file that the index [text, text+n) names (a plain name,
 * no folders), which adds it by one of the former, and then checks that the tensors lie where the index says. */
struct safetensors *safetensors_new(void);
int safetensors_add(struct safetensors *s, const char *name, const void *p, size_t n, struct err *e);
int safetensors_add_fd(struct safetensors *s, const char *name, int fd, struct err *e);
int safetensors_add_index(struct safetensors *s, const char *name, const char *text, size_t n,
			  int (*open)(void *arg, struct safetensors *s, const char *file, struct err *e), void *arg, struct err *e);

const struct st_tensor *safetensors_find(const struct safetensors *s, const char *name);       /* NULL if absent */
/* The tensor was read: its pages need not stay in this process's memory. It can be read again all the same. */
void safetensors_forget(const struct safetensors *s, const struct st_tensor *t);
const char *safetensors_file(const struct safetensors *s, int file);                           /* that file's name */
/* Tells models apart: of names, types, shapes and numbers (of a tensor of more than 256 KiB those at 64 places), in whatever files and order. */
uint64_t safetensors_hash(const struct safetensors *s);

/* Rows and columns of a block of F8_E4M3; 128 by 128 otherwise. */
void safetensors_blocks(struct safetensors *s, int64_t rows, int64_t cols);
/* Numbers from .. from+n-1 of t as float32, exact for F32, F16, BF16, and F8_E4M3 with its scales. -1: another type, or no scales. Two calls for different
 * tensors or ranges may run at once. */
int safetensors_floats(const struct safetensors *s, const struct st_tensor *t, int64_t from, int64_t n, float *to, struct err *e);

/* n numbers of that type, aligned to nothing, as float32. -1: it is none of the three. */
int st_widen(enum st_dtype d, const void *from, int64_t n, float *to);
void st_narrow(enum st_dtype d, const float *from, int64_t n, void *to);        /* to F32, F16, BF16: to nearest, ties to even */
bool st_is_bfloat(const struct st_tensor *t);           /* whether every number is a bfloat16, whatever its type */

const char *st_dtype_name(enum st_dtype d);             /* "BF16" */
size_t st_dtype_size(enum st_dtype d);                  /* bytes of one number */

/* Writing. Errors (disk full ...) are kept and told by _finish, so that only its answer need be looked at. F16 and BF16 are rounded to
 * nearest, ties to even. More or fewer numbers than were declared is a bug and asserts, as is a name declared twice. */
struct safetensors_writer;
struct safetensors_writer *safetensors_create(const char *path, struct err *e);
/* Before the first number: more than so many bytes of tensors go to several files beside each other, model-00001-of-00002.safetensors and so
 * on, and model.safetensors.index.json instead of model.safetensors; a tensor is never cut. 0: one file, whatever its size. */
void safetensors_shard(struct safetensors_writer *w, int64_t bytes);
void safetensors_declare(struct safetensors_writer *w, const char *name, enum st_dtype dtype, const int64_t *shape, int ndim);
void safetensors_write(struct safetensors_writer *w, const float *x, int64_t n);
void safetensors_write_raw(struct safetensors_writer *w, const void *x, int64_t n);    /* numbers of the declared type: no conversion */
int safetensors_finish(struct safetensors_writer *w, struct err *e);
void safetensors_discard(struct safetensors_writer *w);        /* instead of _finish: closes, and leaves a file that is not whole */

#endif
