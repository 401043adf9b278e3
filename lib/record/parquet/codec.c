#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "record/parquet/private.h"

static int unpack_none(const unsigned char *p, size_t n, unsigned char *to, size_t *got)
{
	if (*got != n)
		return -1;
	memcpy(to, p, n);
	return 0;
}

static int unpack_snappy(const unsigned char *p, size_t n, unsigned char *to, size_t *got)
{
	size_t length;

	if (snappy_uncompressed_length((const char *)p, n, &length) != SNAPPY_OK || length != *got)
		return -1;
	return snappy_uncompress((const char *)p, n, (char *)to, got) == SNAPPY_OK ? 0 : -1;
}

/* One member of gzip, or several */
static int unpack_gzip(const unsigned char *p, size_t n, unsigned char *to, size_t *got)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = to, .avail_out = (uInt)*got};
	int rc = inflateInit2(&z, 15 + 32);

	if (rc != Z_OK)
		return -1;
	while ((rc = inflate(&z, Z_FINISH)) == Z_STREAM_END && z.avail_in)
		if (inflateReset(&z) != Z_OK)
			break;
	*got -= z.avail_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -1;
}

static int unpack_zstd(const unsigned char *p, size_t n, unsigned char *to, size_t *got)
{
	*got = ZSTD_decompress(to, *got, p, n);
	return ZSTD_isError(*got) ? -1 : 0;
}

static int unpack_lz4(const unsigned char *p, size_t n, unsigned char *to, size_t *got)
{
	int rc = LZ4_decompress_safe((const char *)p, (char *)to, (int)n, (int)*got);

	*got = rc < 0 ? 0 : (size_t)rc;
	return rc < 0 ? -1 : 0;
}

/* By the format's numbers. `most`: as many bytes can come out of one, about, which bounds what a head that lies makes us ask for. */
static const struct {
	const char *name;
	uint64_t most;
	int (*unpack)(const unsigned char *p, size_t n, unsigned char *to, size_t *got);
} codecs[] = {{"UNCOMPRESSED", 1, unpack_none}, {"SNAPPY", 32, unpack_snappy}, {"GZIP", 1032, unpack_gzip}, {"LZO", 0, NULL},
	{"BROTLI", 0, NULL}, {"LZ4 (Hadoop's)", 0, NULL}, {"ZSTD", 1 << 16, unpack_zstd}, {"LZ4_RAW", 256, unpack_lz4}};

int pq_unpack_check(int64_t codec, size_t n, size_t most, struct err *e)
{
	if (codec < 0 || codec >= (int64_t)(sizeof codecs / sizeof *codecs))
		return err_set(e, "is compressed with codec %lld, which is not known", (long long)codec);
	if (!codecs[codec].unpack)
		return err_set(e, "is compressed with %s, which is not read (SNAPPY, GZIP, ZSTD and LZ4_RAW are)", codecs[codec].name);
	if (most > (n + 16) * codecs[codec].most)
		return err_set(e, "a page is damaged: it would be %zu bytes, but there are %zu of %s", most, n, codecs[codec].name);
	return 0;
}

int pq_unpack(int64_t codec, const unsigned char *p, size_t n, unsigned char *to, size_t most, struct err *e)
{
	size_t got = most;

	if (codecs[codec].unpack(p, n, to, &got) < 0 || got != most)
		return err_set(e, "a page is damaged (%s)", codecs[codec].name);
	return 0;
}
