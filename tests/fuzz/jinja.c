/* Inputs: a chat template. What is recognised is a template that there is; a normal form is one already, but for its strings' escapes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"
#include "text/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *s = malloc(n + 1);                /* no room behind it for what reads too far */
	struct jinja_match m;
	struct template *t;
	struct buf b = {0};
	struct err e;

	assert(s);
	if (n)
		memcpy(s, data, n);
	s = realloc(s, n ? n : 1);
	if (jinja_recognise(s, n, &m)) {
		t = template_recognise(s, n, NULL, NULL, &e);
		assert(t && !strcmp(template_name(t), m.format));
		assert(template_problem(t, NULL, "x", 1, &b, &e) == 0 && b.n > 1);
		assert(!m.system.n || memmem(b.p, b.n, m.system.p, m.system.n));
		template_free(t);
		buf_free(&m.system);
	}
	buf_clear(&b);
	assert(!jinja_digest(s, n) || jinja_normalise(s, n, &b));
	buf_free(&b);
	free(s);
	return 0;
}
