# match.awk - does a text fit what is expected?  awk -v want=EXPECTED -f match.awk SEEN; exit 0 if so
# In the expected text a line of three dots stands for any lines (none too), and three dots within a line for any text there.
# With R1_JQ=1.7 or later in the environment 1.0 is taken for 1, for so jq writes what it has read as 1.0 since then; before, it wrote 1.

function numbers(s,    t)
{
	if (ENVIRON["R1_JQ"] < 1.7)
		return s
	while (match(s, /[0-9]\.0([^0-9.e]|$)/)) {
		t = t substr(s, 1, RSTART)
		s = substr(s, RSTART + 3)
	}
	return t s
}

function fits(line, pattern,    part, n, i, at)
{
	n = split(pattern, part, /\.\.\./)
	if (n < 2)
		return line == pattern
	if (substr(line, 1, length(part[1])) != part[1])
		return 0
	line = substr(line, length(part[1]) + 1)
	for (i = 2; i < n; i++) {
		at = index(line, part[i])
		if (!at)
			return 0
		line = substr(line, at + length(part[i]))
	}
	return length(line) >= length(part[n]) && substr(line, length(line) - length(part[n]) + 1) == part[n]
}

BEGIN {
	nw = 0
	while ((getline line < want) > 0)
		w[++nw] = numbers(line)
}

{ s[++ns] = numbers($0) }

END {
	# i, j: the next lines of expected and seen; star: the last line of dots, to which we come back
	i = j = 1
	star = 0
	while (j <= ns) {
		if (i <= nw && w[i] == "...") {
			star = i++
			back = j
		} else if (i <= nw && fits(s[j], w[i])) {
			i++
			j++
		} else if (star) {
			i = star + 1
			j = ++back
		} else {
			exit 1
		}
	}
	while (i <= nw && w[i] == "...")
		i++
	exit i <= nw
}
