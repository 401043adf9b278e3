/* math.c - how many pairs of mathematical answers are compared in a second on one core
 *
 * The pairs are those that the tests have judged by hand (tests/unit/math/pairs.txt): plain ones, and those with LaTeX in them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "task/verifier.h"

enum { PAIRS = 2000 };

static struct pair {
	char *a, *b;
} pair[PAIRS];
static size_t pairs;

static void read_pairs(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096], *tab;

	if (!f) {
		perror(path);
		exit(1);
	}
	while (pairs < PAIRS && fgets(line, sizeof line, f))
		if ((*line == '=' || *line == '!') && (tab = strchr(line, '\t'))) {
			*tab = 0;
			tab[1 + strcspn(tab + 1, "\n")] = 0;
			pair[pairs++] = (struct pair){strdup(line + 2), strdup(tab + 1)};
		}
	fclose(f);
}

static void row(const char *name, bool latex, double asked)
{
	const struct verifier *v = verifier_find("math", NULL);
	double begun = clock_seconds(), spent, slowest = 0;
	size_t i, n = 0;

	do {
		for (i = 0; i < pairs; i++) {
			const double at = clock_seconds();

			if (latex != (strchr(pair[i].a, '\\') || strchr(pair[i].b, '\\')))
				continue;
			v->same(pair[i].a, strlen(pair[i].a), pair[i].b, strlen(pair[i].b), NULL, NULL);
			n++;
			if (clock_seconds() - at > slowest)
				slowest = clock_seconds() - at;
		}
		spent = clock_seconds() - begun;
	} while (spent < 1);
	printf("math: %-18s %8.0f pairs/s (asked: %.0f); the slowest %.2f ms\n", name, (double)n / spent, asked, slowest * 1e3);
}

int main(void)
{
	read_pairs("tests/unit/math/pairs.txt");
	row("plain text", false, 20000);
	row("LaTeX", true, 5000);
	return 0;
}
