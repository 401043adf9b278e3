/* UTF-8: what is well-formed, what each bad sequence becomes, and the same however the bytes are cut; normal form C */
#include "test.h"

#include "text/nfc.h"
#include "text/utf8.h"

#define BAD "\xef\xbf\xbd"

/* Expected values are Python's bytes.decode('utf-8', 'replace'). */
static const struct { const char *bytes, *text; } table[] = {
	{"plain", "plain"},
	{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"\x80\xbf", BAD BAD},
	{"\xc0\x80\xc1\xbf", BAD BAD BAD BAD},                  /* overlong */
	{"\xe0\x80\x80\xe0\x9f\xbf", BAD BAD BAD BAD BAD BAD},
	{"\xf0\x80\x80\x80\xf0\x8f\xbf\xbf", BAD BAD BAD BAD BAD BAD BAD BAD},
	{"\xed\xa0\x80\xed\xbf\xbf", BAD BAD BAD BAD BAD BAD},  /* surrogates */
	{"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
	{"\xf4\x8f\xbf\xbf\xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf" BAD BAD BAD BAD},
	{"\xf5\xff\xfe", BAD BAD BAD},
	{"\xc3", BAD},                                          /* cut */
	{"a\xe2\x82z", "a" BAD "z"},
	{"\xf0\x9f\x98\xf0\x9f\xf0", BAD BAD BAD},
	{"\xe2\x82\xe2\x82\xac", BAD "\xe2\x82\xac"},
	{"\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", BAD BAD BAD "b" BAD "c" BAD BAD "d"},     /* the standard's table 3-8 */
};

static void check_replace(void)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buf b = {0};

		utf8_replace(table[i].bytes, strlen(table[i].bytes), &b);
		CHECK_STR(b.p, table[i].text);
		CHECK_INT(utf8_prefix(b.p, b.n), b.n);
		CHECK_INT(utf8_prefix(table[i].bytes, strlen(table[i].bytes)) == strlen(table[i].bytes), !strcmp(table[i].bytes, table[i].text));
		buf_free(&b);
	}
}

static void check_code_points(void)
{
	uint32_t c, back;
	char s[4];

	for (c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 251) {
		size_t n;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		n = utf8_encode(c, s);
		CHECK_INT(utf8_decode(s, n, &back), n);
		CHECK_INT(back, c);
		if (n > 1) {
			CHECK_INT(utf8_decode(s, n - 1, &back), n - 1);
			CHECK(back == UTF8_BAD);
		}
	}
}

static void normal(const char *s, const char *want)
{
	struct buf b = {0}, again = {0};

	nfc_normalize(s, strlen(s), &b);
	CHECK_STR(b.p, want);
	nfc_normalize(b.p, b.n, &again);
	CHECK_STR(again.p, want);
	if (strcmp(s, want) != 0)
		CHECK(!nfc_is_normal(s, strlen(s)));
	buf_free(&b);
	buf_free(&again);
}

static void check_nfc(void)
{
	static const char usual[] = "Caf\xc3\xa9, \xc3\x9f, \xe7\xad\x89\xe7\xad\x89, \xed\x95\x9c, \xd0\x9e\xd1\x82\xd0\xb2\xd0\xb5\xd1\x82";

	CHECK(nfc_is_normal(usual, sizeof usual - 1));
	normal(usual, usual);
	normal("e\xcc\x81", "\xc3\xa9");
	normal("\xc3\xa9", "\xc3\xa9");
	normal("\xe2\x84\xab", "\xc3\x85");                             /* the angstrom sign is A with a ring */
	normal("\xcd\x84", "\xcc\x88\xcc\x81");                         /* excluded from composition */
	normal("q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87");               /* in the order of their classes */
	normal("o\xcc\xa3\xcc\x82", "\xe1\xbb\x99");                    /* two marks, one letter */
	normal("o\xcc\x82\xcc\xa3", "\xe1\xbb\x99");
	normal("a\xcc\x81\xcc\x80", "\xc3\xa1\xcc\x80");                /* the second is blocked by the first's class */
	normal("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c");  /* jamo */
	normal("\xed\x95\x98\xe1\x86\xab", "\xed\x95\x9c");              /* a syllable and its tail */
	normal("\xf0\x9d\x85\x97\xf0\x9d\x85\xa5", "\xf0\x9d\x85\x97\xf0\x9d\x85\xa5");
	normal("\xef\xa9\xad", "\xe8\x88\x98");                         /* a compatibility ideograph */
	normal("\xcc\x81" "e", "\xcc\x81" "e");                         /* nothing to compose with */
}

int main(void)
{
	check_replace();
	check_code_points();
	check_nfc();
	return 0;
}
