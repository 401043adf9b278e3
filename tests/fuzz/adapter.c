/* Any bytes as adapter_config.json: what is accepted keeps its promises, and reads the same when it is written and read again. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adapter_config c, again;
	struct buf text = {0};
	struct err e;

	if (adapter_config_parse(&c, (const char *)data, size, "adapter_config.json", &e) == 0) {
		if (c.rank < 1 || !isfinite(c.alpha) || !c.base)
			abort();
		adapter_config_write(&c, NULL, 0, NULL, &text);
		if (adapter_config_parse(&again, text.p, text.n, "again", &e) < 0)
			abort();
		if (again.rank != c.rank || again.alpha != c.alpha || again.rslora != c.rslora || strcmp(again.base, c.base) != 0)
			abort();
		adapter_config_free(&again);
		buf_free(&text);
	}
	adapter_config_free(&c);
	return 0;
}
