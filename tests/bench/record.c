/* record.c - how fast records go through: MB/s of one core on lines with 1,000 ids and 1,000 logprobs
 *
 * Usage: record [MB]. Reads a file that it makes in /tmp, already in memory, and writes to /dev/null. Prints one line per case:
 *     record/pass 512.3 MB/s
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/rng.h"
#include "record/record.h"

#define TOKENS 1000

static void die(const struct err *e)
{
	fprintf(stderr, "%s\n", e->msg);
	exit(1);
}

/* Logprobs as a model gives them: most near 0, with a long tail; text with a line break and a quote now and then. */
static size_t make_lines(const char *path, size_t bytes)
{
	struct rng rng = rng_new(1, 2);
	struct record r = {0};
	struct err e;
	struct writer *w = writer_open(path, &e);
	struct buf text = {0};
	size_t done = 0, i;
	int32_t ids[TOKENS];
	float lp[TOKENS];
	int line;

	if (!w)
		die(&e);
	for (line = 0; done < bytes; line++) {
		buf_clear(&text);
		for (i = 0; i < TOKENS; i++) {
			double u = rng_double(&rng);

			ids[i] = (int32_t)(u * u * 151643);
			lp[i] = (float)-(u * u * u * u * u * 9 + 1e-6 * rng_double(&rng));
			buf_str(&text, i % 40 == 39 ? ".\n" : i % 90 == 3 ? " \"x\"" : " word");
		}
		record_clear(&r);
		buf_printf(&text, " %d", line);
		record_set_str(&r, "id", "bench-1");
		record_set_int(&r, "sample", line);
		record_set_string(&r, "completion", text.p, text.n);
		record_set_ints(&r, "completion_ids", ids, TOKENS);
		record_set_floats(&r, "logprobs", lp, TOKENS);
		record_set_str(&r, "finish_reason", "stop");
		if (writer_put(w, &r, &e) < 0)
			die(&e);
		buf_clear(&text);
		record_write(&r, &text);
		done += text.n + 1;
	}
	if (writer_close(w, &e) < 0)
		die(&e);
	record_free(&r);
	buf_free(&text);
	return done;
}

enum work { PASS, SET, DECODE };

static double run(const char *path, size_t bytes, enum work work)
{
	char *files[] = {(char *)path};
	double best = 0;
	int round;

	for (round = 0; round < 5; round++) {
		struct err e;
		struct record r = {0};
		struct reader *in = reader_open(files, 1, NULL);
		struct writer *out = writer_open("/dev/null", &e);
		double start = clock_seconds(), rate, sum = 0;
		size_t n, m, i;
		int rc;

		if (!out)
			die(&e);
		while ((rc = reader_next(in, &r, &e)) > 0) {
			if (work == SET)
				record_set_number(&r, "reward", 1);
			if (work == DECODE) {
				int32_t *ids = record_ints(&r, "completion_ids", &n, &e);
				float *lp = record_floats(&r, "logprobs", &m, &e);

				if (!ids || !lp || n != m)
					die(&e);
				for (i = 0; i < n; i++)
					sum += lp[i] * ids[i];
				record_set_floats(&r, "logprobs", lp, n);
				record_set_number(&r, "sum", sum);
			}
			if (writer_put(out, &r, &e) < 0)
				die(&e);
		}
		if (rc < 0 || writer_close(out, &e) < 0)
			die(&e);
		rate = (double)bytes / 1e6 / (clock_seconds() - start);
		if (rate > best)
			best = rate;
		reader_close(in);
		record_free(&r);
	}
	return best;
}

int main(int argc, char **argv)
{
	size_t mb = argc > 1 ? (size_t)atoi(argv[1]) : 32, bytes;
	char path[] = "/tmp/r1-bench-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	bytes = make_lines(path, mb * 1000000);
	printf("record/pass %.1f MB/s\n", run(path, bytes, PASS));
	printf("record/set %.1f MB/s\n", run(path, bytes, SET));
	printf("record/decode %.1f MB/s\n", run(path, bytes, DECODE));
	unlink(path);
	return 0;
}
