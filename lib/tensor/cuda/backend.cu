/* backend.cu - the CUDA backend: opening a device, its table of operations, the end */
#include "cuda.cuh"

/* 1 GiB of logits: with fewer rows, reading and writing the gradient of the head for each chunk would take longer than its product. */
static const int64_t LOGITS = (int64_t)256 << 20;

#define EXPORTED __attribute__((visibility("default")))
extern "C" {
EXPORTED struct backend *backend_cuda_new(int number, struct err *e);
EXPORTED extern const size_t backend_cuda_size;
}

/* That of the program that loads this must be the same: else the two are of different editions. */
const size_t backend_cuda_size = sizeof(struct backend);

static void destroy(struct backend *be)
{
	struct cuda *c = cuda_of(be);

	cuda_sync(c);
	products_free(c);
	attention_batches_end(c);
	cuda_memory_end(c);
	list_free(c);
	cuda_check(cudaStreamDestroy(c->stream), "a stream");
	delete c;
}

/* To see whether there is code for the device, and of which kind */
static __global__ void nothing(int unused)
{
	(void)unused;
}

/* An old driver, or none: that is a version of 0 */
static int no_driver(struct err *e)
{
	int driver = 0;

	if (cudaDriverGetVersion(&driver) != cudaSuccess || !driver)
		return err_set(e, "backend 'cuda': no device: no driver is there");
	return err_set(e, "backend 'cuda': no device: the driver knows CUDA %d.%d, and r1-cuda.so was made with %d.%d: a newer driver is needed, or an older nvcc",
		       driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
}

static int open_device(struct cuda *c, int number, cudaDeviceProp *p, struct err *e)
{
	cudaFuncAttributes code;
	int n = 0, driver = 0;
	cudaError_t r = cudaGetDeviceCount(&n);

	if (r == cudaErrorInsufficientDriver)
		return no_driver(e);
	if (r != cudaSuccess || n == 0)
		return err_set(e, "backend 'cuda': no device: %s", r == cudaSuccess ? "none is there" : cudaGetErrorString(r));
	if ((r = cudaSetDevice(number % n)) != cudaSuccess || (r = cudaGetDeviceProperties(p, number % n)) != cudaSuccess ||
	    (r = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking)) != cudaSuccess)
		return err_set(e, "backend 'cuda': the device cannot be used: %s", cudaGetErrorString(r));
	if (p->major < 8)
		return err_set(e, "backend 'cuda': %s is of compute capability %d.%d, and at least 8.0 is needed", p->name, p->major, p->minor);
	if ((r = cudaFuncGetAttributes(&code, nothing)) != cudaSuccess)
		return err_set(e, "backend 'cuda': r1-cuda.so has no code for %s, make it with CUDA_ARCHS=%d%d: %s", p->name, p->major, p->minor,
			       cudaGetErrorString(r));
	/* Older code has no wait_for_last in it, an older driver no place in graphs for what begins early. */
	c->early = code.ptxVersion >= 90 && cudaDriverGetVersion(&driver) == cudaSuccess && driver >= 12030 && !getenv("R1_CUDA_SERIAL") && !getenv("R1_CUDA_WAIT");
	c->multiprocessors = p->multiProcessorCount;
	c->shared_most = p->sharedMemPerBlockOptin;
	return 0;
}

/* number: of a process on this machine; with more of them than devices, some share one. */
struct backend *backend_cuda_new(int number, struct err *e)
{
	struct cuda *c = new cuda();
	const char *managed = getenv("R1_CUDA_MANAGED");
	struct backend *be = &c->be;
	cudaDeviceProp p;

	if (open_device(c, number, &p, e) < 0) {
		delete c;
		return NULL;
	}
	c->managed = managed && *managed && strcmp(managed, "0") != 0;
	c->waits = c->managed || getenv("R1_CUDA_WAIT");
	be->name = "cuda";
	be->rounds = be->half_rows = be->half_keys = true;
	be->logits_at_once = LOGITS;
	be->state = c;
	be->destroy = destroy;
	cuda_memory_ops(be);
	c->list = list_new(c);
	c->products = products_new(c, e);
	if (!c->products) {
		cuda_memory_end(c);
		list_free(c);
		delete c;
		return NULL;
	}
	be->gemm = cuda_gemm;
	be->attention = cuda_attention;
	be->attention_back = cuda_attention_back;
	be->latent = cuda_latent;
	be->latent_back = cuda_latent_back;
	be->sample = cuda_sample;
	cuda_weight_ops(be);
	cuda_rows_ops(be);
	cuda_heads_ops(be);
	cuda_sums_ops(be);
	cuda_route_ops(be);
	cuda_logprob_ops(be);
	cuda_optimizer_ops(be);
	cuda_team_ops(be);
	snprintf(be->what, sizeof be->what, "cuda: %.100s, %.1f GiB%s", p.name, (double)p.totalGlobalMem / 0x1p30, c->managed ? ", managed memory" : "");
	return be;
}
