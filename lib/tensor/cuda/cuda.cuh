/* cuda.cuh - the CUDA backend, inside: its state, the list that work is put on, memory
 *
 * A shared object of its own (bin/r1-cuda.so), which backend_open("cuda") loads: tools that compute elsewhere neither need nor load CUDA. Every
 * file here is compiled twice: by nvcc, and by g++ against tests/cuda/, a GPU that is not there (what differs is in device.cuh and mma.cuh).
 *
 * The list. An operation does not start when it is called: cuda_launch, cuda_copy, cuda_upload and the products put it on a list, which runs when
 * somebody waits (cuda_sync, by downloads), when it is long, or, after a wait, as soon as there is something to begin with. A list that is byte for
 * byte one that ran before is launched as one graph (list.cu). So what changes from token to token - lengths, pages, uniform numbers - must not be
 * in the arguments: it goes to device memory by cuda_constant, and grids are bounded by numbers that seldom change (cuda_bucket). A step of decoding
 * then is two launches.
 *
 * Neighbours. Where an operation finds the one that feeds it last on the list, it may do both in one kernel (cuda_last_launch, cuda_take_back), which
 * writes all that the two would have, to the same bits: whoever put them there cannot tell.
 *
 * A kernel takes one struct by value. Its members go from large to small and without gaps (bool is int32_t here), since gaps would be bytes
 * that differ from call to call.
 *
 * Sums are in float32 (double where the CPU's are), in an order that sizes alone fix; there are no sums by atomic floats. So the same call gives
 * the same bits every time, but not the CPU's bits, and a product's bits may change with the number of its rows.
 */
#ifndef TENSOR_CUDA_CUDA_CUH
#define TENSOR_CUDA_CUDA_CUH

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <cuda_runtime.h>
#include <unordered_map>
#include <unordered_set>
#include <vector>

extern "C" {
#include "base/err.h"
#include "base/mem.h"
#include "tensor/backend.h"
}

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

struct entry;                           /* of the list */
struct list;
struct products;
struct upload_buffers;
struct batches;

/* Device memory for the length of an operation: the next one to ask gets the same */
struct cuda_scratch {
	void *p;
	size_t bytes;
};
enum cuda_scratch_use { SCRATCH_A, SCRATCH_B, SCRATCH_SUMS, SCRATCH_ATTENTION, SCRATCHES };

struct cuda {
	struct backend be;              /* be.state points here */
	int multiprocessors;
	size_t shared_most;             /* bytes of shared memory that a block may have */
	bool managed;                   /* R1_CUDA_MANAGED: memory that the host may look at, and nothing is put off; for tests */
	bool waits;                     /* managed, or R1_CUDA_WAIT: for each entry by itself, so that it is known which one failed */
	cudaStream_t stream;
	struct list *list;
	int64_t added;                  /* entries that were ever put on the list, and what else changed memory */
	int64_t syncs;                  /* calls of cuda_sync */
	int64_t weights_written;        /* `added` of the kernel that last wrote weights */
	int64_t solid;                  /* `added` of the last entry that was not to begin early: what those before it wrote, anything behind it can read */
	bool early;                     /* kernels may begin before the last one has ended (cuda_launch) */
	std::unordered_map<const void *, size_t> shared_asked;          /* by kernel */
	std::unordered_set<const void *> begun_early;   /* those that ever were to */
	struct products *products;
	struct upload_buffers *large;
	struct cuda_scratch scratch[SCRATCHES];
	uint32_t *counter;              /* of cuda_counters */
	int64_t counters;
	struct batches *batches;        /* of attention_tiles.cu */
	std::vector<int64_t> pages_written;     /* of attention.cu, by layer */
	int64_t pages_moved;            /* `added` of the last op_columns, which may have written pages of any */
};

static inline struct cuda *cuda_of(struct backend *be)
{
	return (struct cuda *)be->state;
}

/* Ends the program with exit code 1 and a line. What fails below the operations is a bug, a broken device, or memory that something else has taken. */
__attribute__((format(printf, 1, 2), noreturn)) void cuda_fail(const char *format, ...);

/* ... with what failed and why, where r is not cudaSuccess */
void cuda_check(cudaError_t r, const char *what);

static inline int64_t div_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* The least power of two that is no smaller: bounds that are in a list's bytes and should seldom change */
static inline int64_t cuda_bucket(int64_t n)
{
	int64_t b = 1;

	while (b < n)
		b *= 2;
	return b;
}

/* ---- memory.cu ---- */

void *cuda_memory(struct cuda *c, size_t bytes);        /* as be->alloc */
void cuda_give_back(struct cuda *c, void *p);
void *cuda_scratch_of(struct cuda *c, enum cuda_scratch_use use, size_t bytes); /* at least so many, not kept, 256-byte aligned */
uint32_t *cuda_counters(struct cuda *c, int64_t n);     /* zeros, and a kernel that uses them leaves them so */
void cuda_upload(struct cuda *c, void *to, const void *host, size_t bytes);     /* host's numbers are taken at once */
void cuda_download(struct cuda *c, void *host, const void *from, size_t bytes); /* waits */
void cuda_memory_ops(struct backend *be);
void cuda_memory_end(struct cuda *c);

/* ---- list.cu ---- */

struct list *list_new(struct cuda *c);
void list_free(struct cuda *c);
void cuda_run(struct cuda *c);          /* starts what is on the list */
void cuda_sync(struct cuda *c);         /* and waits for it */
void cuda_copy(struct cuda *c, void *to, const void *from, size_t bytes);
void cuda_fill(struct cuda *c, void *to, int byte, size_t bytes);

/* A copy of host's bytes in device memory that lasts until the next cuda_sync, 256-byte aligned. The same bytes again cost nothing. It may
 * itself wait (when there is no room left), so whoever needs several makes sure by cuda_constants_room that all fit. */
void *cuda_constant(struct cuda *c, const void *host, size_t bytes);
bool cuda_stage_upload(struct cuda *c, void *to, const void *host, size_t bytes);     /* an upload, if it is no large one */
void cuda_constants_room(struct cuda *c, size_t bytes);

/* What `from` holds when the list has come there, readable at the returned place after cuda_sync and until the next operation. NULL: too much. */
void *cuda_fetch(struct cuda *c, const void *from, size_t bytes);

/* An entry of the list: `run` starts it. Its bytes are all that its work depends on. */
struct entry {
	cudaError_t (*run)(struct cuda *c, const struct entry *e);
	int64_t bytes;                  /* of all of the entry, a multiple of 16 */
	const void *kernel;             /* NULL: a copy, or a product of the library */
};
/* Room at the end of the list, cleared, whose `run` and `bytes` are set; then cuda_added. */
struct entry *cuda_add(struct cuda *c, cudaError_t (*run)(struct cuda *, const struct entry *), size_t bytes, bool early = false);
void cuda_added(struct cuda *c);
bool cuda_behind_kernel(const struct cuda *c);          /* the last entry is a kernel, or a product: neither a copy, nor none yet */

/* What the last entry is, where somebody may want to do it in one with the next. */
enum last_kind { LAST_OTHER, LAST_NORM, LAST_FEW, LAST_ROPE, LAST_HEADS, LAST_CONSTANT };
void cuda_mark(struct cuda *c, enum last_kind kind);    /* the entry that was just added */
const struct entry *cuda_last(struct cuda *c, enum last_kind kind);     /* NULL: the last entry is no such, or runs already */
void cuda_take_back(struct cuda *c);                    /* the last entry is not on the list any more */

template <class A> struct launch_entry {
	struct entry e;
	void (*kernel)(A);
	uint64_t shared;
	uint32_t grid[3], block[3];
	uint64_t early;
	A a;
};

/* More than that is asked for: without that a block has 48 KB, of which the variables that its kernel declares take some. */
#define SHARED_UNASKED ((size_t)40 << 10)

template <class A> static cudaError_t cuda_start_early(struct cuda *c, const struct launch_entry<A> *l)
{
	cudaLaunchAttribute early = {};
	cudaLaunchConfig_t how = {};

	early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
	early.val.programmaticStreamSerializationAllowed = 1;
	how.gridDim = dim3(l->grid[0], l->grid[1], l->grid[2]);
	how.blockDim = dim3(l->block[0], l->block[1], l->block[2]);
	how.dynamicSmemBytes = (size_t)l->shared;
	how.stream = c->stream;
	how.attrs = &early;
	how.numAttrs = 1;
	return cudaLaunchKernelEx(&how, l->kernel, l->a);
}

template <class A> static cudaError_t cuda_run_launch(struct cuda *c, const struct entry *e)
{
	const struct launch_entry<A> *l = (const struct launch_entry<A> *)e;
	void *args[1] = {(void *)&l->a};

	if (l->early && c->early)
		return cuda_start_early(c, l);
	return cudaLaunchKernel(l->kernel, dim3(l->grid[0], l->grid[1], l->grid[2]), dim3(l->block[0], l->block[1], l->block[2]), args, (size_t)l->shared,
				c->stream);
}

/* kernel<<<grid, block, shared>>>(a), in its turn. An empty grid is nothing to do.
 * early: it may begin while the kernel before still runs (sm_90's programmatic dependent launch), if there is one right before it. Every thread calls
 * wait_for_last. Before, it writes nothing, and reads nothing but what has been there since the last cuda_sync, what copies brought (no kernel begins
 * before a copy that it stands behind has ended), and what was written by entries before `solid`: kernels that are to begin early and follow one another
 * may all be running, but not with what is before them. */
template <class A> static void cuda_launch(struct cuda *c, void (*kernel)(A), dim3 grid, dim3 block, size_t shared, const A &a, bool early = false,
					  enum last_kind kind = LAST_OTHER)
{
	struct launch_entry<A> *l;

	early = early && cuda_behind_kernel(c);
	if (!grid.x || !grid.y || !grid.z)
		return;
	if (shared > SHARED_UNASKED && shared > c->shared_asked[(const void *)kernel]) {        /* never less: an entry may wait that needs more */
		cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared), "shared memory");
		c->shared_asked[(const void *)kernel] = shared;
	}
	/* A multiprocessor that has its memory divided another way would have to become idle first. */
	if (early && c->early && c->begun_early.insert((const void *)kernel).second)
		cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared), "shared memory");
	l = (struct launch_entry<A> *)cuda_add(c, cuda_run_launch<A>, sizeof *l, early);
	l->kernel = kernel;
	l->e.kernel = (const void *)kernel;
	l->shared = shared;
	l->early = early;
	l->grid[0] = grid.x, l->grid[1] = grid.y, l->grid[2] = grid.z;
	l->block[0] = block.x, l->block[1] = block.y, l->block[2] = block.z;
	memcpy(&l->a, &a, sizeof a);
	cuda_mark(c, kind);
	cuda_added(c);
}

/* The argument of the last entry, which is a kernel's of that kind: to be copied before anything is put on the list. Or NULL. */
template <class A> static const A *cuda_last_launch(struct cuda *c, enum last_kind kind)
{
	const struct entry *e = cuda_last(c, kind);

	return e ? &((const struct launch_entry<A> *)e)->a : NULL;
}

/* Blocks for n items, `each` to a block; kernels that get fewer go on in steps of the grid. */
static inline unsigned cuda_grid(int64_t n, int64_t each)
{
	const int64_t blocks = div_up(n, each), most = (int64_t)1 << 20;

	return (unsigned)MIN(blocks, most);
}

/* ---- the operations, by file ---- */

struct products *products_new(struct cuda *c, struct err *e);   /* gemm.cu */
void products_free(struct cuda *c);
void cuda_gemm(struct backend *, const struct gemm *);
void cuda_weight_ops(struct backend *be);
void cuda_rows_ops(struct backend *be);
void cuda_sums_ops(struct backend *be);
/* to[cols] += the sums of the columns of d (half: of bfloat16) or, with x, of d x rstd (rstd [rows]), in an order that the sizes fix */
void cuda_add_columns(struct cuda *c, float *to, const void *d, bool half, const float *x, const float *rstd, int64_t rows, int64_t cols);
/* to[cols] += the sums of parts [n][cols], in their order */
void cuda_add_parts(struct cuda *c, float *to, const float *parts, int64_t n, int64_t cols);
void cuda_heads_ops(struct backend *be);
void cuda_route_ops(struct backend *be);
void cuda_logprob_ops(struct backend *be);
void cuda_sample(struct backend *, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob);
void cuda_optimizer_ops(struct backend *be);
void cuda_team_ops(struct backend *be);
void cuda_attention(struct backend *, const struct attention *);
void attention_batches_end(struct cuda *c);
void cuda_attention_back(struct backend *, const struct attention *, const void *dout, void *dqkv);
void cuda_latent(struct backend *, const struct latent *);
void cuda_latent_back(struct backend *, const struct latent *, const float *dout, float *dq, float *dkeys);

#endif
