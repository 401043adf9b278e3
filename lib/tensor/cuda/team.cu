/* team.cu - sums over the devices of a team by NCCL, which is loaded where there is a team: this library has no need of it otherwise
 *
 * NCCL's own sums go round by a way that it chooses, and are not asked for. Numbers are sent, and each process adds up its own of everybody's x in the
 * order of the ranks. A sum and a spread send as much as a sum by a ring would.
 */
#include "cuda.cuh"

#if __has_include(<nccl.h>)
#include <dlfcn.h>
#include <nccl.h>

static const int64_t PIECE = (int64_t)64 << 20, ALIGN = 64;     /* floats: at once, of all processes (R1_NCCL_PIECE, for tests), and where pieces begin */

/* One for all backends that a process opens in its life */
static struct {
	ncclComm_t comm;
	int rank, size;
	bool tried;
	struct err why_not;
	ncclResult_t (*unique_id)(ncclUniqueId *);
	ncclResult_t (*init)(ncclComm_t *, int, ncclUniqueId, int);
	ncclResult_t (*give_up)(ncclComm_t);
	ncclResult_t (*send)(const void *, size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t);
	ncclResult_t (*receive)(void *, size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t);
	ncclResult_t (*begin)(void), (*end)(void);
	const char *(*what)(ncclResult_t);
} nccl;

template <class F> static bool find(void *lib, F *f, const char *name)
{
	*(void **)f = dlsym(lib, name);
	return *f != NULL;
}

/* R1_NCCL: another library than the system's */
static bool load(struct err *e)
{
	const char *told = getenv("R1_NCCL");
	void *lib = dlopen(told && *told ? told : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		err_set(e, "%s", dlerror());
		return false;
	}
	if (find(lib, &nccl.unique_id, "ncclGetUniqueId") && find(lib, &nccl.init, "ncclCommInitRank") && find(lib, &nccl.give_up, "ncclCommAbort") &&
	    find(lib, &nccl.send, "ncclSend") && find(lib, &nccl.receive, "ncclRecv") && find(lib, &nccl.begin, "ncclGroupStart") &&
	    find(lib, &nccl.end, "ncclGroupEnd") && find(lib, &nccl.what, "ncclGetErrorString"))
		return true;
	err_set(e, "NCCL is too old: it cannot send and receive");
	return false;
}

static int told_by_another(struct err *e, bool here)
{
	return here ? -1 : err_set(e, "NCCL cannot be used by another process");
}

static int join(const struct backend_team *t, struct err *e)
{
	ncclUniqueId id = {};
	ncclResult_t r = ncclSuccess;
	bool bad = !load(e);

	if (t->any(bad))
		return told_by_another(e, bad);
	if (t->rank == 0)
		r = nccl.unique_id(&id);
	t->broadcast(&id, sizeof id);
	if (t->any(r != ncclSuccess))
		return err_set(e, "NCCL: %s", nccl.what(r));
	r = nccl.init(&nccl.comm, t->size, id, t->rank);
	bad = r != ncclSuccess;
	if (bad)
		err_set(e, "NCCL: %s", nccl.what(r));
	if (t->any(bad)) {
		if (!bad)
			nccl.give_up(nccl.comm);
		nccl.comm = NULL;
		return told_by_another(e, bad);
	}
	nccl.rank = t->rank;
	nccl.size = t->size;
	return 0;
}

static int op_join(struct backend *be, const struct backend_team *t, struct err *e)
{
	(void)be;
	if (!nccl.tried)
		join(t, &nccl.why_not);
	nccl.tried = true;
	return nccl.comm ? 0 : err_set(e, "%s", nccl.why_not.msg);
}

static void check(ncclResult_t r)
{
	if (r != ncclSuccess)
		cuda_fail("cuda: NCCL: %s", nccl.what(r));
}

static void send(const void *x, int64_t n, size_t bytes, int to, cudaStream_t s)
{
	if (n)
		check(nccl.send(x, (size_t)n * bytes, ncclInt8, to, nccl.comm, s));
}

static void receive(void *x, int64_t n, size_t bytes, int from, cudaStream_t s)
{
	if (n)
		check(nccl.receive(x, (size_t)n * bytes, ncclInt8, from, nccl.comm, s));
}

/* Of process k's numbers those of the piece that begins `done` behind its first */
struct piece {
	int64_t first, n;
};

static struct piece piece_of(const int64_t *at, int k, int64_t done, int64_t each)
{
	const int64_t first = MIN(at[k] + done, at[k + 1]);

	return {first, MIN(each, at[k + 1] - first)};
}

static void sum_piece(struct cuda *c, float *x, const int64_t *at, int64_t done, int64_t each)
{
	const struct piece own = piece_of(at, nccl.rank, done, each);
	float *all = (float *)cuda_scratch_of(c, SCRATCH_A, (size_t)(nccl.size * each) * sizeof *all), *sum = x + own.first;

	cuda_run(c);
	check(nccl.begin());
	for (int k = 0; k < nccl.size; k++) {
		const struct piece p = piece_of(at, k, done, each);

		send(x + p.first, p.n, sizeof *x, k, c->stream);
		receive(all + k * each, own.n, sizeof *x, k, c->stream);
	}
	check(nccl.end());
	c->added++;
	for (int k = 1; k < nccl.size && own.n; k++)
		c->be.add(&c->be, sum, k == 1 ? all : sum, all + k * each, own.n);
}

/* Numbers of one process that are exchanged at once, and of the one that has most */
static int64_t most_at_once(const int64_t *at, int64_t *longest)
{
	const char *told = getenv("R1_NCCL_PIECE");
	const int64_t piece = told ? atoll(told) : PIECE;

	*longest = 0;
	for (int k = 0; k < nccl.size; k++)
		*longest = MAX(*longest, at[k + 1] - at[k]);
	return MIN(MAX(piece / nccl.size / ALIGN, 1) * ALIGN, div_up(*longest, ALIGN) * ALIGN);
}

static void op_team_sum(struct backend *be, float *x, const int64_t *at)
{
	int64_t longest, each = most_at_once(at, &longest);

	for (int64_t done = 0; done < longest; done += each)
		sum_piece(cuda_of(be), x, at, done, each);
	if (cuda_of(be)->managed)
		cuda_sync(cuda_of(be));
}

static void op_team_spread(struct backend *be, void *x, size_t bytes, const int64_t *at)
{
	struct cuda *c = cuda_of(be);
	char *numbers = (char *)x;
	const int rank = nccl.rank;

	cuda_run(c);
	check(nccl.begin());
	for (int k = 0; k < nccl.size; k++)
		if (k != rank) {
			send(numbers + at[rank] * (int64_t)bytes, at[rank + 1] - at[rank], bytes, k, c->stream);
			receive(numbers + at[k] * (int64_t)bytes, at[k + 1] - at[k], bytes, k, c->stream);
		}
	check(nccl.end());
	c->added++;
	c->weights_written = c->added;
	if (c->managed)
		cuda_sync(c);
}

void cuda_team_ops(struct backend *be)
{
	be->join = op_join;
	be->team_sum = op_team_sum;
	be->team_spread = op_team_spread;
}
#else
void cuda_team_ops(struct backend *be)
{
	(void)be;
}
#endif
