/* replay.c - runs a fuzz target over the files of the folders (or the files) named, where there is no libFuzzer */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(f);
	data = malloc((size_t)size + !size);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		exit(1);
	}
	fclose(f);
	fprintf(stderr, "%s\n", path);          /* the last one named is the one that failed */
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int i, n = 0;

	for (i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *f;

		while (d && (f = readdir(d))) {
			char path[4096];

			if (f->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], f->d_name);
			n += run_file(path);
		}
		if (d)
			closedir(d);
		else
			n += run_file(argv[i]);
	}
	if (!n)
		fprintf(stderr, "no inputs\n");
	return n == 0;
}
