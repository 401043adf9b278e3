/* Units by their names. */
#include <string.h>

#include "math_private.h"

static const struct { const char *names; int dimension, power; slong above, below; } table[] = {
	{"m meter meters metre metres 米", LENGTH, 1, 1, 1}, {"cm centimeter centimeters centimetre centimetres 厘米", LENGTH, 1, 1, 100},
	{"mm millimeter millimeters millimetre millimetres 毫米", LENGTH, 1, 1, 1000}, {"dm decimeter decimeters 分米", LENGTH, 1, 1, 10},
	{"km kilometer kilometers kilometre kilometres 千米 公里", LENGTH, 1, 1000, 1}, {"in inch inches", LENGTH, 1, 254, 10000},
	{"ft foot feet", LENGTH, 1, 3048, 10000}, {"yd yard yards", LENGTH, 1, 9144, 10000}, {"mi mile miles", LENGTH, 1, 1609344, 1000},
	{"L l liter liters litre litres 升", LENGTH, 3, 1, 1000}, {"mL ml milliliter milliliters millilitre millilitres cc 毫升", LENGTH, 3, 1, 1000000},
	{"acre acres", LENGTH, 2, 40468564224, 10000000}, {"hectare hectares ha", LENGTH, 2, 10000, 1},
	{"g gram grams 克", MASS, 1, 1, 1000}, {"kg kilogram kilograms kilo kilos 千克 公斤", MASS, 1, 1, 1}, {"mg milligram milligrams", MASS, 1, 1, 1000000},
	{"lb lbs pound pounds", MASS, 1, 45359237, 100000000}, {"oz ounce ounces", MASS, 1, 45359237, 1600000000},
	{"ton tons", MASS, 1, 1000, 1}, {"tonne tonnes 吨", MASS, 1, 1000, 1},
	{"s sec secs second seconds 秒", TIME, 1, 1, 1}, {"ms millisecond milliseconds", TIME, 1, 1, 1000}, {"min mins minute minutes 分钟", TIME, 1, 60, 1},
	{"h hr hrs hour hours 小时", TIME, 1, 3600, 1}, {"day days 天", TIME, 1, 86400, 1}, {"week weeks 周", TIME, 1, 604800, 1},
	{"year years yr yrs 年", TIME, 1, 31557600, 1}, {"month months", TIME, 1, 2629800, 1},
	{"$ dollar dollars usd USD buck bucks", MONEY, 1, 1, 1}, {"cent cents \xc2\xa2", MONEY, 1, 1, 100},
	{"degree degrees deg 度", ANGLE, 1, 1, 1}, {"byte bytes B", INFORMATION, 1, 8, 1}, {"bit bits", INFORMATION, 1, 1, 1},
	{"KB", INFORMATION, 1, 8000, 1}, {"MB", INFORMATION, 1, 8000000, 1}, {"GB", INFORMATION, 1, 8000000000, 1},
	{"V volt volts", VOLTS, 1, 1, 1}, {"Omega ohm ohms", OHMS, 1, 1, 1},
};

static bool name_in(const char *names, const char *s, size_t n)
{
	while (*names) {
		size_t len = strcspn(names, " ");

		if (len == n && !memcmp(names, s, n))
			return true;
		names += len + (names[len] == ' ');
	}
	return false;
}

struct unit *unit_new(struct math *m)
{
	struct unit *u = math_alloc(m, sizeof *u);

	fmpq_init(u->factor);
	fmpq_one(u->factor);
	u->next = m->units;
	m->units = u;
	return u;
}

bool unit_add(struct unit *u, const char *name, size_t n, int power)
{
	fmpq_t f;
	size_t i;

	if (n == 3 && !memcmp(name, "mph", 3))
		return unit_add(u, "mile", 4, power) && unit_add(u, "hour", 4, -power);
	if (n == 3 && !memcmp(name, "kph", 3))
		return unit_add(u, "km", 2, power) && unit_add(u, "hour", 4, -power);
	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (name_in(table[i].names, name, n))
			break;
	if (i == sizeof table / sizeof *table || power < -9 || power > 9 || !power)
		return false;
	if (u->dimension[table[i].dimension] + table[i].power * power > 99 || u->dimension[table[i].dimension] + table[i].power * power < -99)
		return false;
	u->dimension[table[i].dimension] += (int8_t)(table[i].power * power);
	fmpq_init(f);
	fmpz_set_si(fmpq_numref(f), table[i].above);
	fmpz_set_si(fmpq_denref(f), table[i].below);
	fmpq_canonicalise(f);
	fmpq_pow_si(f, f, power);
	fmpq_mul(u->factor, u->factor, f);
	fmpq_clear(f);
	return true;
}

void unit_micro(struct unit *u, int power)
{
	fmpq_t f;

	fmpq_init(f);
	fmpq_set_si(f, 1, 1000000);
	fmpq_pow_si(f, f, power);
	fmpq_mul(u->factor, u->factor, f);
	fmpq_clear(f);
}

bool unit_is(const struct unit *u, int dimension)
{
	int i;

	for (i = 0; i < DIMENSIONS; i++)
		if (u->dimension[i] != (i == dimension))
			return false;
	return !u->percent && !u->label;
}
