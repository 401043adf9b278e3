/* Any bytes as a safetensors file: what is accepted can be read to its last number, and covers the data exactly. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct safetensors *s, size_t size)
{
	size_t total = 0, i;

	for (i = 0; i < s->n; i++) {
		const struct st_tensor *t = &s->tensor[i];
		float *x = xmalloc((size_t)t->count * sizeof *x);
		unsigned char sum = 0;
		struct err e;
		size_t j;

		if (safetensors_find(s, t->name) != t || (size_t)t->count * st_dtype_size(t->dtype) != t->bytes)
			abort();
		for (j = 0; j < t->bytes; j++)
			sum ^= t->data[j];
		(void)*(volatile unsigned char *)&sum;
		safetensors_floats(s, t, 0, t->count, x, &e);
		total += t->bytes;
		free(x);
	}
	if (total + 8 > size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct safetensors *s = safetensors_new();
	/* As it stands, and as a header alone with the length made for it: the parser behind it is reached sooner. */
	unsigned char *made = xcalloc(size + 8 + 64, 1);
	uint64_t length = size;
	struct err e;

	if (safetensors_add(s, "a", data, size, &e) == 0)
		read_all(s, size);
	safetensors_close(s);
	s = safetensors_new();
	memcpy(made, &length, 8);
	memcpy(made + 8, data, size);
	if (safetensors_add(s, "b", made, size + 8 + 64, &e) == 0)
		read_all(s, size + 8 + 64);
	safetensors_close(s);
	free(made);
	return 0;
}
