/* list.cu - the list of what is to be done, the graphs made of lists that come again, and the pinned memory that uploads go through
 *
 * A list that comes for the second time is captured into a graph, which is launched then and from then on. Graphs hold addresses and sizes alone,
 * so one is right as long as its list's bytes are the same. A few are kept; the one that was used longest ago makes room.
 *
 * Uploads' bytes wait in pinned memory, whose offsets begin again after every cuda_sync: so they are the same from one token to the next, and
 * so are the lists'. Constants have a device twin of that memory, at the same offsets.
 */
#include "cuda.cuh"

#include <vector>

enum { GRAPHS = 24, SEEN = 256, LEAST = 12, FIRST = 32, MOST_ENTRIES = 8192, CONSTANTS = 64 };
#define STAGE ((size_t)16 << 20)
#define RESULTS ((size_t)1 << 20)

struct graph {
	uint64_t hash, used;
	std::vector<char> bytes;
	cudaGraphExec_t exec;
};

struct constant {
	uint64_t hash;
	size_t at, bytes;
};

struct list {
	std::vector<char> bytes;
	size_t used, last, moved;       /* last: where the last entry is; moved: where the last copy ends, or 0 */
	enum last_kind kind;
	int64_t solid;                  /* what c->solid was before it */
	int entries;
	bool running;                   /* something was started since the last cuda_sync */
	std::vector<graph> graphs;
	uint64_t seen[SEEN];            /* hashes of the last lists that ran without a graph */
	int seen_next;
	uint64_t clock;
	int64_t ran, replayed, captured;        /* lists that ran, by graphs, of those made here */
	int64_t joined;                 /* entries that were taken back */
	char *stage, *twin, *results;   /* pinned, device, pinned */
	size_t staged, fetched;
	struct constant constant[CONSTANTS];    /* those since the last cuda_sync */
	int constants;
};

struct list *list_new(struct cuda *c)
{
	struct list *l = new list();

	cuda_check(cudaHostAlloc((void **)&l->stage, STAGE, cudaHostAllocDefault), "pinned memory");
	cuda_check(cudaHostAlloc((void **)&l->results, RESULTS, cudaHostAllocDefault), "pinned memory");
	l->twin = (char *)cuda_memory(c, STAGE);
	return l;
}

void list_free(struct cuda *c)
{
	struct list *l = c->list;

	cuda_sync(c);
	if (getenv("R1_CUDA_STATS"))
		fprintf(stderr, "cuda: %lld lists ran, %lld of them as graphs, of which %lld were made; %lld kernels are done by the next\n", (long long)l->ran,
			(long long)l->replayed, (long long)l->captured, (long long)l->joined);
	for (graph &g : l->graphs)
		cuda_check(cudaGraphExecDestroy(g.exec), "a graph's end");
	cuda_check(cudaFreeHost(l->stage), "pinned memory");
	cuda_check(cudaFreeHost(l->results), "pinned memory");
	cuda_check(cudaFree(l->twin), "device memory");
	delete l;
	c->list = NULL;
}

/* FNV-1a on words of 8 bytes, four chains side by side: lists are tens of kilobytes, looked at for every token */
static uint64_t hash_of(const char *p, size_t n)
{
	uint64_t h[4] = {1, 2, 3, 4}, w[4], all = n;
	size_t i;

	for (; n >= sizeof w; p += sizeof w, n -= sizeof w) {
		memcpy(w, p, sizeof w);
		for (i = 0; i < 4; i++)
			h[i] = ((h[i] ^ w[i]) * 0x9E3779B97F4A7C15u) ^ h[i] >> 29;
	}
	memset(w, 0, sizeof w);
	memcpy(w, p, n);
	for (i = 0; i < 4; i++)
		all = (((all ^ h[i] ^ w[i]) * 0x9E3779B97F4A7C15u) ^ all >> 31) + h[i];
	return all;
}

static const char *name_of(const struct entry *e)
{
	const char *name = "a kernel";

	if (!e->kernel)
		return "a copy or a product";
#if CUDART_VERSION >= 12030
	cudaFuncGetName(&name, e->kernel);
#endif
	return name;
}

static void run_entries(struct cuda *c)
{
	const char *p = c->list->bytes.data(), *end = p + c->list->used;

	while (p < end) {
		const struct entry *e = (const struct entry *)p;
		cudaError_t r = e->run(c, e);

		if (r == cudaSuccess && c->waits)
			r = cudaStreamSynchronize(c->stream);
		if (r != cudaSuccess)
			cuda_check(r, name_of(e));
		p += e->bytes;
	}
}

static bool was_seen(struct list *l, uint64_t hash)
{
	for (int i = 0; i < SEEN; i++)
		if (l->seen[i] == hash)
			return true;
	l->seen[l->seen_next] = hash;
	l->seen_next = (l->seen_next + 1) % SEEN;
	return false;
}

static void capture(struct cuda *c, uint64_t hash)
{
	struct list *l = c->list;
	cudaGraph_t captured;
	size_t slot = l->graphs.size();

	if (slot == GRAPHS) {
		slot = 0;
		for (size_t i = 1; i < GRAPHS; i++)
			if (l->graphs[i].used < l->graphs[slot].used)
				slot = i;
		cuda_check(cudaGraphExecDestroy(l->graphs[slot].exec), "a graph's end");
	} else {
		l->graphs.push_back(graph());
	}
	graph &g = l->graphs[slot];
	g.hash = hash;
	g.used = ++l->clock;
	g.bytes.assign(l->bytes.data(), l->bytes.data() + l->used);
	cuda_check(cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeRelaxed), "a graph");
	run_entries(c);
	cuda_check(cudaStreamEndCapture(c->stream, &captured), "a graph");
	cuda_check(cudaGraphInstantiate(&g.exec, captured, 0), "a graph");
	cuda_check(cudaGraphDestroy(captured), "a graph");
	cuda_check(cudaGraphLaunch(g.exec, c->stream), "a graph");
	l->captured++;
}

void cuda_run(struct cuda *c)
{
	struct list *l = c->list;
	uint64_t hash;

	if (!l->entries)
		return;
	l->ran++;
	if (l->entries < LEAST || c->waits) {
		run_entries(c);
	} else {
		graph *found = NULL;

		hash = hash_of(l->bytes.data(), l->used);
		for (graph &g : l->graphs)
			if (g.hash == hash && g.bytes.size() == l->used && !memcmp(g.bytes.data(), l->bytes.data(), l->used))
				found = &g;
		if (found) {
			found->used = ++l->clock;
			l->replayed++;
			cuda_check(cudaGraphLaunch(found->exec, c->stream), "a graph");
		} else if (was_seen(l, hash)) {
			capture(c, hash);
		} else {
			run_entries(c);
		}
	}
	l->used = l->moved = 0;
	l->entries = 0;
	l->running = true;
}

void cuda_sync(struct cuda *c)
{
	struct list *l = c->list;

	cuda_run(c);
	cuda_check(cudaStreamSynchronize(c->stream), "the device");
	l->staged = l->fetched = 0;
	l->constants = 0;
	l->running = false;
	c->solid = c->added + 1;
	c->syncs++;
}

struct entry *cuda_add(struct cuda *c, cudaError_t (*run)(struct cuda *, const struct entry *), size_t bytes, bool early)
{
	struct list *l = c->list;
	struct entry *e;

	bytes = (bytes + 15) / 16 * 16;
	if (l->bytes.size() < l->used + bytes)
		l->bytes.resize(2 * (l->used + bytes));
	l->last = l->used;
	l->kind = LAST_OTHER;
	e = (struct entry *)(l->bytes.data() + l->used);
	memset(e, 0, bytes);
	e->run = run;
	e->bytes = (int64_t)bytes;
	l->used += bytes;
	l->entries++;
	c->added++;
	l->solid = c->solid;
	if (!early)
		c->solid = c->added;
	return e;
}

bool cuda_behind_kernel(const struct cuda *c)
{
	return c->list->used != c->list->moved;
}

void cuda_mark(struct cuda *c, enum last_kind kind)
{
	c->list->kind = kind;
}

const struct entry *cuda_last(struct cuda *c, enum last_kind kind)
{
	const struct list *l = c->list;

	return l->entries && l->kind == kind ? (const struct entry *)(l->bytes.data() + l->last) : NULL;
}

void cuda_take_back(struct cuda *c)
{
	struct list *l = c->list;

	l->used = l->last;
	l->joined++;
	l->entries--;
	c->solid = l->solid;
	l->kind = LAST_OTHER;
}

void cuda_added(struct cuda *c)
{
	const struct list *l = c->list;

	if (c->managed) {               /* constants and what was fetched stay where they are: nothing begins again in the middle */
		cuda_run(c);
	} else if (l->entries >= MOST_ENTRIES || (!l->running && l->entries >= FIRST && l->kind == LAST_OTHER)) {
		cuda_run(c);                    /* the device need not wait for the rest of the first list, unless the next may be done with its last entry */
	}
}

/* ---- moving bytes ---- */

struct move_entry {
	struct entry e;
	void *to;
	const void *from;
	uint64_t bytes;
	int32_t kind, fill;
};

static cudaError_t run_move(struct cuda *c, const struct entry *e)
{
	const struct move_entry *m = (const struct move_entry *)e;

	if (!m->from)
		return cudaMemsetAsync(m->to, m->fill, (size_t)m->bytes, c->stream);
	return cudaMemcpyAsync(m->to, m->from, (size_t)m->bytes, (cudaMemcpyKind)m->kind, c->stream);
}

static size_t rounded(size_t bytes)
{
	return (bytes + 255) / 256 * 256;
}

/* Where the last entry is an upload of constants, to and from just before, it becomes longer: several small ones take as long as as many large ones. Both
 * memories are one block each, and nobody else's. */
static bool lengthen(struct cuda *c, void *to, const void *from, size_t bytes)
{
	struct move_entry *m = (struct move_entry *)cuda_last(c, LAST_CONSTANT);

	if (!m || (char *)m->to + rounded(m->bytes) != to || (const char *)m->from + rounded(m->bytes) != from)
		return false;
	m->bytes = rounded(m->bytes) + bytes;
	c->added++;
	return true;
}

static void move(struct cuda *c, void *to, const void *from, size_t bytes, cudaMemcpyKind kind, int fill)
{
	const char *twin = c->list->twin;
	const bool constant = kind == cudaMemcpyHostToDevice && (char *)to >= twin && (char *)to < twin + STAGE;
	struct move_entry *m;

	if (constant && lengthen(c, to, from, bytes))
		return;
	m = (struct move_entry *)cuda_add(c, run_move, sizeof *m);
	m->to = to;
	m->from = from;
	m->bytes = bytes;
	m->kind = kind;
	m->fill = fill;
	c->list->moved = c->list->used;
	cuda_mark(c, constant ? LAST_CONSTANT : LAST_OTHER);
	cuda_added(c);
}

void cuda_copy(struct cuda *c, void *to, const void *from, size_t bytes)
{
	if (bytes && to != from)
		move(c, to, from, bytes, cudaMemcpyDeviceToDevice, 0);
}

void cuda_fill(struct cuda *c, void *to, int byte, size_t bytes)
{
	if (bytes)
		move(c, to, NULL, bytes, cudaMemcpyDefault, byte);
}

void cuda_constants_room(struct cuda *c, size_t bytes)
{
	struct list *l = c->list;

	if (bytes > STAGE)
		cuda_fail("cuda: %zu bytes of tables in one operation", bytes);
	if (l->staged + bytes > STAGE)
		cuda_sync(c);
}

/* Bytes in pinned memory that stay until the next cuda_sync; returns their offset. */
static size_t stage(struct cuda *c, const void *host, size_t bytes)
{
	struct list *l = c->list;
	size_t at;

	cuda_constants_room(c, rounded(bytes));
	at = l->staged;
	memcpy(l->stage + at, host, bytes);
	l->staged += rounded(bytes);
	return at;
}

bool cuda_stage_upload(struct cuda *c, void *to, const void *host, size_t bytes)
{
	size_t at;

	if (bytes > STAGE / 8)
		return false;
	at = stage(c, host, bytes);
	move(c, to, c->list->stage + at, bytes, cudaMemcpyHostToDevice, 0);
	return true;
}

void *cuda_constant(struct cuda *c, const void *host, size_t bytes)
{
	struct list *l = c->list;
	const uint64_t hash = hash_of((const char *)host, bytes);
	size_t at;
	int i;

	for (i = 0; i < l->constants; i++) {
		const struct constant *k = &l->constant[i];

		if (k->hash == hash && k->bytes == bytes && !memcmp(l->stage + k->at, host, bytes))
			return l->twin + k->at;
	}
	at = stage(c, host, bytes);
	move(c, l->twin + at, l->stage + at, bytes, cudaMemcpyHostToDevice, 0);
	if (l->constants < CONSTANTS)
		l->constant[l->constants++] = (struct constant){hash, at, bytes};
	return l->twin + at;
}

void *cuda_fetch(struct cuda *c, const void *from, size_t bytes)
{
	struct list *l = c->list;
	char *to;

	if (l->fetched + rounded(bytes) > RESULTS)
		return NULL;
	to = l->results + l->fetched;
	l->fetched += rounded(bytes);
	move(c, to, from, bytes, cudaMemcpyDeviceToHost, 0);
	return to;
}
